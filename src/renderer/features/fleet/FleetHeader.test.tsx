import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { cleanup, fireEvent, render, screen, waitFor, within } from '@testing-library/react'
import { afterEach, describe, expect, it } from 'vitest'
import { LinkProvider } from '../../api/LinkContext.tsx'
import { createFakeLink, type FakeLink } from '../../api/links/fake.ts'
import { fakeNode, fakePlan } from '../../api/links/fakeFleet.ts'
import { operations } from '../../stores/operations.ts'
import { ReplicaProvider } from '../../stores/ReplicaContext.tsx'
import { createReplica, type Replica } from '../../stores/replica.ts'
import { View } from './index.tsx'

const started: Replica[] = []
afterEach(() => {
  cleanup()
  for (const replica of started.splice(0)) replica.stop()
  operations.setState({ resync: new Map(), renew: new Map() })
})

/** Four nodes, the last one in maintenance, as a table: happy-dom draws no map. */
async function openFleet(query: Readonly<Record<string, string>> = {}): Promise<FakeLink> {
  const conditions = ['in-step', 'pending', 'in-step', 'maintenance'] as const
  const nodes = conditions.map((condition, index) => fakeNode(index, Date.now(), condition))
  const link = createFakeLink({ nodes, plans: [fakePlan] })
  const replica = createReplica(link, { flushIntervalMs: 5, minRetryMs: 1, maxRetryMs: 5 })
  started.push(replica)
  render(
    <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
      <LinkProvider link={link}>
        <ReplicaProvider replica={replica}>
          <View route={{ view: 'fleet', path: [], query: { view: 'table', ...query } }} />
        </ReplicaProvider>
      </LinkProvider>
    </QueryClientProvider>,
  )
  await waitFor(() => expect(replica.store.getState().connection).toBe('live'))
  return link
}

const press = async (name: string): Promise<HTMLElement> => {
  const button = await screen.findByRole<HTMLButtonElement>('button', { name })
  await waitFor(() => expect(button.disabled).toBe(false))
  fireEvent.click(button)
  return screen.findByRole('alertdialog')
}

describe('the header of the fleet', () => {
  it('resyncs all that are shown and not in maintenance, after it has named how many', async () => {
    const link = await openFleet()
    const decision = await press('Resync all…')
    expect(decision.textContent).toContain('3 of 4 nodes')
    expect(link.engine.runs.size).toBe(0)
    fireEvent.click(within(decision).getByRole('button', { name: 'Resync' }))
    await waitFor(() => expect(link.engine.runs.size).toBe(3))
    expect(link.engine.pushKeys).toHaveLength(1)
  })

  it('says how many are shown where a filter is in force, and reaches no other', async () => {
    const link = await openFleet({ filter: 'tile:in-step' })
    const decision = await press('Resync 2 shown…')
    fireEvent.click(within(decision).getByRole('button', { name: 'Resync' }))
    await waitFor(() => expect(link.engine.runs.size).toBe(2))
  })

  it('cannot be pressed when what is shown may not be pushed to', async () => {
    await openFleet({ filter: 'tile:maintenance' })
    const button = await screen.findByRole<HTMLButtonElement>('button', { name: 'Resync 0 shown…' })
    expect(button.disabled).toBe(true)
  })
})
