import { fireEvent, screen, waitFor } from '@testing-library/react'
import { afterEach, describe, expect, it } from 'vitest'
import { createFakeLink, type FakeLink } from '../../api/links/fake.ts'
import { fakeNodes, fakePlan } from '../../api/links/fakeFleet.ts'
import { renderView } from '../../dev/renderForTest.tsx'
import { overlays } from '../../stores/overlays.ts'
import { Palette } from '../palette/Palette.tsx'
import { Guide } from './Guide.tsx'
import { GuideDialog } from './GuideDialog.tsx'

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

  const withPalette = () => (
    <>
      <Palette />
      <GuideDialog />
    </>
  )

  async function choose(label: string): Promise<void> {
    overlays.setState({ palette: true })
    fireEvent.change(await screen.findByRole('combobox', { name: /Find nodes/ }), { target: { value: label } })
    const found = await screen.findByRole('option', { name: new RegExp(label) })
    fireEvent.click(found)
  }

  it('N11 S1.105 the palette offers the fleet its guide, and it looks at once', async () => {
    stop = (await renderView(withPalette, fleet(), '#/runs')).stop
    await choose('Why is nothing synced')
    expect(await screen.findByText('Is the service running?')).toBeTruthy()
  })

  it('N11 S1.106 S1.107 the palette offers the guides of the node whose drawer is open', async () => {
    const link = fleet()
    const [node] = link.engine.nodes.values()
    if (node === undefined) throw new Error('no node')
    stop = (await renderView(withPalette, link, `#/fleet?node=${node.id}`)).stop
    await choose(`Why do routes not change on ${node.name}`)
    expect(await screen.findByText(`Routes do not change: ${node.name}`)).toBeTruthy()
    expect(await screen.findByText(`lockstep diagnose routes-not-updating ${node.name}`, { exact: false })).toBeTruthy()
  })

  it('N11 S1.106 asks which node where none is open', async () => {
    const link = fleet()
    const [node] = link.engine.nodes.values()
    if (node === undefined) throw new Error('no node')
    stop = (await renderView(withPalette, link, '#/runs')).stop
    await choose('Why does a node stay pending')
    fireEvent.change(await screen.findByRole('combobox', { name: 'Node' }), { target: { value: node.id } })
    expect(await screen.findByText(`lockstep diagnose node-stays-pending ${node.name}`, { exact: false })).toBeTruthy()
  })
})
