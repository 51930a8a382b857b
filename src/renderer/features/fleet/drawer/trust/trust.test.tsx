import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, describe, expect, it } from 'vitest'
import type { PlanId } from '../../../../../shared/model/ids.ts'
import type { Plan } from '../../../../../shared/model/plan.ts'
import { createFakeLink, type FakeLink } from '../../../../api/links/fake.ts'
import { fakeDigest, fakeId, fakeNode, fakePlan } from '../../../../api/links/fakeFleet.ts'
import { renderView } from '../../../../dev/renderForTest.tsx'
import { NodeDrawer } from '../NodeDrawer.tsx'

const nowMs = Date.now()
const node = fakeNode(7, nowMs, 'in-step')
const dayMs = 86_400_000
let stop: (() => void) | null = null

const plan = (kind: 'krl' | 'host-certificate'): Plan =>
  ({
    id: fakeId<PlanId>(2, kind === 'krl' ? 40 : 41),
    name: kind,
    kind,
    selector: '*',
    spec:
      kind === 'krl'
        ? { file: '/etc/ssh/lockstep.krl' }
        : { keyFile: '/k.pub', certificateFile: '/k-cert.pub', names: [] },
    revision: 1,
    digest: fakeDigest(1),
    createdAt: nowMs,
    updatedAt: nowMs,
  }) as Plan

async function open(prepare: (link: FakeLink) => void = () => undefined): Promise<FakeLink> {
  const link = createFakeLink({ nodes: [node], plans: [fakePlan] })
  prepare(link)
  stop = (await renderView(() => <NodeDrawer nodeId={node.id} onClose={() => undefined} />, link, '#/fleet')).stop
  await screen.findByRole('heading', { name: node.name })
  return link
}

const section = (title: string): HTMLElement =>
  screen.getByRole('heading', { name: title }).closest('section') as HTMLElement

afterEach(() => {
  stop?.()
  stop = null
})

describe('trust in the drawer of a node', () => {
  it('F54 says which host certificate is offered, who signed it and when it ends', async () => {
    await open(({ engine, trust }) => {
      trust.create(['ssh-host'])
      engine.saveNode({
        ...engine.node(node.id),
        hostCertificate: {
          serial: '312',
          authorityFingerprint: trust.authority('ssh-host').fingerprint,
          validAfter: nowMs - 20 * dayMs,
          validBefore: nowMs + 9.5 * dayMs,
          verifiedAt: nowMs,
        },
      })
    })
    await waitFor(() => expect(section('Host certificate').textContent).toContain('Signed by our host authority'))
    expect(section('Host certificate').textContent).toContain('9 d left')
    expect(section('Host certificate').textContent).toContain('Offered serial 312')
  })

  it('F54 calls a host certificate of somebody else by its name', async () => {
    await open(({ engine }) => {
      engine.saveNode({
        ...engine.node(node.id),
        hostCertificate: {
          serial: '1',
          authorityFingerprint: 'SHA256:foreign',
          validAfter: nowMs - dayMs,
          validBefore: nowMs - 60_000,
          verifiedAt: nowMs,
        },
      })
    })
    await waitFor(() => expect(section('Host certificate').textContent).toContain('an authority that is not ours'))
    expect(section('Host certificate').textContent).toContain('expired')
  })

  it('F54 renews the host certificate with a run, done only when the node offered it', async () => {
    const link = await open(({ engine }) => void engine.savePlan(plan('host-certificate')))
    fireEvent.click(within(section('Host certificate')).getByRole('button', { name: 'Issue it now' }))
    await within(section('Host certificate')).findByText('under way')
    const [run] = [...link.engine.runs.values()]
    expect(run?.planKind).toBe('host-certificate')
    link.engine.endRun(run?.id as never, 'succeeded')
    await within(section('Host certificate')).findByText('proven on the node')
    expect(section('Host certificate').textContent).toContain('Offered serial 312')
  })

  it('F56 shows the version of the revocation list that was proven, and that a newer one is there', async () => {
    const link = await open(({ engine, trust }) => {
      engine.savePlan(plan('krl'))
      trust.saveKrl(7)
      engine.saveNode({ ...engine.node(node.id), krl: { version: 6, verifiedAt: nowMs } })
    })
    await waitFor(() => expect(section('Revocation list').textContent).toContain('The list is at version 7 now.'))
    fireEvent.click(within(section('Revocation list')).getByRole('button', { name: 'Deliver now' }))
    await waitFor(() => expect(link.engine.runs.size).toBe(1))
    link.engine.endRun([...link.engine.runs.keys()][0] as never, 'succeeded')
    await waitFor(() => expect(section('Revocation list').textContent).toContain('Version 7 was proven'))
    expect(section('Revocation list').textContent).toContain('obeys this version')
  })

  it('F56 says plainly when no list is delivered here', async () => {
    await open()
    expect(section('Revocation list').textContent).toContain('keeps working on this node until it ends')
  })

  it('F55 revokes what this node could use, with a reason', async () => {
    const link = await open(({ engine }) => void engine.renew(engine.node(node.id)))
    fireEvent.click(within(section('Certificate')).getByRole('button', { name: 'Revoke its certificates…' }))
    const dialog = await screen.findByRole('alertdialog')
    await within(dialog).findByText(/1 certificate of 1 node/)
    fireEvent.change(within(dialog).getByLabelText('Why'), { target: { value: 'stolen' } })
    fireEvent.click(within(dialog).getByRole('button', { name: 'Revoke 1 certificate' }))
    await waitFor(() => expect(screen.queryByRole('alertdialog')).toBeNull())
    expect([...link.engine.certificates.values()][0]?.revocation?.reason).toBe('stolen')
  })

  it('D10 shows none of it for a node whose agent reports by itself', async () => {
    await open(({ engine }) => void engine.saveNode({ ...engine.node(node.id), transport: 'poll' }))
    await waitFor(() => expect(screen.queryByRole('heading', { name: 'Storage' })).toBeNull())
    expect(screen.queryByRole('heading', { name: 'Revocation list' })).toBeNull()
  })
})
