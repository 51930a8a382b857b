import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, describe, expect, it } from 'vitest'
import type { RolloutId } from '../../../shared/model/ids.ts'
import { Rollout } from '../../../shared/model/rollout.ts'
import { createFakeLink, type FakeLink } from '../../api/links/fake.ts'
import { fakeNodes, fakePlan } from '../../api/links/fakeFleet.ts'
import { renderView } from '../../dev/renderForTest.tsx'
import { View } from './index.tsx'
import { openNodes, settingsSentence } from './rolloutWords.ts'

const nowMs = Date.now()
let stop: (() => void) | null = null
afterEach(() => stop?.())

const rolloutId = '01900000-0000-7000-8000-000000000aaa' as RolloutId

function fleetWith(change: Partial<Record<keyof Rollout, unknown>>): FakeLink {
  const link = createFakeLink({ nodes: fakeNodes(6, nowMs), plans: [fakePlan] })
  const nodes = [...link.engine.nodes.keys()]
  const rollout = Rollout.parse({
    id: rolloutId,
    cause: { kind: 'registry', registry: 'services', revision: 7 },
    plans: [{ planId: fakePlan.id, planName: fakePlan.name, planRevision: 3 }],
    settings: { canary: { kind: 'count', count: 2 } },
    status: 'running',
    nodes,
    canaryEnd: 2,
    started: 2,
    counts: { succeeded: 1, failed: 0, unreachable: 0, canceled: 0 },
    waveFailures: 0,
    requestedBy: 'ana@desk',
    createdAt: nowMs,
    updatedAt: nowMs,
    finishedAt: null,
    supersededBy: null,
    ...change,
  })
  link.engine.rollouts.set(rollout.id, rollout)
  return link
}

const show = async (link: FakeLink, hash: string): Promise<void> => {
  stop = (await renderView(View, link, hash)).stop
}

describe('rollouts', () => {
  it('F18 S1F.1 lists changes with what began them and how far they are', async () => {
    await show(fleetWith({}), '#/runs/rollouts')
    const row = await screen.findByRole('row', { name: /revision 7 of the service registry/ })
    expect(within(row).getByText('going on')).toBeTruthy()
    expect(within(row).getByText('1 of 6')).toBeTruthy()
    fireEvent.click(row)
    await waitFor(() => expect(location.hash).toContain(`/rollout/${rolloutId}`))
  })

  it('F18 shows the nodes that were not begun, and what they wait for', async () => {
    await show(fleetWith({}), `#/runs/rollout/${rolloutId}`)
    expect(await screen.findAllByText('waits for the first wave')).toHaveLength(4)
    expect(screen.getByText('First wave: 2 nodes')).toBeTruthy()
  })

  it('F18 a node whose first wave is through waits for a place only', async () => {
    await show(fleetWith({ started: 3 }), `#/runs/rollout/${rolloutId}`)
    expect(await screen.findAllByText('waits for a place')).toHaveLength(3)
  })

  it('S1.72 one that stopped itself says so and names its radius before it goes on', async () => {
    const counts = { succeeded: 1, failed: 1, unreachable: 0, canceled: 0 }
    const link = fleetWith({ status: 'stopped', counts })
    await show(link, `#/runs/rollout/${rolloutId}`)
    expect((await screen.findAllByText('held back by failures')).length).toBeGreaterThan(0)
    fireEvent.click(screen.getByRole('button', { name: 'Go on…' }))
    const dialog = await screen.findByRole('alertdialog')
    expect(dialog.textContent).toContain('4 of 6 nodes')
    expect(dialog.textContent).toContain(`lockstep rollouts resume ${rolloutId}`)
    fireEvent.click(within(dialog).getByRole('button', { name: 'Go on' }))
    await waitFor(() => expect(link.engine.rollouts.get(rolloutId)?.status).not.toBe('stopped'))
  })

  it('can be paused at once, and aborted after a look at what that means', async () => {
    const link = fleetWith({})
    await show(link, `#/runs/rollout/${rolloutId}`)
    fireEvent.click(await screen.findByRole('button', { name: 'Pause' }))
    await waitFor(() => expect(link.engine.rollouts.get(rolloutId)?.status).toBe('paused'))
    fireEvent.click(await screen.findByRole('button', { name: 'Abort…' }))
    const dialog = await screen.findByRole('alertdialog')
    expect(dialog.textContent).toContain('Canceled: 1 run that works now. Not begun: 4 nodes.')
    fireEvent.click(within(dialog).getByRole('button', { name: 'Abort' }))
    await waitFor(() => expect(link.engine.rollouts.get(rolloutId)?.status).toBe('aborted'))
  })

  it('the way changes go out is a decision with words', async () => {
    await show(fleetWith({}), '#/runs/rollouts')
    fireEvent.click(await screen.findByRole('button', { name: 'How changes go out…' }))
    const dialog = await screen.findByRole('alertdialog')
    const wave = await within(dialog).findByLabelText('First wave')
    fireEvent.change(wave, { target: { value: 'percent' } })
    expect(dialog.textContent).toContain('10 % of the nodes first, then the rest')
    expect(within(dialog).getByRole('button', { name: 'Use this from now on' })).toHaveProperty('disabled', false)
  })

  it('counts what is open from what has settled', () => {
    const counts = { succeeded: 3, failed: 1, unreachable: 1, canceled: 0 }
    expect(openNodes({ counts, started: 7, nodes: Array.from({ length: 10 }, () => rolloutId) as never })).toEqual({
      working: 2,
      waiting: 3,
    })
    expect(settingsSentence({ canary: null, maxParallel: 8, failureLimit: null })).toBe(
      'All at once, 8 at a time. Failures stop nothing.',
    )
  })
})
