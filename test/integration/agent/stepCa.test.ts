import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, readFile, rm, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startStepCa, stepCaMissing, stepCaStartTimeoutMs, type TestStepCa } from '../../support/stepCa.ts'
import { type AgentRig, createAgentRig, type RunAnswer } from './rig.ts'

if (stepCaMissing !== null) console.warn(`skipped: ${stepCaMissing}`)

describe.skipIf(stepCaMissing !== null)('an agent whose certificates come from a step-ca', () => {
  let ca: TestStepCa
  let rig: AgentRig
  let caDirectory: string

  beforeAll(async () => {
    caDirectory = join('/tmp', `lockstep-agent-ca-${process.pid}`)
    ca = await startStepCa({
      directory: caDirectory,
      editConfig: ({ authority }) => {
        const [first] = authority.provisioners
        // The template of step-ca itself: every extension there is.
        if (first !== undefined)
          authority.provisioners.push({ ...first, name: 'generous', options: undefined as never })
      },
    })
    rig = await createAgentRig({ sshd: { trustedUserCa: ca.sshUserCaKey, principals: ['sync-agent'] } })
    await rig.enroll()
    await rig.fill(5)
    await writeFile(join(rig.directory, 'password'), `${ca.password}\n`, { mode: 0o600 })
    await pin(ca.rootFingerprint)
  }, stepCaStartTimeoutMs)
  afterAll(async () => {
    await rig.stop()
    await ca.stop()
    await rm(caDirectory, { recursive: true, force: true })
  })

  const certificate = (): string => join(rig.config, 'ssh', 'agent_key-cert.pub')
  const pin = (fingerprint: string): Promise<void> =>
    writeFile(join(rig.config, 'ssh', 'ca_fingerprint'), `${fingerprint}\n`)
  const run = async (change: Record<string, unknown> = {}): Promise<RunAnswer> => {
    await rm(certificate(), { force: true })
    await rig.configure({
      ssh: {
        ca_url: ca.url,
        provisioner: ca.provisioner,
        provisioner_password_file: join(rig.directory, 'password'),
        ...change,
      },
    })
    return rig.agentJson<RunAnswer>('run')
  }

  it('S0.26 S0.28 S0.29 S0.33 S0.34 S0.36 gets a certificate for sync-agent from the pinned step-ca and logs in with it', async () => {
    const asked = rig.controlPlane.requests.length
    const answer = await run()
    expect(answer.failure).toBeNull()
    expect(answer.status).toBe('succeeded')
    const listed = execFileSync('ssh-keygen', ['-L', '-f', certificate()], { encoding: 'utf8' })
    expect(listed).toMatch(/Principals:\s+sync-agent\n/)
    expect(listed).toContain('Key ID: "sync-agent"')
    expect(rig.controlPlane.requests.slice(asked).join()).not.toContain('/ssh-certificate')
    expect(userInfo().username).not.toBe('sync-agent')
  })

  it('S0.29 S0.34 another root than the pinned one gets nothing', async () => {
    await pin('0'.repeat(64))
    const answer = await run()
    await pin(ca.rootFingerprint)
    expect(answer).toMatchObject({ status: 'failed', failure: { code: 'AUTHORITY_ROOT_MISMATCH' } })
  })

  it('S0.20 D2 a certificate with more in it than was asked for is not put into place', async () => {
    const answer = await run({ provisioner: 'generous' })
    expect(answer).toMatchObject({ status: 'failed', failure: { code: 'CERTIFICATE_INVALID' } })
    expect(answer.failure?.sentence).toContain('permit-port-forwarding')
    expect(existsSync(certificate())).toBe(false)
  })

  it('a wrong password, and no password, are said as that, and the password is in no message', async () => {
    await writeFile(join(rig.directory, 'password'), 'this-password-is-a-wrong-one\n')
    const wrong = await run()
    expect(wrong.status).toBe('failed')
    expect(JSON.stringify(wrong)).not.toContain('this-password-is-a-wrong-one')
    await chmod(join(rig.directory, 'password'), 0o604)
    const open = await run()
    expect(open.failure?.sentence).toContain('can be read by every user')
    await chmod(join(rig.directory, 'password'), 0o600)
    const none = await run({ provisioner_password_file: join(rig.directory, 'nowhere') })
    expect(none.failure?.sentence).toContain('it has to hold the password of the provisioner')
    await writeFile(join(rig.directory, 'password'), `${ca.password}\n`)
    const log = await readFile(join(rig.config, 'logs', 'agent.log'), 'utf8')
    expect(log).not.toContain(ca.password)
    expect(log).not.toContain('this-password-is-a-wrong-one')
  })

  it('S0.45 a step-ca that is away is tried three times in all', async () => {
    const answer = await run({ ca_url: 'https://127.0.0.1:1' })
    expect(answer.status).toBe('failed')
    expect(answer.visits.filter(({ state }) => state === 'ENSURE_CERT')).toHaveLength(3)
  })
})
