import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { skipReasons } from '../../../../src/core/scan/skipped.ts'
import { createSecretScanner } from '../../../../src/engine/repositories/scan/index.ts'
import { AppError } from '../../../../src/shared/errors.ts'
import { ScanSettings } from '../../../../src/shared/model/repository.ts'
import { waitFor } from '../../../support/waitFor.ts'
import { installGitleaks, type StandInBehaviour } from './gitleaksStandIn.ts'
import { plantedSecrets, randomText } from './planted.ts'

const ignoreFile = `.gitleaks${'ignore'}`
const configFile = '.gitleaks.toml'
const token = plantedSecrets().find(({ rule }) => rule === 'github-token')?.canary ?? ''
let place: string
let directory: string

beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'lockstep-gitleaks-'))
  directory = join(place, 'tree')
  await mkdir(directory)
  // Nothing but what a test installs: not even a real one.
  vi.stubEnv('PATH', `${join(place, 'bin')}:/bin`)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(place, { recursive: true })
})

const install = (behaviour: Partial<StandInBehaviour> = {}) =>
  installGitleaks(join(place, 'bin'), { generation: 'dir', ...behaviour })

async function put(file: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(join(directory, file)), { recursive: true })
  await writeFile(join(directory, file), content)
}

const privateDirectory = () => join(place, 'private')

function scan(wanted: Partial<ScanSettings> = {}, more: { files?: readonly string[]; signal?: AbortSignal } = {}) {
  const settings = ScanSettings.parse({ tool: 'gitleaks', ...wanted })
  return createSecretScanner({ privateDirectory: privateDirectory() }).scan({
    directory,
    files: null,
    settings,
    salt: 'salt',
    ...more,
  })
}

async function refused(work: Promise<unknown>): Promise<AppError> {
  const thrown = await work.then(
    () => new Error('nothing was thrown'),
    (error: unknown) => error,
  )
  if (!(thrown instanceof AppError)) throw thrown
  return thrown
}

describe('gitleaks', () => {
  it.each([
    { generation: 'dir', withoutFlags: false },
    { generation: 'detect', withoutFlags: false },
    { generation: 'detect', withoutFlags: true },
  ] as const)(
    'S2.17 S2.24 U40 searches with $generation, and is not told by the tree to look away',
    async (behaviour) => {
      const calls = await install(behaviour)
      await put('deep/a.txt', `one\nX=${token}  # gitleaks${':allow'}\n`)
      await put('b.txt', `${token}\n`)
      await put(ignoreFile, 'b.txt:github-pat:1\n')
      await put(configFile, 'matches nothing at all')
      await put('picture.png', Buffer.from([0, 1, 2, 0]))
      const outcome = await scan()
      expect(outcome.findings.map(({ file, line, rule }) => ({ file, line, rule }))).toEqual(
        expect.arrayContaining([
          { file: 'b.txt', line: 1, rule: 'gitleaks/github-pat' },
          { file: 'deep/a.txt', line: 2, rule: 'gitleaks/github-pat' },
        ]),
      )
      expect(outcome.findings).toHaveLength(2)
      expect(outcome.ignoredDirectives).toEqual([
        { file: configFile, line: 1 },
        { file: ignoreFile, line: 1 },
        { file: 'deep/a.txt', line: 2 },
      ])
      expect(outcome.skipped).toEqual([{ file: 'picture.png', reason: skipReasons.binary }])
      expect(inspect(outcome, { depth: 9 })).not.toContain(token)
      const search = (await calls()).at(-1)
      expect(search?.args).toContain('--redact')
      expect(JSON.stringify(search)).not.toContain(token)
      expect(search?.cwd.startsWith(privateDirectory())).toBe(true)
      // The copy is gone with the search.
      expect(await readdir(privateDirectory())).toEqual([])
      expect((await stat(privateDirectory())).mode & 0o777).toBe(0o700)
    },
  )

  it('U40 has hashes that stay when lines move, and change with the line and the salt', async () => {
    await install()
    await put('a.txt', `X=${token}\n`)
    const [first] = (await scan()).findings
    await put('a.txt', `\n\n  X=${token}\n`)
    expect((await scan()).findings).toEqual([{ ...first, line: 3 }])
    await put('a.txt', `X=${token.slice(0, -1)}_\nX=gh${'p_'}${randomText(36, 'another')}\n`)
    expect((await scan()).findings[0]?.hash).not.toBe(first?.hash)
  })

  it('S2.25 hands on the configuration, and searches again when it changes', async () => {
    const calls = await install()
    const configPath = join(place, 'own.toml')
    await writeFile(configPath, 'inventory-[0-9]+')
    await put('a.txt', `${token}\ninventory-17\n`)
    const outcome = await scan({ configPath })
    expect(outcome.findings).toMatchObject([{ file: 'a.txt', line: 2 }])
    expect((await calls()).at(-1)?.args).toContain(`--config=${configPath}`)
    const settings = ScanSettings.parse({ tool: 'gitleaks', configPath })
    const scanner = createSecretScanner({ privateDirectory: privateDirectory() })
    expect(outcome.tool).toMatch(/^gitleaks 8\.28\.0, rules [0-9a-f]{12}, lockstep rules \d+$/)
    expect(await scanner.describe(settings)).toBe(outcome.tool)
    await writeFile(configPath, 'inventory-[0-9]{4}')
    expect(await scanner.describe(settings)).not.toBe(outcome.tool)
    await rm(configPath)
    const error = await refused(scan({ configPath }))
    expect(error).toMatchObject({ code: 'SCAN_FAILED' })
    expect(error.message).toContain(configPath)
  })

  it('S2.17 S2.33 what is no text is searched here, since gitleaks does not look into it', async () => {
    await install()
    await put('image.bin', Buffer.concat([Buffer.alloc(100), Buffer.from(`\n${token}\0`)]))
    const outcome = await scan()
    expect(outcome.findings).toMatchObject([{ file: 'image.bin', line: 2, rule: 'github-token' }])
    expect(inspect(outcome, { depth: 9 })).not.toContain(token)
  })

  it('S2.24 both: what either of them finds', async () => {
    await install()
    const keyId = plantedSecrets().find(({ rule }) => rule === 'aws-access-key-id')
    await put('a.txt', `${token}\n`)
    await put('aws.env', keyId?.text ?? '')
    const outcome = await scan({ tool: 'both' })
    expect(outcome.findings.map(({ rule }) => rule).sort()).toEqual([
      'aws-access-key-id',
      'github-token',
      'gitleaks/github-pat',
    ])
    expect(outcome.tool).toMatch(/^lockstep rules \d+, secretlint [\d.]+, gitleaks 8\.28\.0$/)
  })

  it('S2.33 is given only the files that changed, by readable names', async () => {
    await install()
    await put('old.txt', `${token}\n`)
    const wide = Buffer.from(`\ufeff${token}\n`, 'utf16le')
    await put('new.txt', wide)
    const byte = Buffer.concat([Buffer.from(`${directory}/`), Buffer.from([0xe9]), Buffer.from('.txt')])
    await writeFile(byte, `${token}\n`)
    const outcome = await scan({}, { files: ['new.txt', '\ufffd.txt'] })
    expect(outcome.findings.map(({ file }) => file).sort()).toEqual(['new.txt', '\ufffd.txt'])
    expect(outcome.filesScanned).toBe(2)
  })

  it('S2.24 says how to get it, or to do without it, when it is not there', async () => {
    await put('a.txt', `${token}\n`)
    const settings = ScanSettings.parse({ tool: 'gitleaks' })
    for (const error of [
      await refused(scan()),
      await refused(scan({ tool: 'both' })),
      await refused(createSecretScanner({ privateDirectory: privateDirectory() }).describe(settings)),
    ]) {
      expect(error).toMatchObject({ code: 'PROGRAM_MISSING' })
      expect(error.message).toContain('https://github.com/gitleaks/gitleaks')
      expect(error.message).toContain('"builtin"')
    }
  })

  it.each([
    { fails: true },
    { report: '[]' },
    { report: '{"leaks": 3}' },
    { report: '[{"RuleID": "x"' },
    { report: JSON.stringify([{ RuleID: 'x', File: '../report.json', StartLine: 1, EndLine: 1 }]) },
    { report: JSON.stringify([{ RuleID: 'x', File: '/etc/passwd', StartLine: 1, EndLine: 1 }]) },
    { report: JSON.stringify([{ RuleID: 'x', File: 'unknown.txt', StartLine: 1, EndLine: 1 }]) },
    { report: `[${' '.repeat(33 * 1024 * 1024)}]` },
  ])('S2.26 S2.33 is no clean search when it fails or says nothing that is understood: %#', async (behaviour) => {
    await install(behaviour)
    await put('a.txt', `${token}\n`)
    const error = await refused(scan())
    expect(error).toMatchObject({ code: 'SCAN_FAILED' })
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(token)
    expect(await readdir(privateDirectory())).toEqual([])
  })

  it('S2.17 ends with whoever asked for it', async () => {
    const calls = await install({ hangs: true })
    await put('a.txt', `${token}\n`)
    const controller = new AbortController()
    const running = refused(scan({}, { signal: controller.signal }))
    await waitFor('gitleaks to search', async () => (await calls()).some(({ args }) => args[0] === 'dir'))
    controller.abort()
    expect(await running).toMatchObject({ code: 'CANCELED' })
    expect(await readdir(privateDirectory())).toEqual([])
  })

  it('S2.17 removes copies that a crash left behind', async () => {
    await install()
    await mkdir(join(privateDirectory(), 'scan-left', 'tree'), { recursive: true })
    await writeFile(join(privateDirectory(), 'scan-left', 'tree', 'a.txt'), token)
    await scan()
    expect(await readdir(privateDirectory())).toEqual([])
  })
})
