// @vitest-environment happy-dom
import { cleanup, fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, describe, expect, it } from 'vitest'
import { createFakeLink, type FakeLink } from '../../api/links/fake.ts'
import { fakeNodes } from '../../api/links/fakeFleet.ts'
import { renderView } from '../../dev/renderForTest.tsx'
import { seedRegistry } from '../../dev/seedRegistry.ts'
import { draftOf } from './draft/draft.ts'
import { draftStore } from './draft/draftStore.ts'
import { View } from './index.tsx'

let stop = (): void => undefined

afterEach(() => {
  stop()
  cleanup()
  for (const registry of ['services', 'nodes'] as const) draftStore(registry).begin(draftOf(registry, null))
})

const nowMs = 1_750_000_000_000

async function open(hash: string, services = 12, nodes = 24): Promise<FakeLink> {
  const link = createFakeLink({ nodes: fakeNodes(nodes, nowMs), nowMs: () => nowMs })
  seedRegistry(link, services)
  ;({ stop } = await renderView(View, link, hash))
  return link
}

const standing = (): HTMLElement => within(screen.getByRole('region', { name: 'Draft' })).getByRole('status')
const cellOf = (row: HTMLElement, index: number): HTMLElement =>
  within(row).getAllByRole('gridcell')[index] as HTMLElement
const rowOf = (name: string): HTMLElement => {
  const row = screen.getAllByRole('row').find((each) => each.textContent?.startsWith(name))
  if (row === undefined) throw new Error(`no row begins with ${name}`)
  return row
}

/** Puts another text into a cell as a person does: two clicks, writing, Enter. */
function write(name: string, column: number, text: string): void {
  fireEvent.doubleClick(cellOf(rowOf(name), column))
  const field = within(rowOf(name)).getByRole('textbox')
  fireEvent.change(field, { target: { value: text } })
  fireEvent.keyDown(field, { key: 'Enter' })
}

describe('the registry', () => {
  it('S1.22 S1.26 shows every service with its full name and who brought the revision', async () => {
    await open('#/registry/services')
    await waitFor(() => expect(rowOf('grafana').textContent).toContain('grafana.example.com'))
    expect(cellOf(rowOf('grafana'), 5).textContent).toBe('no')
    expect(standing().textContent).toContain('Revision 3 is in force, saved by ana@desk')
  })

  it('S1F.7 says of each service which source owns it, or that it is the console that does', async () => {
    const link = await open('#/registry/services')
    await waitFor(() => rowOf('grafana'))
    expect(screen.queryByRole('columnheader', { name: 'Owned by' })).toBeNull()
    const source = [...link.registry.sources.values()].find(({ registry }) => registry === 'services')
    if (source === undefined) throw new Error('no source')
    link.registry.brought.set(source.id, ['grafana'])
    link.engine.commit({ kind: 'sources.changed' })
    await screen.findByRole('columnheader', { name: 'Owned by' })
    expect(cellOf(rowOf('grafana'), 6).textContent).toBe(source.name)
    expect(cellOf(rowOf('vault'), 6).textContent).toBe('console')
  })

  it('S1F.8 shows a sensitive value by its key alone', async () => {
    await open('#/registry/services')
    await waitFor(() => rowOf('vault'))
    expect(within(rowOf('vault')).getByRole('img', { name: 'sealed' })).toBeTruthy()
    expect(document.body.textContent).not.toContain('c2VhbGVk')
  })

  it('S1.25 a wrong port is said at its field, cannot be saved, and what is in force stays', async () => {
    const link = await open('#/registry/services')
    await waitFor(() => rowOf('grafana'))
    write('grafana', 4, '99999')
    await waitFor(() => expect(standing().textContent).toContain('1 mistake. Revision 3 stays in force'))
    expect(cellOf(rowOf('grafana'), 4).getAttribute('aria-invalid')).toBe('true')
    expect(cellOf(rowOf('grafana'), 4).title).toContain('99999')
    expect(screen.getByRole('button', { name: 'Save…' })).toHaveProperty('disabled', true)
    expect(link.registry.get('services')?.revision.number).toBe(3)
  })

  it('S1F.6 shows which nodes change and how before it saves, then names the rollout that began', async () => {
    const link = await open('#/registry/services')
    await waitFor(() => rowOf('grafana'))
    write('grafana', 3, '100.64.9.9')
    await waitFor(() => expect(standing().textContent).toMatch(/1 changed\. \d+ of 24 nodes would change/))
    fireEvent.click(screen.getByRole('button', { name: 'Save…' }))
    const dialog = await screen.findByRole('alertdialog')
    expect(within(dialog).getByRole('list', { name: 'Changed entries' }).textContent).toContain('"100.64.9.9"')
    expect(within(dialog).getByRole('list', { name: 'Nodes that change' }).textContent).toContain('+100.64.9.9')
    fireEvent.click(within(dialog).getByRole('button', { name: 'Save the revision' }))
    await waitFor(() => expect(screen.getByText(/Saved as revision 4/)).toBeTruthy())
    const [rollout] = link.engine.rollouts.values()
    const watch = await screen.findByRole('link', { name: 'Watch the rollout' })
    expect(watch.getAttribute('href')).toContain(rollout?.id)
  })

  it('S1F.6 without the engine the draft is kept, said to be unchecked, and not to be saved', async () => {
    const link = await open('#/registry/services')
    await waitFor(() => rowOf('grafana'))
    link.status.set('restarting')
    link.breakStreams()
    await waitFor(() => expect(screen.getByRole('grid').closest('.stale')).not.toBeNull())
    write('grafana', 4, '4000')
    await waitFor(() => expect(standing().textContent).toContain('Not connected: the draft is kept here'))
    expect(screen.getByRole('button', { name: 'Save…' })).toHaveProperty('disabled', true)
    expect(cellOf(rowOf('grafana'), 4).textContent).toBe('4000')
  })

  it('S1F.4 an entry that is taken out stays in sight until it is saved, and comes back as it was', async () => {
    await open('#/registry/services')
    await waitFor(() => rowOf('grafana'))
    fireEvent.click(within(rowOf('grafana')).getByRole('button', { name: 'Take grafana out' }))
    await waitFor(() => expect(standing().textContent).toContain('1 removed'))
    fireEvent.click(within(rowOf('grafana')).getByRole('button', { name: 'Put grafana back' }))
    await waitFor(() => expect(standing().textContent).toContain('Nothing is changed here'))
  })

  it('S1F.6 follows what somebody else saves while nothing is changed here', async () => {
    const link = await open('#/registry/services')
    await waitFor(() => rowOf('grafana'))
    const now = link.registry.get('services')
    const text = JSON.stringify({ alone: { subdomain: 'alone', ip: '100.64.0.1', port: 1, public: false } })
    link.registry.save({ registry: 'services', text, baseNumber: now?.revision.number ?? 0, comment: '' })
    await waitFor(() => expect(rowOf('alone')).toBeTruthy())
    expect(standing().textContent).toContain('Revision 4 is in force')
  })

  it('S1.15 names nodes that are registered nowhere, and those that the fleet does not have', async () => {
    const link = await open('#/registry/nodes')
    await waitFor(() => expect(screen.getByText(/1 node of the fleet is not registered/)).toBeTruthy())
    const [node] = [...link.engine.nodes.values()].filter(({ kind }) => kind === 'vps')
    if (node === undefined) throw new Error('no vps')
    link.engine.commit({ kind: 'node.removed', nodeId: node.id })
    await waitFor(() => expect(rowOf(node.name).textContent).toContain('not in the fleet'))
  })

  it('F9 S1.26 draws only the rows in sight of ten thousand services, and counts nodes once', async () => {
    await open('#/registry/where', 10_000, 300)
    await waitFor(() => expect(screen.getByRole('grid').getAttribute('aria-rowcount')).toBe('10001'))
    expect(screen.getAllByRole('row').length).toBeLessThan(80)
    expect(rowOf('chat').textContent).toMatch(/\d+ of \d+/)
  })

  it('S1F.7 says of every source whether it is followed, or since when and why not', async () => {
    await open('#/registry/sources')
    const items = await screen.findAllByRole('listitem')
    expect(items[0]?.textContent).toContain('followed')
    expect(items[1]?.textContent).toContain('connection refused')
    expect(items[1]?.textContent).toContain('Since')
  })

  it('S1F.6 says what an empty registry is for, and what is to be done when it cannot be asked', async () => {
    await open('#/registry/services', 0)
    await waitFor(() => expect(screen.getByText('No services yet')).toBeTruthy())
    expect(standing().textContent).toContain('Nothing is registered yet')
  })
})
