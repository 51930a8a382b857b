import { describe, expect, it } from 'vitest'
import { aNode } from '../../../test/fakes/aNode.ts'
import { aDiagnosis } from '../../../test/fakes/aRun.ts'
import { canBeRenewed, hostCertificateIsDue, loginCertificateIsDue } from './renewalDue.ts'

const hourMs = 3_600_000
const certificate = { validAfter: 0, validBefore: 16 * hourMs, authorityFingerprint: 'SHA256:old' }
const context = { nowMs: hourMs, minValidMs: hourMs, signer: null }

describe('which certificates are due', () => {
  it.each([
    ['fresh', hourMs, false],
    ['at the last moment before the limit', 15 * hourMs, false],
    ['with less left than min_valid_seconds', 15 * hourMs + 1, true],
    ['expired while the machine slept', 40 * hourMs, true],
    ['not valid yet, because the clock was set back', -1, true],
  ])('S0.38 U8 a login certificate that is %s', (_when, nowMs, due) => {
    expect(loginCertificateIsDue(certificate, null, { ...context, nowMs })).toBe(due)
    expect(loginCertificateIsDue(null, certificate, { ...context, nowMs })).toBe(due)
  })

  it('a node that never accepted one has nothing to renew', () =>
    expect(loginCertificateIsDue(null, null, context)).toBe(false))

  it('F55 one of the authority that is being replaced is due, however long it would live', () => {
    expect(loginCertificateIsDue(certificate, null, { ...context, signer: 'SHA256:new' })).toBe(true)
    expect(loginCertificateIsDue(certificate, null, { ...context, signer: 'SHA256:old' })).toBe(false)
    const renewed = { ...certificate, authorityFingerprint: 'SHA256:new' }
    expect(loginCertificateIsDue(renewed, certificate, { ...context, signer: 'SHA256:new' })).toBe(false)
  })

  it.each([
    [9.9 * hourMs, 'SHA256:old', false],
    [10.7 * hourMs, 'SHA256:old', true],
    [20 * hourMs, null, true],
    [-1, null, true],
    [hourMs, 'SHA256:new', true],
  ])('F54 a host certificate at %d with %s signing', (nowMs, signer, due) =>
    expect(hostCertificateIsDue(certificate, { nowMs, signer })).toBe(due),
  )

  it('what cannot be reached, is worked on by hand or is served by an agent waits', () => {
    expect(canBeRenewed(aNode())).toBe(true)
    expect(canBeRenewed(aNode({ maintenance: true }))).toBe(false)
    expect(canBeRenewed(aNode({ transport: 'poll' }))).toBe(false)
    const diagnosis = aDiagnosis({ code: 'CONNECTION_REFUSED' })
    const reachability = { status: 'unreachable', since: 0, checkedAt: 0, diagnosis }
    expect(canBeRenewed(aNode({ reachability }))).toBe(false)
  })
})
