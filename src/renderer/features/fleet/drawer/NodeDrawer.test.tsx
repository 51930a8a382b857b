import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { cleanup, fireEvent, render, screen, waitFor, within } from '@testing-library/react'
import { afterEach, describe, expect, it } from 'vitest'
import { AppError } from '../../../../shared/errors.ts'
import type { Diagnosis } from '../../../../shared/model/diagnosis.ts'
import type { RunId } from '../../../../shared/model/ids.ts'
import type { FleetNode } from '../../../../shared/model/node.ts'
import { LinkProvider } from '../../../api/LinkContext.tsx'
import { createFakeLink, type FakeLink } from '../../../api/links/fake.ts'
import { fakeNode, fakePlan } from '../../../api/links/fakeFleet.ts'
import { operations } from '../../../stores/operations.ts'
import { ReplicaProvider } from '../../../stores/ReplicaContext.tsx'
import { createReplica, type Replica } from '../../../stores/replica.ts'
import { NodeDrawer } from './NodeDrawer.tsx'

const started: Replica[] = []
afterEach(() => {
  cleanup()
  for (const replica of started.splice(0)) replica.stop()
  operations.setState({ resync: new Map(), renew: new Map() })
})

type Condition = NonNullable<Parameters<typeof fakeNode>[2]>

async function openDrawer(
  condition: Condition,
  overrides: Partial<FleetNode> = {},
  others: readonly FleetNode[] = [],
): Promise<{ readonly link: FakeLink; readonly name: string; readonly closed: () => boolean }> {
  const node = { ...fakeNode(7, Date.now(), condition), ...overrides }
  const link = createFakeLink({ nodes: [node, ...others], plans: [fakePlan] })
  const replica = createReplica(link, { flushIntervalMs: 5, minRetryMs: 1, maxRetryMs: 5 })
  started.push(replica)
  let closed = false
  render(
    <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}>
      <LinkProvider link={link}>
        <ReplicaProvider replica={replica}>
          <NodeDrawer
            nodeId={node.id}
            onClose={() => {
              closed = true
            }}
          />
        </ReplicaProvider>
      </LinkProvider>
    </QueryClientProvider>,
  )
  await waitFor(() => expect(replica.store.getState().connection).toBe('live'))
  await screen.findByRole('heading', { name: node.name })
  return { link, name: node.name, closed: () => closed }
}

const button = (name: string): HTMLButtonElement => screen.getByRole('button', { name })
const onlyRun = (link: FakeLink): RunId => {
  const [run, ...others] = [...link.engine.runs.keys()]
  if (run === undefined || others.length > 0) throw new Error(`expected one run, found ${link.engine.runs.size}`)
  return run
}

function unreachable(node: FleetNode) {
  if (node.reachability.status !== 'unreachable') throw new Error('the node answers')
  return node.reachability
}

const wrongPort = (node: FleetNode): Diagnosis => ({
  code: 'CONNECTION_REFUSED',
  transient: true,
  short: 'connection refused',
  sentence: `${node.name} refused the connection.`,
  evidence: [],
  nextAction: { kind: 'edit-node', label: 'Correct the port' },
})

describe('the drawer of a node', () => {
  it('D9 S1.88 says that a static key is used, how many share it, and the way to certificates', async () => {
    const login = { kind: 'static-key', keyFile: '/keys/fleet' } as const
    const other = { ...fakeNode(8, Date.now(), 'in-step'), login }
    const { name } = await openDrawer('in-step', { login, certificate: null }, [other])
    expect(screen.getByText(/Logs in with a static key shared by/).textContent).toContain('2 nodes')
    expect(screen.getByText('static key')).toBeTruthy()
    expect(screen.getByText(/lockstep nodes update/).textContent).toContain(
      `lockstep nodes update ${name} --certificate`,
    )
    expect(screen.queryByRole('button', { name: 'Renew' })).toBeNull()
    expect(button('Resync').disabled).toBe(false)
  })

  it('says in one sentence why the node is not green, with its evidence', async () => {
    await openDrawer('error')
    expect(screen.getByText(/refused our certificate: principal sync-agent is not allowed/)).toBeTruthy()
    expect(screen.getByText(/name is not a listed principal/)).toBeTruthy()
  })

  it('S0.88 calls a resync done only when the node has proven it', async () => {
    const { link } = await openDrawer('drift')
    fireEvent.click(button('Resync'))
    await waitFor(() => expect(link.engine.runs.size).toBe(1))
    await screen.findByText(/init/)
    expect(button('Resync').getAttribute('aria-disabled')).toBe('true')
    fireEvent.click(button('Resync'))
    expect(screen.queryByText(/verified on the node/)).toBeNull()
    link.engine.endRun(onlyRun(link), 'succeeded')
    await screen.findByText(/verified on the node, 200 files read back/)
    await waitFor(() => expect(button('Resync').getAttribute('aria-disabled')).toBeNull())
    expect(link.engine.pushKeys).toHaveLength(1)
  })

  it('names the cause when a resync fails, and lets one press again', async () => {
    const { link } = await openDrawer('pending')
    fireEvent.click(button('Resync'))
    await waitFor(() => expect(link.engine.runs.size).toBe(1))
    link.engine.endRun(onlyRun(link), 'failed')
    await waitFor(() => expect(screen.getAllByText(/connection lost/).length).toBeGreaterThan(0))
    expect(button('Resync').getAttribute('aria-disabled')).toBeNull()
  })

  it('S0.60 asks again under the same key when the engine could not be reached, so that one press is one run', async () => {
    const { link } = await openDrawer('pending')
    link.engine.pushFailures.push({ when: 'after', error: new AppError('ENGINE_UNAVAILABLE', 'The connection broke.') })
    fireEvent.click(button('Resync'))
    await waitFor(() => expect(link.engine.pushKeys).toHaveLength(2), { timeout: 4000 })
    expect(link.engine.pushKeys[0]).toBe(link.engine.pushKeys[1])
    expect(link.engine.runs.size).toBe(1)
  })

  it('shows a refusal of the engine and offers to ask again under the same key', async () => {
    const { link } = await openDrawer('pending')
    link.engine.pushFailures.push({
      when: 'before',
      error: new AppError('VAULT_LOCKED', 'The key vault is locked: unlock it first.'),
    })
    fireEvent.click(button('Resync'))
    await screen.findByText('The key vault is locked: unlock it first.')
    fireEvent.click(button('Ask again'))
    await waitFor(() => expect(link.engine.runs.size).toBe(1))
    expect(link.engine.pushKeys[0]).toBe(link.engine.pushKeys[1])
  })

  it('says that nothing was pushed when no plan reaches the node', async () => {
    const { link } = await openDrawer('in-step')
    link.engine.plans.clear()
    fireEvent.click(button('Resync'))
    await screen.findByText(/no plan reaches this node/)
  })

  it('calls a renewal done when the node accepted the certificate', async () => {
    await openDrawer('in-step')
    fireEvent.click(button('Renew'))
    await screen.findByText(/the node accepted certificate/)
  })

  it('does not call a renewal done that no login has proven', async () => {
    await openDrawer('unreachable')
    fireEvent.click(button('Renew'))
    await screen.findByText(/Issued, not proven/)
    expect(screen.queryByText(/^Renewed:/)).toBeNull()
  })

  it('shows both fingerprints before a changed host key is trusted, with the focus on Cancel', async () => {
    const { link, name } = await openDrawer('host-key')
    const pinned = link.engine.node(name).hostKeys[0]?.fingerprint ?? ''
    const { offered } = await link.client.nodes.probeHostKey({ address: link.engine.node(name).address, port: 22 })
    const shown = offered[0]?.fingerprint ?? ''
    fireEvent.click(button('Compare the keys'))
    const dialog = await screen.findByRole('alertdialog')
    await within(dialog).findByText(shown)
    expect(within(dialog).getByText(pinned)).toBeTruthy()
    await waitFor(() => expect(document.activeElement?.textContent).toBe('Cancel'))
    fireEvent.click(within(dialog).getByRole('button', { name: 'Cancel' }))
    expect(link.engine.node(name).hostKeys[0]?.fingerprint).toBe(pinned)
    fireEvent.click(button('Compare the keys'))
    const again = await screen.findByRole('alertdialog')
    await within(again).findByText(shown)
    fireEvent.click(within(again).getByRole('button', { name: 'Trust this key' }))
    await waitFor(() => expect(link.engine.node(name).hostKeys[0]?.fingerprint).toBe(shown))
  })

  it('walks the way to the node when doctor is asked', async () => {
    await openDrawer('error')
    fireEvent.click(screen.getAllByRole('button', { name: 'Run doctor' })[0] as HTMLElement)
    await screen.findByText('Compare the host key')
  })

  it('lets a wrong port be corrected where the cause is named', async () => {
    const { link, name } = await openDrawer('unreachable')
    const node = link.engine.node(name)
    link.engine.saveNode({ ...node, reachability: { ...unreachable(node), diagnosis: wrongPort(node) } })
    fireEvent.click(await screen.findByRole('button', { name: 'Correct the port' }))
    fireEvent.change(await screen.findByLabelText('Port'), { target: { value: '0' } })
    fireEvent.click(button('Save and look again'))
    await waitFor(() => expect(screen.getByLabelText('Port').getAttribute('aria-invalid')).toBe('true'))
    expect(link.engine.node(name).port).toBe(node.port)
    fireEvent.change(screen.getByLabelText('Port'), { target: { value: '2222' } })
    fireEvent.click(button('Save and look again'))
    await waitFor(() => expect(link.engine.node(name).port).toBe(2222))
    await waitFor(() => expect(screen.queryByLabelText('Port')).toBeNull())
  })

  it('offers the comparison of host keys, not the way back to the run that a changed key has halted', async () => {
    const { link, name } = await openDrawer('halted')
    const node = link.engine.node(name)
    const nextAction = { kind: 'accept-host-key' as const, label: 'Compare both fingerprints' }
    link.engine.saveNode({ ...node, statusReason: { ...wrongPort(node), code: 'HOST_KEY_CHANGED', nextAction } })
    fireEvent.click(await screen.findByRole('button', { name: 'Compare both fingerprints' }))
    await screen.findByRole('alertdialog')
  })

  it('switches maintenance on at the engine, not only here', async () => {
    const { link, name } = await openDrawer('in-step')
    fireEvent.click(screen.getByRole('checkbox', { name: /Maintenance/ }))
    await waitFor(() => expect(link.engine.node(name).maintenance).toBe(true))
    await screen.findByText(/is in maintenance/)
  })

  it('sends nothing while what it shows is only the last known state', async () => {
    const { link } = await openDrawer('drift')
    link.status.set('restarting')
    await screen.findByText(/this is the last known state/)
    expect(button('Resync').disabled).toBe(true)
    expect(button('Renew').disabled).toBe(true)
  })

  it('closes on Escape', async () => {
    const { closed, name } = await openDrawer('in-step')
    fireEvent.keyDown(screen.getByRole('complementary', { name: `Node ${name}` }), { key: 'Escape' })
    expect(closed()).toBe(true)
  })

  it('copies the command that does the same', async () => {
    const { link, name } = await openDrawer('in-step')
    fireEvent.click(screen.getAllByRole('button', { name: 'Copy command' })[0] as HTMLElement)
    await waitFor(() => expect(link.copied).toEqual([`lockstep push ${name} --wait`]))
  })
})
