import { fireEvent, screen, waitFor } from '@testing-library/react'
import { afterEach, describe, expect, it } from 'vitest'
import { createFakeLink, type FakeLink } from '../../api/links/fake.ts'
import { fakeNodes, fakePlan } from '../../api/links/fakeFleet.ts'
import { renderView } from '../../dev/renderForTest.tsx'
import { Guide } from './Guide.tsx'

let stop: (() => void) | null = null
afterEach(() => stop?.())

const fleet = (): FakeLink => createFakeLink({ nodes: fakeNodes(6, Date.now()), plans: [fakePlan] })

describe('guides in the console', () => {
  it('S1.105 goes through the fleet at a press and says when nothing is wrong', async () => {
    const link = fleet()
    stop = (await renderView(() => <Guide guide="nothing-is-synced" label="Nothing is synced?" />, link, '#/runs')).stop
    fireEvent.click(screen.getByRole('button', { name: 'Nothing is synced?' }))
    expect(await screen.findByText('Is the service running?')).toBeTruthy()
    expect(screen.getByText('lockstep diagnose nothing-is-synced', { exact: false })).toBeTruthy()
  })

  it('S1.106 names the cause with one button, which says before what it does', async () => {
    const link = fleet()
    const node = [...link.engine.nodes.values()].find(({ plans }) => plans.length > 0)
    if (node === undefined) throw new Error('no node')
    link.engine.saveNode({ ...node, maintenance: true })
    const guide = () => <Guide guide="node-stays-pending" label="Why does it stay pending?" node={node} />
    stop = (await renderView(guide, link, '#/fleet')).stop
    fireEvent.click(screen.getByRole('button', { name: 'Why does it stay pending?' }))
    const button = await screen.findByRole('button', { name: 'End the maintenance' })
    expect(screen.getByText(`${node.name} is synced with the next cycle.`)).toBeTruthy()
    fireEvent.click(button)
    expect((await screen.findByRole('status')).textContent).toBe('Begun.')
    await waitFor(() => expect(link.engine.nodes.get(node.id)?.maintenance).toBe(false))
  })
})
