import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createLoginIdentities } from '../../../../src/engine/pki/loginIdentities.ts'
import { createStaticKeys } from '../../../../src/engine/pki/staticKeys.ts'
import { createOpenSshAccess, type ManagedOpenSshAccess } from '../../../../src/engine/ssh/openSshAccess.ts'
import { createLogging } from '../../../../src/platform/logger.ts'
import { freePort, sshdMissing, startSshd, type TestSshd } from '../../../support/sshd.ts'
import { createTrust, type TestTrust } from '../../../support/trust.ts'
import { type GitHttpsServer, startGitHttps } from './gitHttpsServer.ts'
import {
  commandLines,
  commitFiles,
  createMirrorRig,
  failureOf,
  git,
  type MirrorRig,
  type SomeSettings,
} from './mirrorRig.ts'

const canary = 'glpat-canary-7e55fa11'

/** Text of every file below, names included. */
function everything(directory: string): string {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => {
      const path = join(directory, name)
      return statSync(path).isFile() ? `${name}\n${readFileSync(path, 'latin1')}` : name
    })
    .join('\n')
}

describe('a token over https', () => {
  let rig: MirrorRig
  let server: GitHttpsServer
  let token: string | null
  let seen: string[]
  const redirect: { to: string | undefined } = { to: undefined }
  const lines: string[] = []
  const logging = createLogging({ level: 'trace', sinks: [(line) => lines.push(line)] })
  const authorityBefore = process.env.GIT_SSL_CAINFO

  beforeEach(async () => {
    token = canary
    seen = []
    redirect.to = undefined
    rig = await createMirrorRig({ tokenOf: async () => token, logger: logging.logger })
    const scratch = join(rig.directory, 'tls')
    await mkdir(scratch)
    server = await startGitHttps({
      root: rig.directory,
      directory: scratch,
      login: `git:${canary}`,
      onRequest: () => {
        seen.push(...commandLines())
        return redirect.to
      },
    })
    process.env.GIT_SSL_CAINFO = server.authority
  })
  afterEach(async () => {
    if (authorityBefore === undefined) delete process.env.GIT_SSL_CAINFO
    else process.env.GIT_SSL_CAINFO = authorityBefore
    await server.close()
    await rig.dispose()
  })

  const overHttps = (settings: SomeSettings = {}) =>
    rig.repository({ remote: `${server.url}/origin/.git`, login: { kind: 'token' }, ...settings })

  it('S2.11 fetches with it, and it is in no command line, no file, no output and no log', async () => {
    const output: string[] = []
    const options = { force: false, onOutput: (line: string) => void output.push(line) }
    const { heads } = await rig.mirrors.fetch(overHttps(), options)
    const commit = git(rig.origin, ['rev-parse', 'main'])
    expect(heads).toEqual({ main: commit })
    const snapshot = await rig.mirrors.snapshot(overHttps(), commit, { dotGit: true })
    expect(server.logins).toContain(`git:${canary}`)
    const running = seen.filter((line) => line.includes('remote-https'))
    expect(running.length).toBeGreaterThan(0)
    expect(seen.join('\n')).not.toContain(canary)
    expect(everything(rig.home)).not.toContain(canary)
    expect(everything(snapshot.directory)).not.toContain(canary)
    expect([...output, ...lines].join('\n')).not.toContain(canary)
    snapshot.release()
  })

  it('S2.11 a checkout that is cloned with it does not keep it', async () => {
    const checkout = join(rig.directory, 'checkout')
    await rig.mirrors.fetch(overHttps({ checkout: { kind: 'here', directory: checkout } }), { force: false })
    expect(git(checkout, ['remote', 'get-url', 'origin'])).toBe(`${server.url}/origin/.git`)
    expect(everything(checkout)).not.toContain(canary)
    expect(seen.join('\n')).not.toContain(canary)
  })

  it('S2.11 one that is refused says so, and not what it was', async () => {
    token = 'wrong-canary-22d1'
    const failure = await failureOf(rig.mirrors.fetch(overHttps(), { force: false }))
    expect(failure.code).toBe('REPOSITORY_REFUSED')
    expect(failure.message).toContain('token')
    expect(JSON.stringify(failure.toBody())).not.toContain('wrong-canary-22d1')
    expect(seen.join('\n')).not.toContain('wrong-canary-22d1')
  })

  it('S2.11 without one nobody is asked for a password', async () => {
    token = null
    expect((await failureOf(rig.mirrors.fetch(overHttps(), { force: false }))).code).toBe('REPOSITORY_REFUSED')
    const plain = overHttps({ login: { kind: 'none' } })
    const failure = await failureOf(rig.mirrors.fetch(plain, { force: false }))
    expect(failure.code).toBe('REPOSITORY_REFUSED')
    expect(failure.message).toContain('login')
  })

  it('S2.11 a redirect to another server does not get it', async () => {
    const scratch = join(rig.directory, 'tls2')
    await mkdir(scratch)
    const thief = await startGitHttps({ root: rig.directory, directory: scratch, login: 'never' })
    try {
      const both = join(rig.directory, 'both.pem')
      await writeFile(both, readFileSync(server.authority, 'utf8') + readFileSync(thief.authority, 'utf8'))
      process.env.GIT_SSL_CAINFO = both
      redirect.to = `${thief.url}/origin/.git/info/refs?service=git-upload-pack`
      const failure = await failureOf(rig.mirrors.fetch(overHttps(), { force: false }))
      expect(failure.code).toBe('REPOSITORY_REFUSED')
      expect(thief.logins).toEqual([])
    } finally {
      await thief.close()
    }
  })

  it('S2.11 a server whose certificate nobody here trusts is refused', async () => {
    delete process.env.GIT_SSL_CAINFO
    const failure = await failureOf(rig.mirrors.fetch(overHttps(), { force: false }))
    expect([failure.code, server.logins]).toEqual(['REPOSITORY_REFUSED', []])
    expect(failure.message).toContain('TLS')
  })

  it('S2.10 a repository that is not there, and a server that is away, can be told apart', async () => {
    const missing = overHttps({ remote: `${server.url}/nothing.git` })
    const there = await failureOf(rig.mirrors.fetch(missing, { force: false }))
    expect([there.code, there.retry]).toEqual(['REPOSITORY_UNREACHABLE', undefined])
    const port = await freePort()
    const away = await failureOf(
      rig.mirrors.fetch(overHttps({ remote: `https://127.0.0.1:${port}/x.git` }), { force: false }),
    )
    expect([away.code, away.retry?.kind]).toEqual(['REPOSITORY_UNREACHABLE', 'after'])
  })

  it('S2.11 a token does not fit a remote over ssh', async () => {
    const failure = await failureOf(rig.mirrors.fetch(overHttps({ remote: 'git@127.0.0.1:x.git' }), { force: false }))
    expect(failure.code).toBe('REPOSITORY_REFUSED')
  })
})

describe.skipIf(sshdMissing !== null)('logins over ssh', () => {
  let rig: MirrorRig
  let trust: TestTrust
  let sshd: TestSshd
  let openSsh: ManagedOpenSshAccess
  let keyFile: string
  let knownHostsFile: string

  beforeEach(async () => {
    trust = await createTrust()
    const scratch = await createMirrorRig()
    keyFile = join(scratch.directory, 'id_ed25519_vm01')
    knownHostsFile = join(scratch.directory, 'known hosts')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', keyFile])
    sshd = await startSshd({
      trustedUserCa: trust.publicKey,
      principals: ['sync-agent'],
      authorizedKeys: [readFileSync(`${keyFile}.pub`, 'utf8').trim()],
    })
    const name = `[${sshd.address}]:${sshd.port}`
    await writeFile(knownHostsFile, sshd.hostKeys.map((key) => `${name} ${key}\n`).join(''))
    openSsh = await createOpenSshAccess({
      directory: join(scratch.directory, 'ssh'),
      identities: createLoginIdentities({ certificates: trust.identities, staticKeys: createStaticKeys() }),
    })
    rig = {
      ...scratch,
      mirrors: scratch.again({ openSsh, knownHostsFile }),
      again: (more) => scratch.again({ openSsh, knownHostsFile, ...more }),
    }
  })
  afterEach(async () => {
    await openSsh.close()
    await sshd.stop()
    await trust.stop()
    await rig.dispose()
  })

  const url = (): string => `ssh://${sshd.user}@${sshd.address}:${sshd.port}${rig.origin}`
  const hostKeys = (): string[] => sshd.hostKeys.map((line) => line.split(' ').slice(0, 2).join(' '))
  const overSsh = (settings: SomeSettings = {}) => rig.repository({ remote: url(), hostKeys: hostKeys(), ...settings })
  const key = (file = keyFile) => ({ login: { kind: 'key', file } }) as const
  const certificate = { login: { kind: 'certificate' } } as const

  it('S2.11 D9 a certificate of our authority logs in to a git server, with the principal of the policy', async () => {
    const { heads } = await rig.mirrors.fetch(overSsh(certificate), { force: false })
    expect(heads.main).toBe(git(rig.origin, ['rev-parse', 'main']))
    const [issued] = trust.store.certificates
    expect(issued).toMatchObject({ principals: ['sync-agent'], purpose: 'automation' })
    expect((issued?.validBefore ?? 0) - (issued?.validAfter ?? 0)).toBeLessThan(17 * 3_600_000)
    expect(await sshd.log()).toContain('ED25519-CERT')
  })

  it('S2.28 S2.29 S2.31 a key file logs in, and is read by nobody but us', async () => {
    const { heads } = await rig.mirrors.fetch(overSsh(key()), { force: false })
    expect(Object.keys(heads)).toEqual(['main'])
    const secret = readFileSync(keyFile, 'utf8').split('\n')[2] ?? 'nothing'
    expect(everything(join(rig.directory, 'ssh'))).not.toContain(secret)
    expect(everything(rig.home)).not.toContain(secret)
  })

  it('S2.11 a clone over ssh keeps the URL that was entered, and pulls again', async () => {
    const checkout = join(rig.directory, 'checkout')
    const settings: SomeSettings = { ...certificate, checkout: { kind: 'here', directory: checkout } }
    await rig.mirrors.fetch(overSsh(settings), { force: false })
    expect(git(checkout, ['remote', 'get-url', 'origin'])).toBe(url())
    const next = commitFiles(rig.origin, { 'b.txt': 'b' })
    expect((await rig.mirrors.fetch(overSsh(settings), { force: false })).heads).toEqual({ main: next })
  })

  it('S2.11 without host keys of its own the known hosts of the user count', async () => {
    const settings = { ...key(), hostKeys: [] }
    expect(Object.keys((await rig.mirrors.fetch(overSsh(settings), { force: false })).heads)).toEqual(['main'])
    await writeFile(knownHostsFile, '')
    const failure = await failureOf(rig.mirrors.fetch(overSsh(settings), { force: false }))
    expect(failure.code).toBe('REPOSITORY_REFUSED')
    expect(failure.message).toContain('host key')
    expect(readFileSync(knownHostsFile, 'utf8')).toBe('')
  })

  it('S2.11 another host key than the one entered is refused before any login', async () => {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', `${keyFile}-other`])
    const other = readFileSync(`${keyFile}-other.pub`, 'utf8').split(' ').slice(0, 2).join(' ')
    const failure = await failureOf(rig.mirrors.fetch(overSsh({ ...key(), hostKeys: [other] }), { force: false }))
    expect(failure.code).toBe('REPOSITORY_REFUSED')
    expect(failure.message).toContain('host key')
    expect(await sshd.log()).not.toContain('Accepted')
  })

  it('S2.11 a key that the server does not take is refused with what to do', async () => {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', `${keyFile}-other`])
    const failure = await failureOf(rig.mirrors.fetch(overSsh(key(`${keyFile}-other`)), { force: false }))
    expect(failure.code).toBe('REPOSITORY_REFUSED')
    expect(failure.message).toContain('public half of the key')
  })

  it('S2.11 a certificate whose principal the server does not list is refused', async () => {
    const strange = rig.again({ principal: 'somebody-else' })
    const failure = await failureOf(strange.fetch(overSsh(certificate), { force: false }))
    expect(failure.code).toBe('REPOSITORY_REFUSED')
  })

  it('S2.11 a key file that is missing, open to others or has a passphrase is named', async () => {
    const missing = await failureOf(rig.mirrors.fetch(overSsh(key('/nowhere/key')), { force: false }))
    await chmod(keyFile, 0o644)
    const open = await failureOf(rig.mirrors.fetch(overSsh(key()), { force: false }))
    const locked = `${keyFile}-locked`
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'word', '-f', locked])
    const encrypted = await failureOf(rig.mirrors.fetch(overSsh(key(locked)), { force: false }))
    expect([missing, open, encrypted].map(({ code }) => code)).toEqual(Array(3).fill('REPOSITORY_REFUSED'))
    expect(missing.message).toContain('/nowhere/key')
    expect(open.message).toContain(keyFile)
    expect(encrypted.message).toContain('passphrase')
  })

  it('S2.11 without a login ssh is not even tried', async () => {
    const connections = async () => (await sshd.log()).match(/Connection from/g)?.length
    const before = await connections()
    expect((await failureOf(rig.mirrors.fetch(overSsh(), { force: false }))).code).toBe('REPOSITORY_REFUSED')
    expect(await connections()).toBe(before)
  })

  it('S2.10 a server that is away is tried again, a repository that is not there is not', async () => {
    const port = await freePort()
    const away = overSsh({ ...key(), remote: `ssh://${sshd.user}@${sshd.address}:${port}/x` })
    const silent = await failureOf(rig.mirrors.fetch(away, { force: false }))
    expect([silent.code, silent.retry?.kind]).toEqual(['REPOSITORY_UNREACHABLE', 'after'])
    const nothing = overSsh({ ...key(), remote: `${url()}-nothing` })
    const missing = await failureOf(rig.mirrors.fetch(nothing, { force: false }))
    expect([missing.code, missing.retry]).toEqual(['REPOSITORY_UNREACHABLE', undefined])
  })
})
