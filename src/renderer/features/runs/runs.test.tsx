import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, describe, expect, it } from 'vitest'
import type { RunId } from '../../../shared/model/ids.ts'
import type { Run, StateVisit } from '../../../shared/model/run.ts'
import { createFakeLink, type FakeLink } from '../../api/links/fake.ts'
import { fakeDiagnosis, fakeNodes, fakePlan } from '../../api/links/fakeFleet.ts'
import { renderView } from '../../dev/renderForTest.tsx'
import { View } from './index.tsx'

const nowMs = Date.now()
let stop: (() => void) | null = null

function fleet(): { readonly link: FakeLink; readonly runs: readonly Run[] } {
  const link = createFakeLink({ nodes: fakeNodes(6, nowMs), plans: [fakePlan] })
  link.engine.seedHistory(4)
  return { link, runs: [...link.engine.runs.values()] }
}

async function show(link: FakeLink, hash: string): Promise<void> {
  stop = (await renderView(View, link, hash)).stop
}

const visit = (state: StateVisit['state'], outcome: StateVisit['outcome']): StateVisit => ({
  state,
  outcome,
  attempt: 1,
  enteredAt: nowMs - 1000,
  leftAt: nowMs,
})

function halted(link: FakeLink, base: Run): RunId {
  const id = base.id.replace(/.$/, 'f') as RunId
  const run: Run = {
    ...base,
    id,
    status: 'halted',
    state: 'PRE_FLIGHT_CHECK',
    finishedAt: null,
    proof: null,
    visits: [visit('INIT', 'done'), visit('PRE_FLIGHT_CHECK', 'halted')],
    halt: {
      reason: 'mass-delete',
      haltedAt: nowMs,
      diagnosis: fakeDiagnosis(
        'PRECONDITION_FAILED',
        'too many deletions',
        'would delete 1,204 files',
        [],
        ['approve-deletes', 'See the list'],
      ),
      deletePreview: {
        filesDeleted: 1204,
        filesOnTarget: 3010,
        usualShare: 0.002,
        sample: ['old/one.js', 'old/two.js'],
      },
    },
  }
  link.engine.runs.set(id, run)
  return id
}

afterEach(() => {
  stop?.()
  stop = null
})

describe('runs', () => {
  it('F19 lists the history and narrows it by what stands in the address', async () => {
    const { link } = fleet()
    await show(link, '#/runs?status=failed')
    const grid = await screen.findByRole('grid', { name: 'Runs' })
    await waitFor(() => expect(within(grid).getAllByText('failed').length).toBeGreaterThan(0))
    expect(within(grid).queryByText('succeeded')).toBeNull()
    fireEvent.click(screen.getByRole('button', { name: 'failed', pressed: true }))
    await waitFor(() => expect(within(grid).getAllByText('succeeded').length).toBeGreaterThan(0))
    expect(location.hash).toBe('#/runs')
  })

  it('S0.41 shows the eleven states, and names the one that failed with the reason', async () => {
    const { link, runs } = fleet()
    const failed = runs.find((run) => run.status === 'failed')
    await show(link, `#/runs/${failed?.id}`)
    const track = await screen.findByRole('list', { name: 'States of this run' })
    expect(within(track).getAllByRole('listitem')).toHaveLength(11)
    expect(within(track).getByLabelText(/^PUSH_SYNC: failed/)).toBeDefined()
    expect(screen.getByRole('region', { name: 'Why it failed' }).textContent).toContain('broke off')
    expect(screen.getByText(/nothing is green/)).toBeDefined()
  })

  it('shows what was proven of a run that succeeded', async () => {
    const { link, runs } = fleet()
    const proven = runs.find((run) => run.status === 'succeeded')
    await show(link, `#/runs/${proven?.id}`)
    const facts = await screen.findByRole('region', { name: 'What was proven' })
    expect(facts.textContent).toContain('200 hashed on the node')
    expect(facts.textContent).toContain('serial 4711')
  })

  it('F76 holds back a push that deletes too much until a person decides, naming reach and undo', async () => {
    const { link, runs } = fleet()
    const id = halted(link, runs[0] as Run)
    await show(link, `#/runs/${id}`)
    await screen.findByText(
      'Held back: this push would delete 1,204 of 3,010 files (usually 0.2 %). Nothing was changed.',
    )
    fireEvent.click(screen.getByRole('button', { name: 'See the list' }))
    expect(await screen.findByText('old/two.js')).toBeDefined()
    fireEvent.click(screen.getByRole('button', { name: 'Delete them anyway…' }))
    const dialog = await screen.findByRole('alertdialog')
    expect(dialog.textContent).toContain('1 node')
    expect(dialog.textContent).toContain('Deleted files come back only from a backup')
    expect(link.engine.run(id).approvals).toEqual([])
    fireEvent.click(within(dialog).getByRole('button', { name: 'Delete 1,204 files' }))
    await waitFor(() => expect(link.engine.run(id).approvals).toMatchObject([{ reason: 'mass-delete' }]))
  })

  it('F23 never claims that a stop was confirmed when it was not', async () => {
    const { link, runs } = fleet()
    const run = {
      ...(runs[0] as Run),
      status: 'canceled',
      cancellation: { by: 'ana@desk', requestedAt: nowMs, stopConfirmed: false },
    } as Run
    link.engine.runs.set(run.id, run)
    await show(link, `#/runs/${run.id}`)
    expect(await screen.findByText(/Stop not confirmed/)).toBeDefined()
    expect(screen.queryByText(/Stop confirmed:/)).toBeNull()
  })

  it('F22 resyncs the failed nodes of a batch only, and says how many', async () => {
    const { link } = fleet()
    const { batchId, runs } = link.engine.push('batch-key-1' as never, [...link.engine.nodes.values()].slice(0, 3))
    link.engine.endRun((runs[0] as Run).id, 'failed')
    for (const run of runs.slice(1)) link.engine.endRun(run.id, 'succeeded')
    await show(link, `#/runs/batch/${batchId}`)
    fireEvent.click(await screen.findByRole('button', { name: 'Resync failed (1)…' }))
    const dialog = await screen.findByRole('alertdialog')
    expect(dialog.textContent).toContain('1 of 3 nodes')
    const before = link.engine.runs.size
    fireEvent.click(within(dialog).getByRole('button', { name: 'Resync 1 run' }))
    await waitFor(() => expect(link.engine.runs.size).toBe(before + 1))
    expect([...link.engine.runs.values()].at(-1)?.nodeName).toBe((runs[0] as Run).nodeName)
  })

  it('says that a run is not there, with a way on', async () => {
    const { link } = fleet()
    await show(link, '#/runs/019abcde-0000-7000-8000-00000000dead')
    expect(await screen.findByText('There is no such run')).toBeDefined()
  })

  it('teaches when there is no run yet', async () => {
    await show(createFakeLink({ nodes: fakeNodes(1, nowMs), plans: [fakePlan] }), '#/runs')
    expect(await screen.findByText('No runs yet')).toBeDefined()
  })
})
