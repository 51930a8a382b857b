import { execFileSync } from 'node:child_process'
import { chmod, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fingerprintOf, parsePublicKeyLine } from '../../../src/platform/openssh/publicKey.ts'
import { type AgentRig, createAgentRig, type RunAnswer } from './rig.ts'

const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777

describe('enrolment', () => {
  let rig: AgentRig
  beforeAll(async () => {
    rig = await createAgentRig()
    await rig.configure()
  })
  afterAll(() => rig.stop())

  const at = (...parts: string[]): string => join(rig.config, ...parts)

  it('S0.27 S0.30 S0.31 S0.32 S0.35 makes an Ed25519 key without a passphrase, closed to others, and the layout', async () => {
    const fingerprint = fingerprintOf(parsePublicKeyLine(rig.sshd.hostKeys[0] ?? '').blob)
    const answer = await rig.agent('enroll', '--join', rig.controlPlane.joinSecret(), '--storage-host-key', fingerprint)
    expect(answer.stderr).toBe('')
    expect(answer).toMatchObject({ exitCode: 0 })
    expect(answer.stdout).toContain('as agent-01')
    expect((await readdir(rig.config)).sort()).toEqual(['agent.yaml', 'control-plane', 'logs', 'ssh'])
    expect(execFileSync('ssh-keygen', ['-y', '-P', '', '-f', at('ssh', 'agent_key')], { encoding: 'utf8' })).toMatch(
      /^ssh-ed25519 /,
    )
    expect(await readFile(at('ssh', 'agent_key.pub'), 'utf8')).toMatch(/^ssh-ed25519 /)
    expect(await modeOf(at('ssh', 'agent_key'))).toBe(0o600)
    expect(await modeOf(at('control-plane', 'client.key'))).toBe(0o600)
    expect(await modeOf(at('ssh'))).toBe(0o700)
  })

  it('S0.33 S0.39 what enrolment made is enough for a run', async () => {
    await rig.fill(5)
    const answer = await rig.agentJson<RunAnswer>('run')
    expect(answer.failure).toBeNull()
    const listed = execFileSync('ssh-keygen', ['-L', '-f', at('ssh', 'agent_key-cert.pub')], { encoding: 'utf8' })
    expect(listed).toContain('sync-agent')
  })

  it('may be repeated: the keys stay, the certificate is new', async () => {
    const [key, clientKey] = await Promise.all([
      readFile(at('ssh', 'agent_key')),
      readFile(at('control-plane', 'client.key')),
    ])
    const before = await readFile(at('control-plane', 'client.crt'), 'utf8')
    await writeFile(join(rig.directory, 'token'), `${rig.controlPlane.joinSecret()}\n`)
    expect((await rig.agent('enroll', '--join-file', join(rig.directory, 'token'))).exitCode).toBe(0)
    expect(await readFile(at('ssh', 'agent_key'))).toEqual(key)
    expect(await readFile(at('control-plane', 'client.key'))).toEqual(clientKey)
    expect(await readFile(at('control-plane', 'client.crt'), 'utf8')).not.toBe(before)
    expect((await rig.agentJson<RunAnswer>('run')).status).toBe('succeeded')
  })

  it('a token serves once; the message says what to do, and what was there stays', async () => {
    const secret = rig.controlPlane.joinSecret('a-token-that-is-used-twice')
    expect((await rig.agent('enroll', '--join', secret)).exitCode).toBe(0)
    const file = await readFile(at('control-plane', 'agent.json'), 'utf8')
    const again = await rig.agent('enroll', '--join', secret)
    expect(again.exitCode).toBe(4)
    expect(again.stderr).toContain('Make a new one in the console')
    expect(await readFile(at('control-plane', 'agent.json'), 'utf8')).toBe(file)
  })

  it('another root than the pinned one gets nothing, not even the token', async () => {
    const secret = JSON.parse(Buffer.from(rig.controlPlane.joinSecret().slice(5), 'base64url').toString())
    const wrong = `lsj1.${Buffer.from(JSON.stringify({ ...secret, f: '0'.repeat(64) })).toString('base64url')}`
    const from = rig.controlPlane.requests.length
    const answer = await rig.agent('enroll', '--join', wrong)
    expect(answer.exitCode).not.toBe(0)
    expect(answer.stderr).toContain('another root than the join token names')
    expect(rig.controlPlane.requests.slice(from)).toEqual(['GET /v1/sync/roots'])
  })

  it('what is no join token, and nobody at the address, is said without quoting the token', async () => {
    const nonsense = await rig.agent('enroll', '--join', 'lsj1.c2VjcmV0LWluLWEtd3JvbmctdG9rZW4')
    expect(nonsense.exitCode).toBe(2)
    expect(nonsense.stderr).not.toContain('c2VjcmV0')
    const away = `lsj1.${Buffer.from(JSON.stringify({ u: 'https://127.0.0.1:1', f: '0'.repeat(64), s: 'x'.repeat(16) })).toString('base64url')}`
    expect((await rig.agent('enroll', '--join', away)).stderr).toContain('cannot be reached')
  })

  it('S0.34 S0.29 keeps the pin of a step-ca', async () => {
    const pin = 'ab'.repeat(32)
    await rig.agent('enroll', '--join', rig.controlPlane.joinSecret(), '--ca-fingerprint', pin.toUpperCase())
    expect((await readFile(at('ssh', 'ca_fingerprint'), 'utf8')).trim()).toBe(pin)
  })

  it('without an enrolment nothing runs, and the message names the command', async () => {
    await rm(at('control-plane'), { recursive: true })
    const answer = await rig.agent('run')
    expect(answer.exitCode).toBe(4)
    expect(answer.stderr).toContain('lockstep-agent enroll --join-file')
  })

  it('an agent.yaml that every user may write decides nothing', async () => {
    const file = join(rig.config, 'agent.yaml')
    await rig.configure()
    await chmod(file, 0o666)
    const answer = await rig.agent('run')
    expect(answer.exitCode).not.toBe(0)
    expect(answer.stderr).toContain('can be written by other users')
    expect(answer.stderr).toContain('chmod o-w')
    await chmod(file, 0o644)
  })

  it('S0.42 S0.44 a wrong agent.yaml names all mistakes with their lines, and nothing runs', async () => {
    await writeFile(at('agent.yaml'), 'storage:\n  host: s\n  prot: 1\nsync:\n  pusch: []\n')
    const answer = await rig.agent('run')
    expect(answer.exitCode).toBe(2)
    expect(answer.stderr).toContain('agent.yaml:3: storage.prot: there is no such key')
    expect(answer.stderr).toContain('agent.yaml:5: sync.pusch: there is no such key')
  })
})
