import { describe, expect, it } from 'vitest'
import { findDeepLink, parseDeepLink } from './deepLinks.ts'

const id = '01890a5d-ac96-774b-bcce-b302099a8057'

describe('parseDeepLink', () => {
  it('knows a run, a node and the views', () => {
    expect(parseDeepLink(`lockstep://runs/${id}`)).toBe(`#/runs/${id}`)
    expect(parseDeepLink(`lockstep://nodes/${id}`)).toBe(`#/fleet?node=${id}`)
    expect(parseDeepLink('lockstep://certificates')).toBe('#/certificates')
    expect(parseDeepLink('lockstep://fleet/')).toBe('#/fleet')
  })

  it.each([
    'https://runs/x',
    'lockstep:runs',
    'lockstep://runs/not-an-id',
    `lockstep://runs/${id}/more`,
    `lockstep://runs/${id}?x=1`,
    `lockstep://runs/${id}#x`,
    `lockstep://user@runs/${id}`,
    `lockstep://runs:80/${id}`,
    `lockstep://certificates/${id}`,
    'lockstep://javascript:alert(1)',
    'lockstep://../../etc/passwd',
    `lockstep://${'a'.repeat(600)}`,
    '',
  ])('takes nothing else: %s', (link) => {
    expect(parseDeepLink(link)).toBeNull()
  })

  it('is found among the arguments of a second instance', () => {
    expect(findDeepLink(['/usr/bin/lockstep', '--flag', `lockstep://runs/${id}`])).toBe(`#/runs/${id}`)
    expect(findDeepLink(['/usr/bin/lockstep', '--flag'])).toBeNull()
  })
})
