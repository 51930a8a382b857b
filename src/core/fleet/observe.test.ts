import { describe, expect, it } from 'vitest'
import { aNode } from '../../../test/fakes/aNode.ts'
import { Diagnosis } from '../../shared/model/diagnosis.ts'
import { withLogin, withoutLogin } from './observe.ts'

const diagnosis = Diagnosis.parse({
  code: 'CONNECTION_TIMED_OUT',
  sentence: 'node-01 gave no answer on port 22.',
  short: 'no answer',
  evidence: [],
  nextAction: { kind: 'wait', label: 'Wait' },
  transient: true,
})
const certificate = { serial: '7', authorityFingerprint: null, validAfter: 0, validBefore: 100 }

describe('what a look at a node teaches', () => {
  it('F7 keeps the moment a silence began, whatever the cause turned into', () => {
    const first = withoutLogin(aNode(), diagnosis, 1000)
    const second = withoutLogin(first, { ...diagnosis, code: 'CONNECTION_REFUSED' }, 2000)
    expect(second.reachability).toMatchObject({
      status: 'unreachable',
      since: 1000,
      checkedAt: 2000,
      diagnosis: { code: 'CONNECTION_REFUSED' },
    })
  })

  it('begins anew when the node answers, and marks the certificate as accepted', () => {
    const back = withLogin(withoutLogin(aNode(), diagnosis, 1000), { at: 3000, clockSkewMs: 12, certificate })
    expect(back.reachability).toEqual({ status: 'reachable', since: 3000, checkedAt: 3000, clockSkewMs: 12 })
    expect(back.certificate).toEqual({ ...certificate, acceptedAt: 3000 })
  })

  it('keeps the last measured skew when a login did not measure it', () => {
    const first = withLogin(aNode(), { at: 1000, clockSkewMs: 40, certificate })
    const second = withLogin(first, { at: 2000, clockSkewMs: null, certificate: null })
    expect(second.reachability).toMatchObject({ since: 1000, checkedAt: 2000, clockSkewMs: 40 })
    expect(second.certificate?.acceptedAt).toBe(1000)
  })
})
