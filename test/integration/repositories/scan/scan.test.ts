import { mkdir, mkdtemp, readdir, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { skipReasons } from '../../../../src/core/scan/skipped.ts'
import { createSecretScanner, type SecretScannerDependencies } from '../../../../src/engine/repositories/scan/index.ts'
import { AppError } from '../../../../src/shared/errors.ts'
import { ScanReport, ScanSettings } from '../../../../src/shared/model/repository.ts'
import { type Planted, plantedSecrets, randomBytes, randomText } from './planted.ts'

const settings = ScanSettings.parse({})
let place: string
let directory: string

beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'lockstep-scan-'))
  directory = join(place, 'tree')
  await mkdir(directory)
})
afterEach(() => rm(place, { recursive: true }))

async function put(file: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(join(directory, file)), { recursive: true })
  await writeFile(join(directory, file), content)
}

const scanner = (more: Partial<SecretScannerDependencies> = {}) =>
  createSecretScanner({ privateDirectory: join(place, 'private'), ...more })
const scan = (files: readonly string[] | null = null, salt = 'salt') =>
  scanner().scan({ directory, files, settings, salt })
const failing = fileURLToPath(new URL('./failingWorker.ts', import.meta.url))

async function refused(work: Promise<unknown>): Promise<AppError> {
  const thrown = await work.then(
    () => new Error('nothing was thrown'),
    (error: unknown) => error,
  )
  if (!(thrown instanceof AppError)) throw thrown
  return thrown
}

/** Rules that need nothing around what they find. */
const evident = ['aws-access-key-id', 'private-key', 'github-token']

/** Everything that is said, as JSON and as a console would show it with causes. */
const everything = (value: unknown): string =>
  `${JSON.stringify(value)} ${inspect(value, { depth: 20, showHidden: true })}`

function expectNoneOf(planted: readonly Planted[], said: unknown): void {
  for (const { canary } of planted) {
    expect(canary.length).toBeGreaterThan(15)
    expect(everything(said)).not.toContain(canary)
  }
}

describe('the scanner of this process', () => {
  it('S2.17 S2.33 finds each planted kind by rule, file and line, and says no value anywhere', async () => {
    const planted = plantedSecrets()
    for (const { file, text } of planted) await put(file, text)
    await put('readme.md', 'Nothing to see here.\n')
    const outcome = await scan()
    expect(outcome).toMatchObject({ filesScanned: planted.length + 1, skipped: [], ignoredDirectives: [] })
    const found = outcome.findings.map(({ file, rule, line }) => ({ file, rule, line }))
    for (const { file, rule, line } of planted) expect(found).toContainEqual({ file, rule, line })
    expect(new Set(found.map(({ file }) => file))).toEqual(new Set(planted.map(({ file }) => file)))
    expectNoneOf(planted, outcome)
    const findings = outcome.findings.map((finding) => ({ ...finding, allowed: false }))
    expect(ScanReport.shape.findings.parse(findings)).toEqual(findings)
  })

  it('S2.24 says what searched, with versions, before and after', async () => {
    const described = await scanner().describe(settings)
    expect(described).toMatch(/^lockstep rules \d+, secretlint \d+\.\d+\.\d+$/)
    expect((await scan()).tool).toBe(described)
  })

  it('U40 keeps the hash of a finding that moved, and changes it with salt, file and value', async () => {
    const planted = plantedSecrets()
    const token = planted.find(({ rule }) => rule === 'github-token')
    const text = token?.text ?? ''
    await put('one.md', text)
    const first = (await scan()).findings[0]
    await put('one.md', `\n\n\n${text}`)
    await put('two.md', text)
    await put(
      'three.md',
      text
        .replace('gh', 'Gh')
        .replace('Gh', 'gh')
        .replace(/.(?= to push)/, '7'),
    )
    const moved = (await scan()).findings
    expect(moved.find(({ file }) => file === 'one.md')).toEqual({ ...first, line: 4 })
    const salted = (await scan(null, 'another')).findings
    const hashes = [...moved, ...salted].map(({ hash }) => hash)
    expect(new Set(hashes).size).toBe(6)
    expect(hashes).toContain(first?.hash)
  })

  it('S2.33 looks only into the files that changed when it is told which, also below directories', async () => {
    for (const { file, text } of plantedSecrets()) await put(file, text)
    const outcome = await scan(['keys/rsa', 'deep', 'gone.txt'])
    expect(outcome.findings.map(({ file }) => file)).toEqual(['keys/rsa', 'deep/er/token.txt'])
    expect(outcome.filesScanned).toBe(2)
    expect(outcome.skipped).toEqual([{ file: 'gone.txt', reason: 'not in the tree' }])
    expect((await scan([])).filesScanned).toBe(0)
    expect((await scan(['deep', 'deep/er/token.txt'])).findings).toHaveLength(1)
  })

  it.each(['../secret', '/etc/passwd', 'a//b', './a', 'a/../../b', ''])('S2.17 refuses the path %j', async (file) => {
    expect(await refused(scan([file]))).toMatchObject({ code: 'SCAN_FAILED', data: { file } })
  })

  it('S2.17 follows no symbolic link and says so', async () => {
    const [planted] = plantedSecrets()
    await writeFile(join(place, 'outside'), planted?.text ?? '')
    await mkdir(join(place, 'elsewhere'))
    await writeFile(join(place, 'elsewhere', 'file'), planted?.text ?? '')
    await symlink('../outside', join(directory, 'link'))
    await symlink('../elsewhere', join(directory, 'folder'))
    const reason = 'a symbolic link, not followed'
    const skipped = [
      { file: 'folder', reason },
      { file: 'link', reason },
    ]
    expect(await scan()).toMatchObject({ findings: [], filesScanned: 0, skipped })
    expect(await scan(['link', 'folder/file'])).toMatchObject({
      findings: [],
      skipped: [
        { file: 'link', reason },
        { file: 'folder/file', reason: `below ${reason}` },
      ],
    })
  })

  it('S2.17 reads UTF-16 with and without a mark, and text with a few zero bytes', async () => {
    const text = plantedSecrets()[0]?.text ?? ''
    const little = Buffer.from(text, 'utf16le')
    await put('little.reg', Buffer.concat([Buffer.from([0xff, 0xfe]), little]))
    await put('big.txt', Buffer.concat([Buffer.from([0xfe, 0xff]), Buffer.from(little).swap16()]))
    await put('unmarked.txt', little)
    await put('marked.txt', `\ufeff${text}`)
    await put('latin1.txt', Buffer.from(`caf\xe9 \xff\n${text}`, 'latin1'))
    // Known to secretlint alone: found only in what is taken for a text.
    const mail = `SG${'.'}${randomText(22, 'mail')}.${randomText(43, 'mail')}`
    await put('one-zero.env', `A=1\0\nMAIL_KEY=${mail}\n`)
    await put('process.env', `HOME=/home/somebody\0LANG=C.UTF-8\0MAIL_KEY=${mail}\0SHELL=/bin/sh\0`)
    const outcome = await scan()
    expect(outcome.findings.map(({ file, line }) => `${file}:${line}`)).toEqual([
      'big.txt:2',
      'latin1.txt:3',
      'little.reg:2',
      'marked.txt:2',
      'one-zero.env:2',
      'process.env:1',
      'unmarked.txt:2',
    ])
    expect(outcome.skipped).toEqual([])
    expect(outcome.filesScanned).toBe(7)
  })

  it('S2.17 S2.33 searches files that are no text for keys and tokens, and says that it was no more', async () => {
    const planted = plantedSecrets().filter(({ rule }) => evident.includes(rule))
    expect(planted.map(({ rule }) => rule).sort()).toEqual([...evident, 'private-key'].sort())
    const binary = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1, 2, 0, 0, 7, 0xff, 0xfe, 0x0a])
    for (const { file, text } of planted)
      await put(file, Buffer.concat([binary, Buffer.alloc(9_000), Buffer.from(`\0${text}\0`), binary]))
    await put('picture.png', randomBytes(100_000, 'picture'))
    const outcome = await scan()
    const found = outcome.findings.map(({ file, rule, line }) => ({ file, rule, line }))
    expect(found).toHaveLength(planted.length)
    for (const { file, rule, line } of planted) expect(found).toContainEqual({ file, rule, line: line + 1 })
    expect(new Set(outcome.skipped.map(({ reason }) => reason))).toEqual(new Set([skipReasons.binary]))
    expect(outcome.skipped).toHaveLength(planted.length + 1)
    expect(outcome.filesScanned).toBe(planted.length + 1)
    expectNoneOf(planted, outcome)
  })

  it('S2.17 S2.33 searches large files in pieces: what stands over the end of one is found once, with its line', async () => {
    const mebibyte = 1024 * 1024
    const planted = plantedSecrets()
    const key = planted.find(({ file }) => file === 'keys/rsa')
    const token = planted.find(({ rule }) => rule === 'github-token')
    if (key === undefined || token === undefined) throw new Error('nothing is planted')
    const lines = (bytes: number): string => `${'x'.repeat(63)}\n`.repeat(bytes / 64)
    // Over the ends of the first two pieces of 4 MiB, and at the very end.
    const text = `${lines(4 * mebibyte - 64)}${key.text}${lines(4 * mebibyte)}`
    const cut = text.slice(0, 8 * mebibyte - 20)
    const rows = cut.split('\n').length
    await put('dump.sql', `${cut}\n${token.text}${lines(mebibyte)}${key.canary}\n${token.text}`)
    await put('wide.txt', Buffer.from(`\ufeff${cut}\n${token.text}`, 'utf16le'))
    await put('small.txt', token.text)
    await put('hole.img', '')
    await truncate(join(directory, 'hole.img'), 200 * mebibyte)
    const outcome = await scan()
    const found = outcome.findings.map(({ file, rule, line }) => `${file}:${line} ${rule}`)
    expect(found).toEqual([
      `dump.sql:${(4 * mebibyte) / 64} private-key`,
      `dump.sql:${rows + 1} github-token`,
      `dump.sql:${rows + 3 + mebibyte / 64} github-token`,
      'small.txt:1 github-token',
      `wide.txt:${(4 * mebibyte) / 64} private-key`,
      `wide.txt:${rows + 1} github-token`,
    ])
    // As in a file that is searched as a whole: an allowed finding stays allowed when the file grows.
    await put('dump.sql', `${key.text}${token.text}`)
    const whole = (await scan(['dump.sql'])).findings
    expect(whole.map(({ hash }) => hash)).toEqual(outcome.findings.slice(0, 2).map(({ hash }) => hash))
    expect(outcome.skipped).toEqual([
      { file: 'dump.sql', reason: skipReasons.largeText },
      { file: 'hole.img', reason: skipReasons.largeText },
      { file: 'wide.txt', reason: skipReasons.largeText },
    ])
    expectNoneOf([key, token], outcome)
  }, 60_000)

  it('S2.26 names first what is too large to be searched at all, however much else is listed', async () => {
    for (let index = 0; index < 1_200; index += 1) await symlink('elsewhere', join(directory, `link${index}`))
    await put('zz.img', '')
    await truncate(join(directory, 'zz.img'), 200 * 1024 * 1024 + 1)
    const outcome = await scan()
    expect(outcome.skipped[0]).toEqual({ file: 'zz.img', reason: skipReasons.tooLarge })
    expect(outcome.skipped.length).toBeLessThanOrEqual(1_000)
    expect(outcome.skipped.at(-1)).toEqual({ file: '301 more', reason: skipReasons.symbolicLink })
    expect(outcome.filesScanned).toBe(0)
  })

  it.runIf(process.platform === 'linux')('S2.17 finds files whose names are no UTF-8, walked and named', async () => {
    const text = plantedSecrets()[0]?.text ?? ''
    const folder = Buffer.concat([Buffer.from(`${directory}/caf`), Buffer.from([0xe9])])
    await mkdir(folder)
    for (const byte of [0xe8, 0xea])
      await writeFile(Buffer.concat([folder, Buffer.from('/'), Buffer.from([byte])]), text)
    const walked = await scan()
    expect(walked.findings.map(({ file }) => file)).toEqual(['caf\ufffd/\ufffd', 'caf\ufffd/\ufffd'])
    // One name as git's list has it stands for both.
    expect((await scan(['caf\ufffd/\ufffd'])).findings).toEqual(walked.findings)
  })

  it('U40 obeys no comment that asks it to look away, and reports it', async () => {
    const token = plantedSecrets().find(({ rule }) => rule === 'github-token')?.canary ?? ''
    // Known to secretlint alone, which obeys such comments as a rule.
    const mail = `SG${'.'}${randomText(22, 'mail')}.${randomText(43, 'mail')}`
    const slack = `xoxb${'-'}2345678901-2345678901234-${randomText(24, 'slack')}`
    await put('a.ts', `// secretlint${'-disable'}\nconst key = '${mail}'\n// secretlint${'-disable-line'}\n`)
    await put('b.py', `t = "${slack}"  # pragma: allow${'list'} secret\n`)
    await put('c.sh', `X=${token} # gitleaks${':allow'}\n`)
    await put(`.gitleaks${'ignore'}`, 'c.sh:github-pat:1\n')
    const outcome = await scan()
    expect(outcome.findings.map(({ file, line }) => `${file}:${line}`)).toEqual(['a.ts:2', 'b.py:1', 'c.sh:1'])
    expect(outcome.ignoredDirectives).toEqual([
      { file: `.gitleaks${'ignore'}`, line: 1 },
      { file: 'a.ts', line: 1 },
      { file: 'a.ts', line: 3 },
      { file: 'b.py', line: 1 },
      { file: 'c.sh', line: 1 },
    ])
  })

  it('S2.17 finds what only secretlint knows', async () => {
    await put('mail.env', `KEY=SG${'.'}${randomText(22, 'mail')}.${randomText(43, 'mail')}\n`)
    const { findings } = await scan()
    expect(findings).toMatchObject([{ rule: 'secretlint/sendgrid', file: 'mail.env', line: 1 }])
    expect(findings[0]?.message).not.toContain(randomText(22, 'mail'))
  })

  it('U40 takes no placeholder for a token', async () => {
    const lines = [
      `gh${'p_'}${'x'.repeat(36)}`,
      `glpat${'-'}your-own-token-goes-here`,
      `xoxb${'-'}1234-${'x'.repeat(24)}`,
    ]
    const hook = `https://hooks.slack${'.com'}/services/T00000000/B00000000/${'X'.repeat(24)}`
    await put(
      'guide.md',
      [...lines, hook, `_auth${'Token'}=<token>`, 'npm_config_electron_use_remote_checksums'].join('\n'),
    )
    expect((await scan()).findings).toEqual([])
  })

  it('S2.17 searches long lines and large files to their end', async () => {
    const slack = `https://hooks.slack${'.com'}/services/T0AB1CD2E/B0AB1CD2E/${randomText(24, 'hook')}`
    const mail = `SG${'.'}${randomText(22, 'mail')}.${randomText(43, 'mail')}`
    const filler = 'var a=1;'.repeat(64 * 1024)
    await put('bundle.js', `${filler}"${mail}";${filler}${filler}"${slack}"`)
    expect((await scan()).findings.map(({ rule }) => rule).sort()).toEqual(['secretlint/sendgrid', 'slack-webhook'])
  })
})

describe('ordinary files', () => {
  const root = fileURLToPath(new URL('../../../../', import.meta.url))

  it.each(['src', 'docs', 'scripts', 'resources', 'bench', 'e2e'])(
    'U40 of this project are clean: %s',
    async (folder) => {
      const outcome = await scanner().scan({ directory: join(root, folder), files: null, settings, salt: 'salt' })
      expect(outcome.filesScanned).toBeGreaterThan(0)
      // Tests write out logins that are none.
      expect(outcome.findings.filter(({ file }) => !/\.test\.tsx?$/.test(file))).toEqual([])
    },
  )
})

describe('a scan that fails', () => {
  const broken = (fileLimitMs: number) =>
    scanner({ workerProgram: failing, fileLimitMs }).scan({ directory, files: null, settings, salt: 'salt' })

  it.each([
    ['throws.txt', 'TypeError'],
    ['throws-later.txt', 'Error'],
    ['ends.txt', 'the search ended before its time'],
    ['eats.txt', 'ERR_WORKER_OUT_OF_MEMORY'],
    ['stands.txt', 'it takes longer than 1.5 s'],
  ])('S2.33 S2.26 is no clean one: %s', async (file, reason) => {
    const planted = plantedSecrets()
    await put('before.txt', 'nothing\n')
    await put(file, planted.map(({ canary }) => canary).join(' '))
    const error = await refused(broken(file === 'stands.txt' ? 1_500 : 45_000))
    expect(error).toMatchObject({ code: 'SCAN_FAILED', data: { file, reason } })
    expect(error.message).toContain(file)
    expectNoneOf(planted, [error, error.cause, error.stack, error.toBody()])
  })

  it.runIf(process.getuid?.() !== 0)('S2.17 names a file that cannot be read', async () => {
    await put('closed.txt', 'nothing\n')
    const { chmod } = await import('node:fs/promises')
    await chmod(join(directory, 'closed.txt'), 0)
    expect(await refused(scan())).toMatchObject({ code: 'SCAN_FAILED', data: { file: 'closed.txt', reason: 'EACCES' } })
  })

  it('S2.17 says when the directory is not there', async () => {
    const error = await refused(scanner().scan({ directory: join(place, 'none'), files: null, settings, salt: 'salt' }))
    expect(error).toMatchObject({ code: 'SCAN_FAILED', data: { file: '.', reason: 'ENOENT' } })
  })

  it('S2.17 ends when it is canceled, before and in the middle of a file', async () => {
    await put('stands.txt', 'nothing\n')
    const controller = new AbortController()
    const patient = scanner({ workerProgram: failing })
    const running = refused(patient.scan({ directory, files: null, settings, salt: 'salt', signal: controller.signal }))
    setImmediate(() => controller.abort(new Error('no longer wanted')))
    expect(await running).toMatchObject({ code: 'CANCELED' })
    const signal = AbortSignal.abort()
    expect(await refused(patient.scan({ directory, files: null, settings, salt: 'salt', signal }))).toMatchObject({
      code: 'CANCELED',
    })
    // Its thread is gone: the same scanner goes on to search others.
    await rm(join(directory, 'stands.txt'))
    expect((await patient.scan({ directory, files: null, settings, salt: 'salt' })).filesScanned).toBe(0)
  })
})

describe('a large tree', () => {
  it('S2.17 S2.33 searches 10,000 files while the engine goes on', async () => {
    const planted = plantedSecrets()
    const line = 'export const value = { name: "some ordinary line of a program", count: 12 }\n'
    for (let folder = 0; folder < 100; folder += 1) {
      const parent = join(directory, `folder${folder}`)
      await mkdir(parent)
      await Promise.all(
        Array.from({ length: 100 }, (_value, index) =>
          writeFile(join(parent, `file${index}.ts`), line.repeat(1 + (index % 40))),
        ),
      )
    }
    for (const { file, text } of planted) await put(file, text)
    let turns = 0
    const timer = setInterval(() => {
      turns += 1
    }, 20)
    const outcome = await scan()
    clearInterval(timer)
    expect(outcome.filesScanned).toBe(10_000 + planted.length)
    expect(outcome.findings).toHaveLength(planted.length)
    // A search in this thread would have let none of them through.
    expect(turns).toBeGreaterThan(5)
    expect(await readdir(place)).toEqual(['tree'])
  }, 180_000)
})
