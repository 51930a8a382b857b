import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, describe, expect, it } from 'vitest'
import type { JoinTokenId } from '../../../shared/model/ids.ts'
import { createFakeLink, type FakeLink } from '../../api/links/fake.ts'
import type { AgentCondition } from '../../api/links/fakeAgentFleet.ts'
import { renderView } from '../../dev/renderForTest.tsx'
import { agentHash } from '../../stores/route.ts'
import { View } from './index.tsx'

const nowMs = 1_800_000_000_000
const settings = { address: '10.0.0.5', port: 8443, names: ['control.internal'] }
let stop: (() => void) | null = null

function fleet(...conditions: readonly AgentCondition[]): FakeLink {
  const link = createFakeLink({ nowMs: () => nowMs })
  link.agents.listen(settings)
  for (const condition of conditions) link.agents.add(condition)
  return link
}

async function show(link: FakeLink, hash = '#/agents'): Promise<void> {
  stop = (await renderView(View, link, hash)).stop
}

async function showDrawer(
  condition: AgentCondition,
): Promise<{ readonly link: FakeLink; readonly drawer: HTMLElement }> {
  const link = fleet(condition)
  const [agent] = link.engine.agents.values()
  if (agent === undefined) throw new Error('no agent')
  await show(link, agentHash(agent.id))
  return { link, drawer: await screen.findByRole('complementary', { name: `Agent ${agent.name}` }) }
}

const newToken = (link: FakeLink): JoinTokenId => {
  const [id] = [...link.agents.tokens.keys()].slice(-1)
  if (id === undefined) throw new Error('no token')
  return id
}

afterEach(() => {
  stop?.()
  stop = null
})

describe('the agents view', () => {
  it('teaches what an agent is while there is none', async () => {
    await show(createFakeLink({ nowMs: () => nowMs }))
    expect(await screen.findByText('No agents yet')).toBeDefined()
    expect(screen.getByText(/a join token from here and one command on the host/)).toBeDefined()
  })

  it('shows a handful as cards and more as a table, and a person may choose', async () => {
    await show(fleet('idle', 'running'))
    const cards = await screen.findByRole('list', { name: 'Agents' })
    expect(within(cards).getAllByRole('listitem')).toHaveLength(2)
    fireEvent.click(screen.getByRole('button', { name: 'Show as a table (v)' }))
    expect(await screen.findByRole('grid', { name: 'Agents' })).toBeDefined()
  })

  it('follows the machine of each agent while it is watched', async () => {
    const link = fleet('idle')
    await show(link)
    await screen.findByText(/^next in 1\d min/)
    const [agent] = link.engine.agents.values()
    if (agent === undefined) throw new Error('no agent')
    const runId = agent.lastRun?.runId as NonNullable<typeof agent.lastRun>['runId']
    link.agents.saveAgent({
      ...agent,
      activity: { status: 'running', runId, state: 'VERIFY', since: nowMs - 12_000 },
    })
    expect(await screen.findByText(/^verify, \d+ s/)).toBeDefined()
  })

  it('narrows to those that stand badly with one press', async () => {
    await show(fleet('idle', 'failed', 'idle', 'locked-out'), '#/agents?view=table')
    const grid = await screen.findByRole('grid', { name: 'Agents' })
    expect(within(grid).getAllByRole('row')).toHaveLength(5)
    fireEvent.click(screen.getByRole('button', { name: '1 last run failed', pressed: false }))
    await waitFor(() => expect(within(grid).getAllByRole('row')).toHaveLength(2))
    expect(location.hash).toContain('standing=failed')
  })

  it('keeps ten thousand agents out of the document but for those in sight', async () => {
    const link = fleet('idle')
    const [agent] = link.engine.agents.values()
    if (agent === undefined) throw new Error('no agent')
    for (let number = 2; number <= 10_000; number += 1) {
      const id = `${agent.id.slice(0, -5)}${String(number).padStart(5, '0')}` as typeof agent.id
      link.engine.agents.set(id, { ...agent, id, name: `agent-${number}` })
    }
    await show(link)
    const grid = await screen.findByRole('grid', { name: 'Agents' })
    expect(grid.getAttribute('aria-rowcount')).toBe('10001')
    expect(within(grid).getAllByRole('row').length).toBeLessThan(100)
  })

  it('names the one cause of many silent agents: a gateway that does not listen', async () => {
    const link = fleet('idle')
    link.agents.listen(settings, 'Port 8443 is taken by another program.')
    await show(link)
    expect((await screen.findByRole('alert')).textContent).toContain('Port 8443 is taken')
  })
})

describe('adding an agent', () => {
  it('goes from a closed gateway to an enrolled agent, and shows the secret once', async () => {
    const link = createFakeLink({ nowMs: () => nowMs })
    await show(link, '#/agents?add=1')
    fireEvent.change(await screen.findByLabelText('Address to listen at'), { target: { value: '10.0.0.5' } })
    expect(screen.getByText(/Whoever reaches 10\.0\.0\.5 can open a connection/)).toBeDefined()
    expect(link.agents.settings).toBeNull()
    fireEvent.click(screen.getByRole('button', { name: 'Switch the gateway on' }))
    fireEvent.change(await screen.findByLabelText('Name of its node'), { target: { value: 'db-export' } })
    expect(link.agents.settings).toEqual({ address: '10.0.0.5', port: 8443, names: ['10.0.0.5'] })
    fireEvent.click(screen.getByRole('button', { name: 'Create the token' }))
    await screen.findByText('Waiting for the agent…')
    const command =
      screen.getByText(/^printf %s 'lsj1\.[^']+' \| sudo lockstep-agent enroll --join-file -$/).textContent ?? ''
    fireEvent.click(screen.getByRole('button', { name: 'Copy command for the host' }))
    await waitFor(() => expect(link.copied).toEqual([command]))
    link.agents.enroll(newToken(link))
    expect(await screen.findByText('Enrolled: db-export')).toBeDefined()
    const secret = /'(.+)'/.exec(command)?.[1] ?? ''
    expect(secret).toMatch(/^lsj1\../)
    expect(document.body.innerHTML).not.toContain(secret)
    expect(location.hash).not.toContain(secret)
  })

  it('says that a token was withdrawn elsewhere, and offers another', async () => {
    const link = fleet()
    await show(link, '#/agents?add=1')
    fireEvent.click(await screen.findByRole('button', { name: 'Create the token' }))
    await screen.findByText('Waiting for the agent…')
    link.agents.revokeToken(newToken(link))
    expect(await screen.findByText(/withdrawn before any host used it/)).toBeDefined()
    expect(document.body.innerHTML).not.toContain('lsj1.')
    fireEvent.click(screen.getByRole('button', { name: 'Create another token' }))
    expect(await screen.findByLabelText('Name of its node')).toBeDefined()
  })

  it('refuses a name that no node can have, before anything is asked', async () => {
    const link = fleet()
    await show(link, '#/agents?add=1')
    fireEvent.change(await screen.findByLabelText('Name of its node'), { target: { value: '../etc' } })
    fireEvent.click(screen.getByRole('button', { name: 'Create the token' }))
    expect(await screen.findByText('a name holds no slash')).toBeDefined()
    expect(link.agents.tokens.size).toBe(0)
  })

  it('lists what became of every token, and withdraws one that is open', async () => {
    const link = fleet()
    link.agents.createToken('storage-agent-09', 3600)
    const used = link.agents.createToken(null, 3600).token
    link.agents.enroll(used.id)
    await show(link, '#/agents/tokens')
    const grid = await screen.findByRole('grid', { name: 'Join tokens' })
    expect(
      within(grid)
        .getByText(/any host/)
        .closest('[role=row]')?.textContent,
    ).toMatch(/used.*enrolled storage-agent/)
    fireEvent.click(within(grid).getByRole('button', { name: 'Withdraw…' }))
    fireEvent.click(await screen.findByRole('button', { name: 'Withdraw the token' }))
    expect(await within(grid).findByText('withdrawn')).toBeDefined()
  })
})

describe('one agent', () => {
  it('S0.41 shows the eleven states of the run under way, with its output', async () => {
    const { drawer } = await showDrawer('running')
    const track = await within(drawer).findByRole('list', { name: 'States of this run' })
    expect(within(track).getAllByRole('listitem')).toHaveLength(11)
    expect(within(track).getByLabelText(/^PUSH_SYNC: now/)).toBeDefined()
    expect(within(track).getByLabelText(/^REGISTER_RUN: done/)).toBeDefined()
    expect(await within(drawer).findByRole('log', { name: 'Output' })).toBeDefined()
  })

  it('D7 shows the command that breaks a lock of another machine, and who wrote it', async () => {
    const { drawer } = await showDrawer('foreign-lock')
    expect(within(drawer).getByText('lockstep-agent break-lock')).toBeDefined()
    expect(drawer.textContent).toContain('agent-07.old.internal wrote it')
  })

  it('says what it does as its agent.yaml has it, and where that is changed', async () => {
    const { drawer } = await showDrawer('idle')
    expect(within(drawer).getByText('configured on the agent in agent.yaml')).toBeDefined()
    expect(within(drawer).getByText('sync@storage.internal:22')).toBeDefined()
    expect(within(drawer).getByText('/srv/export → /data/incoming')).toBeDefined()
  })

  it('says why the last run failed in the words of the run', async () => {
    const { drawer } = await showDrawer('failed')
    expect(await within(drawer).findByText(/broke off: the connection was lost/)).toBeDefined()
  })

  it('F76 sends the decision about a run that was held back to the host', async () => {
    const { drawer } = await showDrawer('halted')
    expect(await within(drawer).findByText(/would delete 1,204 of 3,010 files/)).toBeDefined()
    expect(within(drawer).getByText('lockstep-agent run --approve mass-delete')).toBeDefined()
  })

  it('revokes with a reason, after saying what ends and what stays', async () => {
    const { link, drawer } = await showDrawer('running')
    fireEvent.click(within(drawer).getByRole('button', { name: 'Revoke…' }))
    const dialog = await screen.findByRole('alertdialog')
    expect(dialog.textContent).toContain('Its connection ends at once')
    expect(dialog.textContent).toContain('Its node and its runs stay')
    expect(dialog.textContent).toMatch(/run under way \(push\) ends here as failed/)
    const confirm = within(dialog).getByRole('button', { name: 'Revoke the agent' })
    expect((confirm as HTMLButtonElement).disabled).toBe(true)
    fireEvent.change(within(dialog).getByLabelText('Why'), { target: { value: "the host's disk was sold" } })
    expect(dialog.textContent).toContain(
      "lockstep agents revoke storage-agent-01 --reason 'the host'\\''s disk was sold'",
    )
    fireEvent.click(confirm)
    await waitFor(() => expect([...link.engine.agents.values()][0]?.status).toBe('revoked'))
    expect(await within(drawer).findByRole('button', { name: 'Remove…' })).toBeDefined()
  })

  it('forgets a revoked agent and closes', async () => {
    const { link, drawer } = await showDrawer('revoked')
    fireEvent.click(within(drawer).getByRole('button', { name: 'Remove…' }))
    fireEvent.click(await screen.findByRole('button', { name: 'Remove the agent' }))
    await waitFor(() => expect(link.engine.agents.size).toBe(0))
    await waitFor(() => expect(screen.queryByRole('complementary')).toBeNull())
    expect(await screen.findByText('No agents yet')).toBeDefined()
  })

  it('says that a shared link names an agent that is gone', async () => {
    await show(fleet('idle'), '#/agents?agent=019abcde-0000-7000-8000-00000000dead')
    expect(await screen.findByText(/There is no such agent any more/)).toBeDefined()
  })
})
