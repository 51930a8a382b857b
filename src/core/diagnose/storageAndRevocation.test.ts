import { describe, expect, it } from 'vitest'
import { aNode } from '../../../test/fakes/aNode.ts'
import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import { diagnoseConnection } from './connection.ts'
import { refineRefusal } from './storageAndRevocation.ts'

const certificate = { serial: '7', principals: ['sync-agent'], validAfter: 0, validBefore: 9e12 }
const said = (code: Diagnosis['code']): Diagnosis => ({
  code,
  sentence: 'no',
  short: 'no',
  evidence: ['Permission denied'],
  nextAction: { kind: 'none', label: '' },
  transient: false,
})

describe('a refusal in the light of what we know', () => {
  it('F55 names the revocation from the issue log, since sshd only says no', () => {
    const revocation = { revokedAt: 0, revokedBy: 'anna', reason: 'laptop lost' }
    const cause = refineRefusal(aNode(), said('KEY_REFUSED'), { certificate, revocation })
    expect(cause).toMatchObject({ code: 'CERTIFICATE_REVOKED', nextAction: { kind: 'renew-certificate' } })
    expect(cause.sentence).toMatch(/certificate 7.*anna.*laptop lost/)
    expect(cause.evidence).toContain('Permission denied')
  })

  it('D4 offers to set up a storage whose principals do not fit, and no other node', () => {
    const known = { certificate, revocation: null }
    const onStorage = refineRefusal(aNode({ kind: 'storage' }), said('PRINCIPAL_NOT_LISTED'), known)
    expect(onStorage.nextAction.kind).toBe('set-up-storage')
    const onVps = refineRefusal(aNode({ kind: 'vps' }), said('PRINCIPAL_NOT_LISTED'), known)
    expect(onVps.nextAction.kind).toBe('none')
  })

  it('F55 thinks of a list that vanished, where one was delivered', () => {
    const known = { certificate, revocation: null }
    const with3 = aNode({ krl: { version: 3, verifiedAt: 0 } })
    expect(refineRefusal(with3, said('KEY_REFUSED'), known).evidence.join()).toContain('revocation list 3')
    expect(refineRefusal(aNode(), said('KEY_REFUSED'), known).evidence).toEqual(['Permission denied'])
  })

  it('F55 says so in the sentence as well, where nothing proves another cause', () => {
    const refused = { stage: 'authenticate', nowMs: 1000, message: 'Permission denied', certificate } as const
    const listed = aNode({ user: 'root', krl: { version: 3, verifiedAt: 0 } })
    expect(diagnoseConnection(listed, refused).sentence).toMatch(/revocation list is gone.*cert krl --out/)
    expect(diagnoseConnection({ ...listed, krl: null }, refused).sentence).not.toContain('revocation list')
    const tried = (principalIsUser: 'accepted' | 'refused') =>
      diagnoseConnection(listed, { ...refused, probes: { principalIsUser, wideValidity: 'refused' } }).sentence
    expect(tried('accepted')).not.toContain('revocation list')
    expect(tried('refused')).toContain('revocation list is gone')
  })
})
