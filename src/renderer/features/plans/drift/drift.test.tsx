import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import { afterEach, describe, expect, it } from 'vitest'
import type { Diagnosis } from '../../../../shared/model/diagnosis.ts'
import { createFakeLink, type FakeLink } from '../../../api/links/fake.ts'
import { fakeNodes, fakePlan } from '../../../api/links/fakeFleet.ts'
import { renderView } from '../../../dev/renderForTest.tsx'
import { View } from '../index.tsx'
import { countStandings, driftRows, standingOf } from './standing.ts'

let stop: (() => void) | null = null
afterEach(() => stop?.())

const observed = { revision: 2, digest: 'a'.repeat(64), verifiedAt: 1, runId: fakePlan.id as never }
const state = { planId: fakePlan.id, planName: fakePlan.name, desiredRevision: 2, driftSince: null, lastRunId: null }

const stopped = {
  code: 'TRAEFIK_NOT_RUNNING',
  sentence: 'Traefik does not run.',
  short: 'Traefik is down',
  evidence: [],
  nextAction: { kind: 'none', label: '' },
  transient: false,
} satisfies Diagnosis

function fleet(): FakeLink {
  const link = createFakeLink({ nodes: fakeNodes(4, Date.now()), plans: [fakePlan] })
  const [first, second, third, fourth] = [...link.engine.nodes.values()]
  if (!first || !second || !third || !fourth) throw new Error('four nodes')
  link.engine.saveNode({ ...first, plans: [{ ...state, observed }] })
  link.engine.saveNode({ ...second, plans: [{ ...state, desiredRevision: 5, observed }] })
  link.engine.saveNode({ ...third, plans: [{ ...state, observed, driftSince: 7, driftReason: stopped }] })
  link.engine.saveNode({ ...fourth, plans: [{ ...state, observed: null }] })
  return link
}

describe('drift', () => {
  it('N12 what was read back decides, not what was sent', () => {
    expect(standingOf({ ...state, observed })).toBe('as-wanted')
    expect(standingOf({ ...state, observed, desiredRevision: 3 })).toBe('behind')
    expect(standingOf({ ...state, observed, driftSince: 9 })).toBe('drifted')
    expect(standingOf({ ...state, observed: null })).toBe('never')
  })

  it('N12 puts the worst first and counts each standing', () => {
    const link = fleet()
    const rows = driftRows(link.engine.nodes.values(), new Map([[fakePlan.id, fakePlan]]))
    expect(rows.map(({ standing }) => standing)).toEqual(['drifted', 'behind', 'never', 'as-wanted'])
    expect(countStandings(rows)).toEqual({ drifted: 1, behind: 1, never: 1, 'as-wanted': 1 })
  })

  it('N12 S1.77 says of each why, in words', async () => {
    stop = (await renderView(View, fleet(), '#/plans/drift')).stop
    const whyOf = async (words: RegExp) => (await screen.findByText(words)).textContent
    expect(await whyOf(/Traefik is down, since/)).toBeTruthy()
    expect(await whyOf(/^never verified/)).toBeTruthy()
    expect(await whyOf(/^plan is 3 revisions newer/)).toBeTruthy()
  })

  it('N12 shows desired beside observed, narrows to one standing, and leads to the node', async () => {
    stop = (await renderView(View, fleet(), '#/plans/drift')).stop
    expect(await screen.findByText('3 of 4 are not as wanted')).toBeTruthy()
    fireEvent.click(screen.getByRole('button', { name: /1 behind/ }))
    await waitFor(() => expect(screen.getAllByRole('row')).toHaveLength(2))
    const row = screen.getAllByRole('row')[1] as HTMLElement
    expect(within(row).getByText('r5')).toBeTruthy()
    expect(row.textContent).toContain('plan is 3 revisions newer')
    fireEvent.click(row)
    await waitFor(() => expect(location.hash).toContain('#/fleet?node='))
  })
})
