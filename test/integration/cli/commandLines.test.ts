import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { buildProgram } from '../../../src/cli/program.ts'

const root = join(import.meta.dirname, '../../..')

function filesBelow(directory: string, ending: RegExp): string[] {
  return readdirSync(join(root, directory), { recursive: true, encoding: 'utf8' })
    .filter((name) => ending.test(name) && !/\.test\.tsx?$/.test(name))
    .map((name) => join(root, directory, name))
}

/** The text from after the quote at `start` to its partner; `${…}` may hold templates of its own. */
function literalFrom(source: string, start: number): string {
  const quote = source[start]
  const open: string[] = []
  for (let at = start + 1; at < source.length; at += 1) {
    const two = source.slice(at, at + 2)
    if (two[0] === '\\') at += 1
    else if (two === '${' && (open.at(-1) ?? quote) === '`') open.push('}')
    else if (open.at(-1) === '}' && two[0] === '}') open.pop()
    else if (open.at(-1) === '}' && two[0] === '`') open.push('`')
    else if (open.at(-1) === '`' && two[0] === '`') open.pop()
    else if (open.length === 0 && two[0] === quote) return source.slice(start + 1, at)
  }
  throw new Error('a literal is never closed')
}

/** What may stand in a `${…}` of a command, with a value it could have. A new one has to be thought of here. */
const values: readonly (readonly [RegExp, string])[] = [
  [/isFinal/, ' --follow'],
  [/^logOptions\(/, " --standing live --purpose host --search 'a b'"],
  [/^storageOptions\(/, " --user sync --principal sync-agent --console 'tried in March'"],
  [/^serials/, '4711 4712'],
  [/--all.*--filter/, "--filter 'kind:vps and not label.stage:test'"],
  [/--name/, " --name 'a b'"],
  [/^planOptions\(/, " --plan 'a b' --plan c"],
  [/^refOptions\(/, "--branch 'a b'"],
  [/^force \?/, ' --force'],
  [/^hash$/, 'a'.repeat(64)],
  [/^days ===/, ' --expires 90d'],
  [/^lifetimeArgument\(/, '8h'],
  [/^address$/, '10.0.0.5'],
  [/^port$/, '8443'],
  [/--node/, "--node 'a b' --node c"],
  [/\.map\(|^names\(/, "'it'\\''s' c"],
  [/run\.id|rollout\.id/, '01a1fc86-b60f-722c-a286-6617f32292ae'],
  [/reason/, 'mass-delete'],
  [/demoNodeCount/, '12'],
  [/demoAgentName/, 'demo-agent-01'],
  [/\? 'on' : 'off'/, 'off'],
  [/fingerprint/, 'SHA256:abc/def+ghi'],
  [/^shellQuote\(/, "'it'\\''s'"],
  [/^registry$/, 'services'],
  [/^format$|^format === 'json'/, 'yaml'],
  [/^from$/, '3'],
  [/^to$|^number$/, '4'],
  [/^guide$/, 'node-stays-pending'],
  [/^maxParallel/, 'auto'],
  [/^id$/, '01a1fc86-b60f-722c-a286-6617f32292ae'],
  [/^portion\(/, '10%'],
  [/^node === undefined/, " 'it'\\''s'"],
]

function filledIn(literal: string): string {
  let text = ''
  for (let at = 0; at < literal.length; ) {
    const next = literal.indexOf('${', at)
    if (next === -1) return text + literal.slice(at)
    const end = endOfExpression(literal, next + 2)
    const expression = literal.slice(next + 2, end)
    const value = values.find(([pattern]) => pattern.test(expression))?.[1]
    if (value === undefined) throw new Error(`what could stand for \${${expression}}? Add it to this test.`)
    text += literal.slice(at, next) + value
    at = end + 1
  }
  return text
}

function endOfExpression(text: string, start: number): number {
  let depth = 1
  for (let at = start; at < text.length; at += 1) {
    if (text[at] === '{') depth += 1
    if (text[at] === '}') depth -= 1
    if (depth === 0) return at
  }
  throw new Error('an expression is never closed')
}

/** Commands that the console shows beside its buttons. */
function shownCommands(): string[] {
  return filesBelow('src/renderer', /\.tsx?$/).flatMap((file) => {
    const source = readFileSync(file, 'utf8')
    const literals = [...source.matchAll(/[`"']lockstep (?=[a-z])/g)].map(({ index }) =>
      filledIn(literalFrom(source, index)),
    )
    const prose = [...source.matchAll(/: (lockstep [a-z][^\n<"'`]*)/g)].map(([, command = '']) => command)
    return [...literals, ...prose]
  })
}

/** Commands that messages tell a person to type. */
function advisedCommands(): string[] {
  return ['src/core', 'src/engine', 'src/daemon', 'src/demo', 'src/platform'].flatMap((directory) =>
    filesBelow(directory, /\.ts$/).flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/(?:"|<code>)(lockstep [a-z][^"$<]*)(?:"|<)/g)].map(
        ([, command = '']) => command,
      ),
    ),
  )
}

/** Commands in the guides: inline code and lines of code blocks. */
function documentedCommands(): string[] {
  return [join(root, 'README.md'), ...filesBelow('docs', /\.md$/)].flatMap((file) => {
    const text = readFileSync(file, 'utf8').replace(/\\\n\s*/g, ' ')
    const inline = [...text.matchAll(/`(?:bin\/)?(lockstep [a-z][^`\n]*)`/g)].map(([, command = '']) => command)
    const lines = [...text.matchAll(/^(?: {2,})?(?:bin\/)?(lockstep [a-z][^\n]*)$/gm)].map(
      ([, command = '']) => command,
    )
    return [...inline, ...lines]
  })
}

const nowhere = mkdtempSync(join(tmpdir(), 'ls-words-'))
afterAll(() => rmSync(nowhere, { recursive: true, force: true }))

/** Words as a POSIX shell makes them. */
function shellWords(command: string): string[] {
  const script = `set -- ${command.replace(/^lockstep /, '').replaceAll('\n', ' ')}\nprintf '%s\\0' "$@"`
  // Guides show commands whose output goes into a file: it appears where the shell stands.
  return execFileSync('sh', ['-c', script], { encoding: 'utf8', cwd: nowhere }).split('\0').slice(0, -1)
}

async function isUnderstood(command: string): Promise<boolean> {
  let reached = false
  const program = buildProgram('0.0.0', async () => {
    reached = true
  })
  await program.parseAsync(shellWords(command), { from: 'user' })
  return reached
}

describe('every command that is shown somewhere is one', () => {
  it.each([...new Set(shownCommands())])('the console shows: %s', async (command) => {
    expect(await isUnderstood(command)).toBe(true)
  })

  it.each([...new Set(advisedCommands())])('a message advises: %s', async (command) => {
    expect(await isUnderstood(command)).toBe(true)
  })

  it.each([...new Set(documentedCommands())])('a guide says: %s', async (command) => {
    expect(await isUnderstood(command)).toBe(true)
  })

  it('finds them at all', () => {
    expect(shownCommands().length).toBeGreaterThan(15)
    expect(shownCommands()).toContain("lockstep push 'it'\\''s' c --wait")
    expect(advisedCommands()).toContain('lockstep open-link')
  })

  it('does not take what is none', async () => {
    await expect(isUnderstood('lockstep nodes explode x')).rejects.toThrow('explode')
    await expect(isUnderstood('lockstep push x --no-such-option')).rejects.toThrow('no-such-option')
  })
})
