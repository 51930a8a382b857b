import { screen } from '@testing-library/react'
import { afterEach, describe, expect, it } from 'vitest'
import type { Run, RunProof } from '../../../shared/model/run.ts'
import { createFakeLink } from '../../api/links/fake.ts'
import { fakeNodes, fakePlan } from '../../api/links/fakeFleet.ts'
import { renderView } from '../../dev/renderForTest.tsx'
import { View } from './index.tsx'

const nowMs = Date.now()
let stop: (() => void) | null = null

afterEach(() => {
  stop?.()
  stop = null
})

/** The facts beside a run of this kind that ended with this proof. */
async function provenWith(planKind: Run['planKind'], verify: RunProof['verify']): Promise<string> {
  const link = createFakeLink({ nodes: fakeNodes(1, nowMs), plans: [fakePlan] })
  link.engine.seedHistory(2)
  const run = [...link.engine.runs.values()].find((each) => each.proof !== null)
  if (run?.proof == null) throw new Error('no run with a proof')
  link.engine.runs.set(run.id, { ...run, planKind, proof: { ...run.proof, verify } })
  stop = (await renderView(View, link, `#/runs/${run.id}`)).stop
  return (await screen.findByRole('region', { name: 'What was proven' })).textContent ?? ''
}

describe('what a run has proven', () => {
  it('F56 tells the version of the revocation list and the serial that was refused', async () => {
    const text = await provenWith('krl', { mode: 'krl', krlVersion: 7, refusedSerial: '4711' })
    expect(text).toContain('version 7, read back from the node')
    expect(text).toContain('a login with revoked serial 4711, as it should be')
    expect(text).not.toContain('hashed')
  })

  it('F56 does not claim a refusal that nobody tried', async () => {
    const text = await provenWith('krl', { mode: 'krl', krlVersion: 0, refusedSerial: null })
    expect(text).toContain('nothing revoked that could have been tried')
  })

  it('S0.18 counts the authorities that are trusted and those whose certificates logged in', async () => {
    const text = await provenWith('trust', {
      mode: 'trust',
      authorities: ['SHA256:old', 'SHA256:new'],
      loggedInWith: ['SHA256:old'],
    })
    expect(text).toContain('2 authorities, read back from the node')
    expect(text).toContain('with certificates of 1 of 2 authorities')
  })

  it('F54 names the host certificate that was offered', async () => {
    const text = await provenWith('host-certificate', {
      mode: 'host-certificate',
      serial: '312',
      validAfter: nowMs,
      validBefore: nowMs + 1,
      authorityFingerprint: 'SHA256:host',
    })
    expect(text).toContain('host certificate serial 312')
    expect(text).toContain('SHA256:host')
  })

  it('S0.74 says of an agent how it compared', async () => {
    expect(await provenWith('agent', { mode: 'agent', compared: 'checksum' })).toContain('by content: nothing differed')
  })
})
