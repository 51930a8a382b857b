import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, describe, expect, it } from 'vitest'
import type { PlanId } from '../../../shared/model/ids.ts'
import type { Plan } from '../../../shared/model/plan.ts'
import { createFakeLink, type FakeLink } from '../../api/links/fake.ts'
import { fakeDigest, fakeId, fakeNode, fakePlan } from '../../api/links/fakeFleet.ts'
import { renderView } from '../../dev/renderForTest.tsx'
import { View } from './index.tsx'

const nowMs = Date.now()
const nodes = [fakeNode(1, nowMs, 'in-step'), fakeNode(2, nowMs, 'in-step')] as const
let stop: (() => void) | null = null

async function show(link: FakeLink, hash: string): Promise<void> {
  stop = (await renderView(View, link, hash)).stop
}

const krlPlan = (selector: string): Plan => ({
  id: fakeId<PlanId>(2, 40),
  name: 'revocation list',
  kind: 'krl',
  selector,
  spec: { file: '/etc/ssh/lockstep.krl' },
  revision: 1,
  digest: fakeDigest(40),
  createdAt: nowMs,
  updatedAt: nowMs,
})

afterEach(() => {
  stop?.()
  stop = null
})

async function chooseAllLive(): Promise<HTMLElement> {
  await screen.findByRole('grid', { name: 'Issue log' })
  fireEvent.click(await screen.findByRole('button', { name: 'Choose all live shown' }))
  fireEvent.click(screen.getByRole('button', { name: /^Revoke \(/ }))
  return screen.findByRole('alertdialog')
}

describe('revoking', () => {
  it('F55 names the blast radius and demands a reason before anything is revoked', async () => {
    const link = createFakeLink({ nodes, plans: [fakePlan] })
    for (const node of nodes) link.engine.renew(node)
    await show(link, '#/certificates?tab=issued')
    const dialog = await chooseAllLive()
    await within(dialog).findByText(/2 certificates of 2 nodes/)
    const revoke = within(dialog).getByRole<HTMLButtonElement>('button', { name: 'Revoke 2 certificates' })
    expect(revoke.disabled).toBe(true)
    fireEvent.change(within(dialog).getByLabelText('Why'), { target: { value: '   ' } })
    expect(revoke.disabled).toBe(true)
    fireEvent.change(within(dialog).getByLabelText('Why'), { target: { value: 'laptop lost' } })
    expect(revoke.disabled).toBe(false)
    expect([...link.engine.certificates.values()].some((each) => each.revocation !== null)).toBe(false)
    fireEvent.click(revoke)
    await waitFor(() => expect(screen.queryByRole('alertdialog')).toBeNull())
    const grid = screen.getByRole('grid', { name: 'Issue log' })
    await waitFor(() => expect(within(grid).getAllByText('revoked: laptop lost')).toHaveLength(2))
    expect(link.trust.krl.version).toBe(1)
    const note = screen.getByRole('status', { name: 'Result of the revocation' })
    expect(note.textContent).toContain('Version 1 of the list is made; no run brings it to a node now.')
  })

  it('F56 says plainly where no list is delivered that the certificate keeps working until it ends', async () => {
    const link = createFakeLink({ nodes, plans: [fakePlan] })
    link.engine.savePlan(krlPlan(nodes[0].name))
    for (const node of nodes) link.engine.renew(link.engine.node(node.id))
    await show(link, '#/certificates?tab=issued')
    const dialog = await chooseAllLive()
    await within(dialog).findByText(/delivered to 1 node, and each proves that it refuses them/)
    expect(dialog.textContent).toContain('1 node gets no revocation list')
    expect(dialog.textContent).toContain('keeps working until it ends')
    expect(dialog.textContent).toContain(nodes[1].name)
  })
})

describe('coverage of the revocation list', () => {
  it('F56 teaches when no node gets the list, and makes the plan that brings it', async () => {
    const link = createFakeLink({ nodes, plans: [fakePlan] })
    await show(link, '#/certificates?tab=krl')
    expect(await screen.findByText('No node gets the revocation list')).toBeDefined()
    fireEvent.click(screen.getByRole('button', { name: 'Deliver it to all nodes…' }))
    const dialog = await screen.findByRole('alertdialog')
    expect(dialog.textContent).toContain('2 nodes')
    expect(link.engine.plans.size).toBe(1)
    fireEvent.click(within(dialog).getByRole('button', { name: 'Make the plan' }))
    await screen.findByRole('grid', { name: 'Nodes and their revocation list' })
    expect([...link.engine.plans.values()].map((plan) => plan.kind)).toContain('krl')
  })

  it('F56 shows who is behind, delivers to those alone, and counts a node only when it has proven the version', async () => {
    const link = createFakeLink({ nodes, plans: [fakePlan] })
    link.engine.savePlan(krlPlan('*'))
    link.trust.saveKrl(3)
    link.engine.saveNode({ ...link.engine.node(nodes[0].id), krl: { version: 3, verifiedAt: nowMs } })
    link.engine.saveNode({ ...link.engine.node(nodes[1].id), krl: { version: 2, verifiedAt: nowMs } })
    await show(link, '#/certificates?tab=krl')
    await screen.findByText('Version 3')
    expect(await screen.findByRole('button', { name: '1 behind' })).toBeDefined()
    fireEvent.click(screen.getByRole('button', { name: 'Deliver now (1)…' }))
    const dialog = await screen.findByRole('alertdialog')
    expect(dialog.textContent).toContain(nodes[1].name)
    expect(dialog.textContent).not.toContain(nodes[0].name)
    fireEvent.click(within(dialog).getByRole('button', { name: 'Deliver to 1 node' }))
    const delivery = await screen.findByRole('status', { name: 'Delivery of the revocation list' })
    await waitFor(() => expect(delivery.textContent).toContain('0 of 1 run proven'))
    const [run] = [...link.engine.runs.values()]
    expect(run).toMatchObject({ planKind: 'krl', nodeId: nodes[1].id })
    expect(screen.getByText('Obeyed by', { exact: false }).textContent).toContain('1 of 2 nodes')
    link.engine.endRun(run?.id as never, 'succeeded')
    await waitFor(() => expect(delivery.textContent).toContain('1 of 1 run proven'))
    await waitFor(() => expect(screen.getByText('Obeyed by', { exact: false }).textContent).toContain('2 of 2 nodes'))
    expect(screen.getByRole<HTMLButtonElement>('button', { name: 'Deliver now…' }).disabled).toBe(true)
  })
})
