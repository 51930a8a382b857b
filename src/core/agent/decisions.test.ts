import { describe, expect, it } from 'vitest'
import { aRun } from '../../../test/fakes/aRun.ts'
import { AgentRunState, agentApiLimits } from '../../shared/agentApi/index.ts'
import { mustRenew, type ReceivedCertificate, whyNotCertificate } from './certificate.ts'
import { adviceFor, fitting, shortened } from './delivery.ts'
import { backoffMs, usualDuration } from './duration.ts'
import { readStorageFacts } from './remoteFacts.ts'
import { isDue, scheduleAt } from './schedule.ts'
import { reportsToDrop, spoolLimits } from './spool.ts'
import { knownHostName, renderAgentSshConfig, sshCommandOf } from './sshConfig.ts'

const hourMs = 3_600_000
const nowMs = Date.parse('2026-01-07T12:00:00Z')
const certificate: ReceivedCertificate = {
  format: 'ssh-ed25519-cert-v01@openssh.com',
  type: 'user',
  principals: ['sync-agent'],
  validAfter: nowMs - hourMs,
  validBefore: nowMs + 4 * hourMs,
  overOurKey: true,
  signatureHolds: true,
}
const wishes = { principal: 'sync-agent', nowMs }

describe('a certificate that was handed to the agent', () => {
  it('S0.45 is used when it is ours, for us and valid now', () => {
    expect(whyNotCertificate(certificate, wishes)).toBeNull()
  })

  it('is refused for each single thing that is wrong with it', () => {
    const wrong: readonly (readonly [Partial<ReceivedCertificate>, string])[] = [
      [{ format: 'ssh-rsa-cert-v01@openssh.com' }, 'another kind of key'],
      [{ type: 'host' }, 'host certificate'],
      [{ overOurKey: false }, 'another key than ours'],
      [{ signatureHolds: false }, 'signature'],
      [{ principals: ['root'] }, 'it is for root'],
      [{ principals: [] }, 'it is for nobody'],
      [{ validAfter: nowMs + 90_000 }, 'begins 90 s in the future'],
      [{ validBefore: nowMs - 5_000 }, 'ended 5 s ago'],
    ]
    for (const [change, words] of wrong)
      expect(whyNotCertificate({ ...certificate, ...change }, wishes)).toContain(words)
  })

  it('S0.38 N2 is renewed under min_valid_seconds, and when a usual run would outlive it', () => {
    const renew = (minValidSeconds: number, usualMs: number) =>
      mustRenew(certificate, { ...wishes, minValidSeconds, usualMs })
    expect(renew(3600, 0)).toBe(false)
    expect(renew(4 * 3600 + 1, 0)).toBe(true)
    expect(renew(3600, 5 * hourMs)).toBe(true)
    expect(mustRenew(null, { ...wishes, minValidSeconds: 60, usualMs: 0 })).toBe(true)
  })
})

describe('how long runs take', () => {
  it('N2 is the 95th percentile of the past', () => {
    expect(usualDuration([])).toBe(0)
    expect(usualDuration([30, 10, 20])).toBe(30)
    expect(usualDuration(Array.from({ length: 20 }, (_, index) => index + 1))).toBe(19)
  })

  it('waits longer each time, never in step with others, and never for ever', () => {
    expect(backoffMs(1, 0)).toBe(250)
    expect(backoffMs(1, 1)).toBe(500)
    expect(backoffMs(3, 1)).toBe(2000)
    expect(backoffMs(50, 1)).toBe(30_000)
  })
})

describe('the spool', () => {
  const file = (number: number, writtenAtMs = nowMs) => ({ name: String(number).padStart(6, '0'), writtenAtMs })

  it('D8 holds at most a hundred reports: the oldest go', () => {
    const files = Array.from({ length: spoolLimits.files + 2 }, (_, index) => file(index))
    expect(reportsToDrop([...files].reverse(), nowMs)).toEqual(['000000', '000001'])
  })

  it('D8 holds none for more than thirty days', () => {
    const old = nowMs - spoolLimits.ageMs - 1
    expect(reportsToDrop([file(1, old), file(2, nowMs - spoolLimits.ageMs)], nowMs)).toEqual(['000001'])
  })
})

describe('a request that failed', () => {
  it('is tried again, cut down, or handed to a person', () => {
    expect(adviceFor('GATEWAY_UNREACHABLE')).toBe('again')
    expect(adviceFor('TIMED_OUT')).toBe('again')
    expect(adviceFor('PAYLOAD_TOO_LARGE')).toBe('shorter')
    expect(adviceFor('UNAUTHORIZED')).toBe('enroll')
    expect(adviceFor('AGENT_VERSION_UNSUPPORTED')).toBe('upgrade')
    expect(adviceFor('NOT_FOUND')).toBe('give-up')
  })

  it('cut down it is small, still valid, and says that there was more', () => {
    const diagnosis = {
      code: 'TRANSFER_INCOMPLETE' as const,
      sentence: 'rsync could not transfer everything.',
      short: 'files not transferred',
      evidence: Array.from({ length: 100 }, () => 'x'.repeat(1000)),
      nextAction: { kind: 'resync' as const, label: 'Try again' },
      transient: true,
    }
    const run = AgentRunState.parse(
      aRun({ failure: diagnosis, warnings: [{ code: 'W', message: 'm', evidence: diagnosis.evidence }] }),
    )
    const small = shortened(run)
    expect(AgentRunState.parse(small).failure?.evidence.at(-1)).toContain('97 lines more')
    expect(JSON.stringify(small).length).toBeLessThan(JSON.stringify(run).length / 10)
    expect(fitting(run)).toBe(run)
    const huge = {
      ...run,
      warnings: Array.from({ length: 20 }, () => ({ code: 'W', message: 'm', evidence: diagnosis.evidence })),
    }
    expect(JSON.stringify(fitting(huge)).length).toBeLessThan(agentApiLimits.bodyBytes / 10)
  })
})

describe('the schedule', () => {
  const every = (afterMs: number): number => (Math.floor(afterMs / hourMs) + 1) * hourMs

  it('what was slept through is due once, and the next time counts from now', () => {
    const stored = { expression: '@hourly', nextRunAt: nowMs - 10 * hourMs }
    const state = scheduleAt(stored, '@hourly', nowMs, every)
    expect(state).toEqual(stored)
    expect(isDue(stored, nowMs)).toBe(true)
    const next = scheduleAt(null, '@hourly', nowMs, every)
    expect(next).toEqual({ expression: '@hourly', nextRunAt: nowMs + hourMs })
    expect(next === null ? null : isDue(next, nowMs)).toBe(false)
  })

  it('a changed expression forgets the time of the old one', () => {
    const stored = { expression: '@daily', nextRunAt: nowMs - 1 }
    expect(scheduleAt(stored, '@hourly', nowMs, every)?.nextRunAt).toBe(nowMs + hourMs)
    expect(scheduleAt(stored, '@never', nowMs, () => null)).toBeNull()
  })
})

describe('what ssh is told', () => {
  const settings = {
    host: 'fe80::1%eth0',
    port: 2222,
    user: 'sync',
    key: '/etc/with space/ssh/agent_key',
    certificate: '/etc/with space/ssh/agent_key-cert.pub',
    knownHosts: '/etc/100%/known_hosts',
  }

  it('S0.39 names this key with this certificate, and no other way in', () => {
    const config = renderAgentSshConfig(settings)
    for (const line of [
      'IdentityFile "/etc/with space/ssh/agent_key"',
      'CertificateFile "/etc/with space/ssh/agent_key-cert.pub"',
      'IdentitiesOnly yes',
      'IdentityAgent none',
      'StrictHostKeyChecking yes',
      'BatchMode yes',
      'PasswordAuthentication no',
      'HostName fe80::1%%eth0',
      'UserKnownHostsFile "/etc/100%%/known_hosts"',
    ])
      expect(config.split('\n')).toContain(line)
  })

  it('storage stands in known_hosts with its port when that is not 22', () => {
    expect(knownHostName('storage.internal', 22)).toBe('storage.internal')
    expect(knownHostName('storage.internal', 2222)).toBe('[storage.internal]:2222')
    expect(sshCommandOf('/a b/c')).toBe('ssh -F "/a b/c"')
  })
})

describe('what storage says of itself', () => {
  it('is nothing when the login runs something else than our script', () => {
    expect(readStorageFacts('rrsync: not allowed\n', { targets: 1, sources: 0 })).toBeNull()
  })

  it('a directory it says nothing of is not taken for usable', () => {
    const output =
      'lockstep-facts-begin\nrsync yes\nclock 1767787200\ntarget0.status ok\ntarget0.files 1\ntarget0.free 10\nlockstep-facts-end\n'
    const facts = readStorageFacts(output, { targets: 2, sources: 0 })
    expect(facts).toMatchObject({ hasRsync: true, clockSeconds: 1_767_787_200 })
    expect(facts?.targets[0]).toMatchObject({ status: 'ok', hasFiles: true, freeBytes: 10_240 })
    expect(facts?.targets[1]).toMatchObject({ status: 'refused', freeBytes: null })
  })
})
