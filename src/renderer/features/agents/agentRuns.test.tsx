import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, describe, expect, it } from 'vitest'
import type { Agent } from '../../../shared/model/agent.ts'
import { createFakeLink, type FakeLink } from '../../api/links/fake.ts'
import type { AgentCondition } from '../../api/links/fakeAgentFleet.ts'
import { renderView } from '../../dev/renderForTest.tsx'
import { runHash } from '../../stores/route.ts'
import { View } from '../runs/index.tsx'

const nowMs = 1_800_000_000_000
let stop: (() => void) | null = null

/** The run an agent does now, or its last one. */
async function showRun(condition: AgentCondition): Promise<{ readonly link: FakeLink; readonly agent: Agent }> {
  const link = createFakeLink({ nowMs: () => nowMs })
  const agent = link.agents.add(condition)
  const runId = agent.activity.status === 'running' ? agent.activity.runId : agent.lastRun?.runId
  stop = (await renderView(View, link, runHash(runId ?? 'none'))).stop
  return { link, agent }
}

afterEach(() => {
  stop?.()
  stop = null
})

describe('the run of an agent', () => {
  it('looks like ours, and says that its agent decided and compared', async () => {
    const { agent } = await showRun('idle')
    const asked = await screen.findByRole('region', { name: 'What was asked' })
    expect(asked.textContent).toContain(`schedule, by the agent on ${agent.name}`)
    expect(screen.getByRole('region', { name: 'What was proven' }).textContent).toContain(
      'files by the agent, by content',
    )
    const track = screen.getByRole('list', { name: 'States of this run' })
    expect(within(track).getAllByRole('listitem')).toHaveLength(11)
  })

  it('offers nothing that only the agent can do', async () => {
    await showRun('idle')
    await screen.findByRole('region', { name: 'What was asked' })
    expect(screen.queryByRole('button', { name: 'Resync…' })).toBeNull()
    expect(screen.queryByRole('button', { name: 'Terminal' })).toBeNull()
    expect(screen.queryByText(/^lockstep push/)).toBeNull()
  })

  it('F23 asks the agent to stop, and claims no stop before the agent has said so', async () => {
    const { link, agent } = await showRun('running')
    fireEvent.click(await screen.findByRole('button', { name: 'Cancel…' }))
    const dialog = await screen.findByRole('alertdialog')
    expect(dialog.textContent).toContain('Its agent is asked to stop')
    fireEvent.click(within(dialog).getByRole('button', { name: 'Cancel' }))
    await waitFor(() => expect(screen.queryByRole('alertdialog')).toBeNull())
    const run = [...link.engine.runs.values()].find((each) => each.status === 'running')
    if (run === undefined) throw new Error('no run')
    link.engine.saveRun({ ...run, cancellation: { by: 'ana@desk', requestedAt: nowMs, stopConfirmed: null } })
    expect(
      await screen.findByText(
        `ana@desk asked the agent on ${agent.name} to stop. It hears that with its next report, stops by itself and says so.`,
      ),
    ).toBeDefined()
    expect(screen.queryByText(/Stop confirmed/)).toBeNull()
  })

  it('F76 leaves a decision about deletes to the host, with the command that says it there', async () => {
    await showRun('halted')
    expect(await screen.findByText('lockstep-agent run --approve mass-delete')).toBeDefined()
    expect(screen.queryByRole('button', { name: 'Delete them anyway…' })).toBeNull()
    fireEvent.click(screen.getByRole('button', { name: 'See the list' }))
    expect(await screen.findByText('old/two.js')).toBeDefined()
  })
})
