import { describe, expect, it } from 'vitest'
import type { Plan } from '../../../shared/model/plan.ts'
import { effectOf, formatPlanDocument, newPlanDocument, parsePlanDocument } from './planDocument.ts'

const plan = (name: string): string =>
  `name: ${name}\nkind: tree\nselector: '*'\nspec:\n  push: { source: /srv/${name}, target: ~/t }\n`

describe('plan document', () => {
  it('reads one plan, several documents and lists alike', () => {
    const list = `- ${plan('a').trimEnd().replaceAll('\n', '\n  ')}\n`
    expect(parsePlanDocument(plan('a')).plans.map((each) => each.name)).toEqual(['a'])
    expect(parsePlanDocument(`${plan('a')}---\n${plan('b')}`).plans.map((each) => each.name)).toEqual(['a', 'b'])
    expect(parsePlanDocument(list).plans.map((each) => each.name)).toEqual(['a'])
    expect(parsePlanDocument('').problems).toEqual([])
  })

  it('says which field of which plan is wrong, and on which line', () => {
    const text = `${plan('a')}---\n${plan('b').replace('/srv/b', 'relative/path')}`
    const { plans, problems } = parsePlanDocument(text)
    expect(plans.map((each) => each.name)).toEqual(['a'])
    expect(problems).toEqual([
      { line: 11, where: 'plan 2, spec.push.source', message: 'a path is absolute or starts with ~/' },
    ])
  })

  it('shows a missing field at what should hold it, and refuses unknown ones', () => {
    const { problems } = parsePlanDocument(
      "name: a\nkind: tree\nselector: '*'\nspec: { push: { source: /a }, colour: red }\n",
    )
    expect(problems.map((problem) => [problem.line, problem.where])).toEqual([
      [4, 'plan 1, spec.push.target'],
      [4, 'plan 1, spec'],
    ])
  })

  it('gives a YAML mistake its line', () => {
    const { problems } = parsePlanDocument('name: a\nspec: { push: [\n')
    expect(problems[0]?.line).toBeGreaterThan(1)
    expect(parsePlanDocument('a: 1\na: 2\n').problems[0]?.line).toBe(2)
  })

  it('survives aliases that lead nowhere or to too much', () => {
    const bomb = `a: &a [x, x, x, x, x, x, x, x, x]\n${'bcdefg'
      .split('')
      .map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdef'[index]}`).join(', ')}]`)
      .join('\n')}\n`
    expect(parsePlanDocument(bomb)).toMatchObject({ plans: [], problems: [{ line: null }] })
    expect(parsePlanDocument('name: *nowhere\n').plans).toEqual([])
    expect(parsePlanDocument('name: *nowhere\n').problems.length).toBeGreaterThan(0)
  })

  it('refuses two plans of one name', () => {
    expect(parsePlanDocument(`${plan('a')}---\n${plan('a')}`).problems[0]?.message).toContain('same name')
  })

  it('writes what it reads, and sees that nothing has changed', () => {
    const [input] = parsePlanDocument(newPlanDocument).plans
    expect(input).toBeDefined()
    if (input === undefined) return
    const [again] = parsePlanDocument(formatPlanDocument([input])).plans
    expect(again).toEqual(input)
    const existing = { ...input, revision: 3 } as unknown as Plan
    expect(effectOf(input, undefined)).toBe('new')
    expect(effectOf(input, existing)).toBe('unchanged')
    expect(effectOf({ ...input, selector: 'kind:laptop' }, existing)).toBe('changed')
  })
})
