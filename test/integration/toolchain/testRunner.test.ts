import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Outcome, openWorkshop, projectRoot } from './workshop.ts'

interface Counted {
  readonly passed: number
  readonly failed: number
  readonly skipped: readonly { readonly name: string; readonly reason: string }[]
}

const testFiles = {
  'plain.test.ts': `
    import { expect, it } from 'vitest'
    it('passes', () => {})
    it('fails', () => expect(1).toBe(2))
    it('is skipped', (context) => context.skip('no such tool here'))`,
  'brokenImport.test.ts': `import './doesNotExist.ts'`,
  'leakedProgram.test.ts': `
    import { spawn } from 'node:child_process'
    import { it } from 'vitest'
    it('starts a program that outlives it', () => { spawn('sleep', ['120'], { detached: true, stdio: 'ignore' }).unref() })`,
  'leakedSocket.test.ts': `
    import { createServer } from 'node:net'
    import { it } from 'vitest'
    it('listens on', () => new Promise((resolve) => createServer().listen(process.env.SOCKET, () => resolve())))`,
}

const workshop = openWorkshop()
const reportFile = join(workshop.folder, 'report.json')
let outcome: Outcome
let report: Counted

beforeAll(() => {
  for (const [file, content] of Object.entries(testFiles)) workshop.write(file, content)
  const setup = JSON.stringify(join(projectRoot, 'test/support/leaks.ts'))
  workshop.write('vitest.config.ts', `export default { test: { setupFiles: ${setup} } }`)
  const reporter = join(projectRoot, 'scripts/lib/countingReporter.mjs')
  const args = ['run', '--root', workshop.folder, '--reporter=default', `--reporter=${reporter}`]
  const env = { LOCKSTEP_TEST_REPORT: reportFile, SOCKET: join(workshop.folder, 'left.sock') }
  outcome = workshop.node('node_modules/vitest/vitest.mjs', args, env)
  report = JSON.parse(readFileSync(reportFile, 'utf8'))
})

afterAll(() => workshop.dispose())

describe('what npm test counts', () => {
  it('counts a broken file and each leaking file as a failure beside failed tests', () => {
    expect(report).toMatchObject({ passed: 3, failed: 4 })
    expect(outcome.status).toBe(1)
  })

  it('prints the reason of a skip', () => {
    expect(report.skipped).toEqual([{ name: 'plain.test.ts > is skipped', reason: 'no such tool here' }])
  })

  it('names the program and the socket that were left behind', () => {
    expect(outcome.output).toMatch(/left behind: process \d+ \(sleep 120\)/)
    expect(outcome.output).toContain('left behind: 1 listening socket(s)')
  })

  it('fails a stage in which no test was executed', () => {
    const nothing = workshop.node('scripts/test.mjs', ['unit', '--', 'no/such/file'])
    expect(nothing.stdout.trimEnd().split('\n').at(-1)).toBe('0 passed, 1 failed')
    expect(nothing.status).toBe(1)
  })
})

describe('what npm start refuses', () => {
  it.each([
    [['--nodes', '0', '--demo'], '--nodes must be a whole number from 1 to 1000, not "0"'],
    [['--port=99999'], '--port must be a whole number from 1 to 65535, not "99999"'],
    [['--nodes', '5'], '--nodes only makes sense with --demo'],
    [['--home'], '--home needs a value'],
    [['--fast'], 'unknown option "--fast"'],
  ])('%j', (args, message) => {
    const refused = workshop.node('scripts/start.mjs', args)
    expect(refused.output).toContain(message)
    expect(refused.status).toBe(2)
  })
})
