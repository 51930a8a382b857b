import { execFileSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { fingerprintOf, parsePublicKeyLine } from '../../../src/platform/openssh/publicKey.ts'
import { startSshd } from '../../support/sshd.ts'
import { treeDigest } from '../../support/treeDigest.ts'
import { type AgentRig, createAgentRig, type RunAnswer } from './rig.ts'

describe('what can be wrong between the agent and storage', () => {
  let rig: AgentRig
  beforeAll(async () => {
    rig = await createAgentRig()
    await rig.enroll()
    await rig.fill(50)
  })
  afterAll(() => rig.stop())
  afterEach(async () => {
    rig.controlPlane.issueSsh = async ({ publicKey }) => rig.authority.issue(publicKey)
    await rig.configure()
  })

  const forgetCertificate = (): Promise<void> => rm(join(rig.config, 'ssh', 'agent_key-cert.pub'), { force: true })
  const run = (...args: string[]): Promise<RunAnswer> => rig.agentJson<RunAnswer>('run', ...args)
  const storage = (change: Record<string, unknown>) => ({
    storage: { host: rig.sshd.address, port: rig.sshd.port, user: rig.sshd.user, ...change },
  })

  it('S0.61 S0.64 a name that nobody knows', async () => {
    await rig.configure(storage({ host: 'storage.invalid' }))
    expect(await run()).toMatchObject({ status: 'failed', state: 'FAILED', failure: { code: 'NAME_NOT_RESOLVED' } })
  })

  it('S0.61 S0.65 nobody listens', async () => {
    await rig.configure(storage({ port: 1 }))
    const answer = await run()
    expect(answer.failure?.code).toBe('CONNECTION_REFUSED')
    expect(answer.visits.filter(({ state }) => state === 'PRE_FLIGHT_CHECK')).toHaveLength(1)
    expect(answer.visits.map(({ state }) => state)).not.toContain('PUSH_SYNC')
  })

  it('S0.65 a host key that nobody accepted: the run fails with the fingerprint, a wrong word accepts nothing, the right one does', async () => {
    const other = await startSshd({ trustedUserCa: rig.authority.publicKey, principals: ['sync-agent'] })
    await rig.configure(storage({ port: other.port }))
    const offered = fingerprintOf(parsePublicKeyLine(other.hostKeys[0] ?? '').blob)
    const refused = await run()
    expect(refused.failure?.code).toBe('HOST_KEY_UNKNOWN')
    expect(refused.failure?.sentence).toContain(`lockstep-agent doctor --trust ${offered}`)

    const wrong = await rig.agent('doctor', '--trust', 'SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA')
    expect(wrong.exitCode).not.toBe(0)
    expect(wrong.stderr).toContain(offered)
    expect((await run()).failure?.code).toBe('HOST_KEY_UNKNOWN')

    expect((await rig.agent('doctor', '--trust', offered)).exitCode).toBe(0)
    expect((await run()).status).toBe('succeeded')
    await other.stop()
  })

  it('S0.65 a host key that is not the accepted one is a hard stop, and both are shown', async () => {
    const knownHosts = join(rig.config, 'ssh', 'known_hosts')
    const before = await readFile(knownHosts, 'utf8')
    await writeFile(knownHosts, `[127.0.0.1]:${rig.sshd.port} ${rig.authority.publicKey}\n`)
    const answer = await run()
    await writeFile(knownHosts, before)
    expect(answer).toMatchObject({ status: 'failed', failure: { code: 'HOST_KEY_CHANGED' } })
    const offered = fingerprintOf(parsePublicKeyLine(rig.sshd.hostKeys[0] ?? '').blob)
    expect(answer.failure?.evidence.join()).toContain(offered)
    expect(answer.visits.map(({ state }) => state)).not.toContain('PUSH_SYNC')
  })

  it('S0.65 a host certificate of an authority in known_hosts is enough', async () => {
    const at = (name: string): string => join(rig.directory, name)
    for (const name of ['host-ca', 'host-key'])
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(name)])
    const sign = [
      '-q',
      '-s',
      at('host-ca'),
      '-I',
      'storage',
      '-h',
      '-n',
      '127.0.0.1',
      '-V',
      '-1m:+1h',
      at('host-key.pub'),
    ]
    execFileSync('ssh-keygen', sign)
    const certified = await startSshd({
      trustedUserCa: rig.authority.publicKey,
      principals: ['sync-agent'],
      extraConfig: [`HostKey ${at('host-key')}`, `HostCertificate ${at('host-key-cert.pub')}`],
    })
    const knownHosts = join(rig.config, 'ssh', 'known_hosts')
    const before = await readFile(knownHosts, 'utf8')
    await writeFile(knownHosts, `@cert-authority 127.0.0.1,[127.0.0.1]:* ${await readFile(at('host-ca.pub'), 'utf8')}`)
    await rig.configure(storage({ port: certified.port }))
    const answer = await run()
    await writeFile(knownHosts, before)
    expect(answer.failure).toBeNull()
    expect(answer.status).toBe('succeeded')
    await certified.stop()
  })

  it('D4 a certificate for another principal than storage lists is named as that', async () => {
    const strict = await startSshd({ trustedUserCa: rig.authority.publicKey })
    const known = await readFile(join(rig.config, 'ssh', 'known_hosts'), 'utf8')
    await writeFile(
      join(rig.config, 'ssh', 'known_hosts'),
      `${known}[127.0.0.1]:${strict.port} ${strict.hostKeys[0]}\n`,
    )
    await rig.configure(storage({ port: strict.port }))
    const answer = await run()
    expect(answer.failure?.code).toBe('PRINCIPAL_NOT_LISTED')
    expect(answer.failure?.sentence).toContain('AuthorizedPrincipalsFile')
    await strict.stop()
  })

  it('S0.29 S0.45 a certificate that is not what was asked for is never used', async () => {
    const wrong = [
      ['for root', { principals: ['root'] }],
      ['in the future', { beginsInSeconds: 600 }],
      ['host certificate', { type: 'host' }],
    ] as const
    for (const [words, options] of wrong) {
      await forgetCertificate()
      rig.controlPlane.issueSsh = async ({ publicKey }) => rig.authority.issue(publicKey, options)
      const answer = await run()
      expect(answer.failure?.code).toBe('CERTIFICATE_INVALID')
      expect(answer.failure?.sentence).toContain(words)
      expect(await readdir(join(rig.config, 'ssh'))).not.toContain('agent_key-cert.pub')
    }
    rig.controlPlane.issueSsh = async () => rig.authority.issue(rig.authority.publicKey)
    expect((await run()).failure?.sentence).toContain('another key than ours')
  })

  it('S0.63 S0.69 a source that is missing, or a single file', async () => {
    const file = join(rig.source, 'd0', 'f0.txt')
    for (const [source, code] of [
      [join(rig.directory, 'nowhere'), 'SOURCE_MISSING'],
      [file, 'SOURCE_NOT_A_DIRECTORY'],
    ] as const) {
      await rig.configure({ sync: { push: [{ source, target: rig.target }] } })
      expect((await run()).failure?.code).toBe(code)
    }
  })

  it('S0.63 a target that is a file, or the home directory of the login', async () => {
    const file = join(rig.directory, 'a-file')
    await writeFile(file, 'x')
    await rig.configure({ sync: { push: [{ source: rig.source, target: file }] } })
    expect((await run()).failure).toMatchObject({ code: 'REMOTE_PATH_INVALID' })
    await rig.configure({ sync: { push: [{ source: rig.source, target: process.env.HOME }] } })
    expect((await run()).failure).toMatchObject({ code: 'REMOTE_PATH_INVALID' })
  })

  it('S0.62 a storage that is too full is noticed before anything is sent', async () => {
    const big = join(rig.directory, 'big')
    await mkdir(big)
    await writeFile(join(big, 'huge'), '')
    await truncate(join(big, 'huge'), 2 ** 43)
    await rig.configure({ sync: { push: [{ source: big, target: rig.target }] } })
    const answer = await run()
    await rm(big, { recursive: true })
    expect(answer.failure?.code).toBe('REMOTE_DISK_FULL')
    expect(answer.visits.map(({ state }) => state)).not.toContain('PUSH_SYNC')
  })

  it('storage that fills up in the middle of a push: the run fails with that cause, and goes on when there is room', async (context) => {
    const disk = join(rig.directory, 'small-storage')
    await mkdir(disk)
    try {
      // Room for bytes, but for few files: what df says before the push is fine.
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m,nr_inodes=30', 'tmpfs', disk], { stdio: 'ignore' })
    } catch {
      return context.skip('mounting a small tmpfs needs root')
    }
    onTestFinished(() => void execFileSync('umount', [disk]))
    await rig.configure({ sync: { push: [{ source: rig.source, target: join(disk, 'data') }] } })
    const full = await run()
    expect(full).toMatchObject({ status: 'failed', failure: { code: 'REMOTE_DISK_FULL' }, reported: true })
    expect(full.visits.map(({ state, outcome }) => `${state} ${outcome}`)).toContain('PUSH_SYNC failed')
    execFileSync('mount', ['-o', 'remount,nr_inodes=10000', disk])
    expect((await run()).status).toBe('succeeded')
    expect(await treeDigest(join(disk, 'data'))).toBe(await treeDigest(rig.source))
  })

  it('S0.70 S0.71 sends with a partial directory and puts files into place together', async () => {
    const answer = await run('--key', 'flags-of-rsync')
    const log = await readFile(join(rig.config, 'logs', 'runs', 'flags-of-rsync.log'), 'utf8')
    expect(answer.status).toBe('succeeded')
    expect(log).toContain('--partial-dir=.lockstep-partial')
    await writeFile(join(rig.source, 'd1', 'changed.txt'), 'changed')
    await run('--key', 'flags-of-rsync-2')
    const second = await readFile(join(rig.config, 'logs', 'runs', 'flags-of-rsync-2.log'), 'utf8')
    expect(second).toContain('--delay-updates')
  })

  it('S0.66 S0.67 S0.83 what cannot be put into place is tried three times in all, then the run fails and names it', async () => {
    const name = 'in-the-way'
    await writeFile(join(rig.source, 'd2', name), 'a file')
    await mkdir(join(rig.target, 'd2', name, 'not-empty'), { recursive: true })
    const answer = await run()
    await rm(join(rig.source, 'd2', name))
    await rm(join(rig.target, 'd2', name), { recursive: true })
    expect(answer).toMatchObject({ status: 'failed', state: 'FAILED', failure: { code: 'TRANSFER_INCOMPLETE' } })
    expect(answer.failure?.evidence.join()).toContain(name)
    expect(answer.visits.filter(({ state }) => state === 'PUSH_SYNC')).toHaveLength(3)
  })

  it('S0.72 pulls after the push, into a directory of its own', async () => {
    const remote = join(rig.directory, 'for-pull')
    const copy = join(rig.directory, 'copy')
    await mkdir(remote)
    await writeFile(join(remote, 'report.txt'), 'from storage')
    await rig.configure({
      sync: { push: [{ source: rig.source, target: rig.target }], pull: [{ source: remote, target: copy }] },
    })
    const answer = await run()
    expect(answer.status).toBe('succeeded')
    expect(await treeDigest(copy)).toBe(await treeDigest(remote))
    expect(answer.visits.map(({ state, outcome }) => `${state} ${outcome}`)).toContain('PULL_SYNC done')
  })

  it('S0.73 S0.74 S0.75 by content it finds a file whose size and time lie, and by listing it does not', async () => {
    const plain = await run()
    const victim = join(rig.target, 'd3', 'f3.txt')
    const { atime, mtime } = await stat(victim)
    const content = await readFile(victim, 'utf8')
    await writeFile(victim, content.replace('content', 'CONTENT'))
    await utimes(victim, atime, mtime)
    await rig.configure({
      sync: { push: [{ source: rig.source, target: rig.target }], verify: 'listing' },
    })
    const listed = await run()
    expect(listed).toMatchObject({ status: 'succeeded', proof: { verify: { compared: 'listing' } } })
    expect(listed.proof?.digest).not.toBe(plain.proof?.digest)
    await rig.configure()
    const checked = await run()
    expect(checked).toMatchObject({ status: 'succeeded', proof: { digest: plain.proof?.digest } })
    expect(await readFile(victim, 'utf8')).toBe(content)
  })

  it('U35 an empty source halts, is canceled by a new run, and goes on when a person approves', async () => {
    const empty = await mkdtemp(join(tmpdir(), 'lockstep-agent-empty-'))
    await rig.configure({ sync: { push: [{ source: empty, target: rig.target }] } })
    const before = await treeDigest(rig.target)
    const first = await rig.agent('run', '--json', '--key', 'halted-run-1')
    expect(first.exitCode).toBe(6)
    expect(JSON.parse(first.stdout)).toMatchObject({ status: 'halted', halt: { reason: 'source-empty' } })
    expect(rig.controlPlane.runs.get('halted-run-1')?.run).toMatchObject({
      status: 'halted',
      halt: { reason: 'source-empty' },
    })
    expect(await readdir(rig.directory)).not.toContain('sync-agent.lock')
    expect(await treeDigest(rig.target)).toBe(before)

    const second = JSON.parse((await rig.agent('run', '--json', '--key', 'halted-run-2')).stdout) as RunAnswer
    expect(second.halt?.diagnosis.sentence).toContain('lockstep-agent run --approve source-empty')
    expect(rig.controlPlane.runs.get('halted-run-1')?.run.status).toBe('canceled')

    const wrong = await rig.agent('run', '--approve', 'mass-delete')
    expect(wrong.exitCode).toBe(4)
    const approved = await run('--approve', 'source-empty')
    expect(approved).toMatchObject({ status: 'succeeded', key: 'halted-run-2' })
    expect(rig.controlPlane.runs.get('halted-run-2')?.run).toMatchObject({
      status: 'succeeded',
      approvals: [{ reason: 'source-empty' }],
    })
    expect(await treeDigest(rig.target)).toBe(before)
    await rm(empty, { recursive: true })
  })

  it('F76 N9 many deletes halt, with the names, and happen once a person approved just those', async () => {
    const sync = { push: [{ source: rig.source, target: rig.target }], delete: true }
    await rig.configure({ sync })
    await run()
    await rm(join(rig.source, 'd4'), { recursive: true })
    for (const gone of ['d5', 'd6', 'd7']) await rm(join(rig.source, gone), { recursive: true })
    const before = await treeDigest(rig.target)
    const halted = await run()
    expect(halted).toMatchObject({ status: 'halted', halt: { reason: 'mass-delete' } })
    expect(await treeDigest(rig.target)).toBe(before)
    expect((await run('--approve', 'mass-delete')).status).toBe('succeeded')
    expect(await treeDigest(rig.target)).toBe(await treeDigest(rig.source))
  })

  it('S0.62 S0.65 a login that runs no commands is used with rsync alone, and a warning says what was not checked', async () => {
    const script = join(rig.directory, 'only-rsync')
    await writeFile(
      script,
      '#!/bin/sh\ncase "$SSH_ORIGINAL_COMMAND" in "rsync --server"*) exec $SSH_ORIGINAL_COMMAND ;; esac\necho "not allowed" >&2\nexit 1\n',
    )
    await chmod(script, 0o755)
    const restricted = await startSshd({
      trustedUserCa: rig.authority.publicKey,
      principals: ['sync-agent'],
      extraConfig: [`ForceCommand ${script}`],
    })
    const known = await readFile(join(rig.config, 'ssh', 'known_hosts'), 'utf8')
    await writeFile(
      join(rig.config, 'ssh', 'known_hosts'),
      `${known}[127.0.0.1]:${restricted.port} ${restricted.hostKeys[0]}\n`,
    )
    await rig.configure(storage({ port: restricted.port }))
    const answer = await run()
    expect(answer.failure).toBeNull()
    expect(answer.status).toBe('succeeded')
    expect(answer.warnings.map(({ code }) => code)).toContain('STORAGE_RUNS_NO_COMMANDS')
    await restricted.stop()
  })
})
