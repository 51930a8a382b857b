import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createDoctorIdentities } from '../../../src/engine/pki/doctorIdentities.ts'
import { createIdentities } from '../../../src/engine/pki/identities.ts'
import { createCertificateAuthority } from '../../../src/engine/pki/signing.ts'
import type { Doctor } from '../../../src/engine/ports.ts'
import { createDoctor } from '../../../src/engine/ssh/doctor.ts'
import { type Clock, systemClock } from '../../../src/platform/clock.ts'
import { createIdSource } from '../../../src/platform/ids.ts'
import type { DoctorReport } from '../../../src/shared/model/diagnosis.ts'
import { freePort, sshdMissing, startSshd, type TestSshd, type TestSshdOptions } from '../../support/sshd.ts'
import { createTrust, nodeFor, type TestTrust } from '../../support/trust.ts'

if (sshdMissing !== null) console.warn(`skipped: ${sshdMissing}`)

describe.skipIf(sshdMissing !== null)('doctor', () => {
  let trust: TestTrust
  const servers: TestSshd[] = []

  const server = async (options: TestSshdOptions = {}): Promise<TestSshd> => {
    const started = await startSshd({ trustedUserCa: trust.publicKey, principals: ['sync-agent'], ...options })
    servers.push(started)
    return started
  }
  /** A doctor whose own clock differs from the node's by this much. */
  const doctor = (ourClockAheadMs = 0): Doctor => {
    const clock: Clock = { ...systemClock, nowMs: () => Date.now() + ourClockAheadMs }
    const authority = createCertificateAuthority({
      authorities: trust.authorities,
      store: trust.store,
      clock,
      newId: createIdSource(systemClock),
    })
    const probes = createDoctorIdentities({ pipeline: authority, clock })
    return createDoctor({
      identities: createIdentities({ authority, clock }),
      probeIdentity: probes.probe,
      clock,
      revocationOf: async () => null,
    })
  }
  const status = (report: DoctorReport): string[] => report.steps.map((step) => `${step.name}: ${step.status}`)

  beforeAll(async () => {
    trust = await createTrust()
  })
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((started) => started.stop()))
  })
  afterAll(() => trust.stop())

  it('finds nothing wrong with a healthy node', async () => {
    const report = await doctor().examine(nodeFor(await server()), { requestedBy: 'test' })
    expect(report.diagnosis).toBeNull()
    expect(status(report)).toEqual([
      'certificate: ok',
      'address: ok',
      'connect: ok',
      'ssh server: ok',
      'host key: ok',
      'login: ok',
      'clock: ok',
      'disk: ok',
      'home directory: ok',
      'rsync: ok',
    ])
  })

  it('D4 proves that the principal is not listed, and audits the certificates it tried', async () => {
    const sshd = await server({ principals: ['root', 'nobody-else'] })
    const node = nodeFor(sshd)
    const before = trust.store.audit.length
    const report = await doctor().examine(node, { requestedBy: 'night-shift' })
    expect(report.diagnosis?.code).toBe('PRINCIPAL_NOT_LISTED')
    expect(report.diagnosis?.evidence).toContain(`a certificate with principal ${node.user} was accepted`)
    expect(status(report)).toContain('rsync: skipped')
    const audited = trust.store.audit.slice(before)
    expect(audited.filter((row) => row.actor === 'night-shift').map((row) => row.detail.policy)).toEqual([
      'doctor',
      'doctor',
    ])
    expect(
      audited
        .filter((row) => row.actor === 'night-shift')
        .every((row) => JSON.stringify(row.detail.criticalOptions) === '{"force-command":"date +%s"}'),
    ).toBe(true)
  })

  it('names an authority that the node does not trust', async () => {
    const other = await createTrust()
    const report = await doctor().examine(nodeFor(await server({ trustedUserCa: other.publicKey })), {
      requestedBy: 'test',
    })
    expect(report.diagnosis?.code).toBe('KEY_REFUSED')
    expect(report.diagnosis?.sentence).toContain('TrustedUserCAKeys')
    await other.stop()
  })

  it('U10 measures a clock that is five minutes behind, though sshd only says "Permission denied"', async () => {
    const report = await doctor(300_000).examine(nodeFor(await server()), { requestedBy: 'test' })
    expect(report.diagnosis?.code).toBe('CERTIFICATE_NOT_YET_VALID')
    expect(report.diagnosis?.sentence).toMatch(/its clock is 5 min behind ours/)
    expect(report.diagnosis?.evidence.join('\n')).toMatch(/-(?:299|300|301) s from ours/)
  })

  it('measures a clock that is so far ahead that the certificate has expired there', async () => {
    const report = await doctor(-17 * 3_600_000).examine(nodeFor(await server()), { requestedBy: 'test' })
    expect(report.diagnosis?.code).toBe('CERTIFICATE_EXPIRED')
    expect(report.diagnosis?.sentence).toMatch(/its clock is 17 h ahead of ours/)
  })

  it('names a changed host key, a closed port and an unknown name, and looks no further', async () => {
    const sshd = await server()
    const other = await server()
    const changed = await doctor().examine(nodeFor(sshd, { hostKeys: nodeFor(other).hostKeys }), {
      requestedBy: 'test',
    })
    expect(changed.diagnosis?.code).toBe('HOST_KEY_CHANGED')
    expect(status(changed)).toContain('host key: failed')
    const closed = await doctor().examine(nodeFor(sshd, { port: await freePort() }), { requestedBy: 'test' })
    expect(closed.diagnosis?.code).toBe('CONNECTION_REFUSED')
    const unknown = await doctor().examine(nodeFor(sshd, { address: 'no-such-host.invalid' }), { requestedBy: 'test' })
    expect(unknown.diagnosis?.code).toBe('NAME_NOT_RESOLVED')
    expect(status(unknown)).toContain('address: failed')
  })

  it('names a node whose shell runs nothing', async () => {
    const report = await doctor().examine(nodeFor(await server({ extraConfig: ['ForceCommand /bin/false'] })), {
      requestedBy: 'test',
    })
    expect(report.diagnosis?.code).toBe('SHELL_REFUSED')
  })
})
