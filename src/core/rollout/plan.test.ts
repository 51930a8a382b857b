import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NodeId, RolloutId } from '../../shared/model/ids.ts'
import type { NodeOutcome, Portion, Rollout, RolloutSettings } from '../../shared/model/rollout.ts'
import {
  isFinalRollout,
  nodesAhead,
  planRollout,
  type RolloutEffect,
  type RolloutEvent,
  type RolloutProgress,
  rolloutTransition,
} from './plan.ts'

const idOf = (index: number): NodeId => NodeId.parse(`01900000-0000-7000-8000-${String(index).padStart(12, '0')}`)
const newer = RolloutId.parse('01900000-0000-7000-8000-0000000000ff')
const context = { nowMs: 7 }

const count = (many: number): Portion => ({ kind: 'count', count: many })
const percent = (share: number): Portion => ({ kind: 'percent', percent: share })
const nodesOf = (many: number): NodeId[] => Array.from({ length: many }, (_, index) => idOf(index))
const facts = {
  id: RolloutId.parse('01900000-0000-7000-8000-0000000000aa'),
  cause: { kind: 'operator' },
  plans: [],
  requestedBy: 'tester@here',
  createdAt: 1,
} as const
const plan = (many: number, over: Partial<RolloutSettings> = {}): RolloutProgress =>
  planRollout(
    { ...facts, plans: [], settings: { canary: null, maxParallel: 100, failureLimit: null, ...over } },
    nodesOf(many),
  )

const began: RolloutEvent = { kind: 'began' }
const settled = (index: number, outcome: NodeOutcome = 'succeeded'): RolloutEvent => ({
  kind: 'settled',
  outcomes: new Map([[idOf(index), outcome]]),
})

const startedBy = (effects: readonly RolloutEffect[]): NodeId[] =>
  effects.flatMap((effect) => (effect.kind === 'start' ? effect.nodeIds : []))

function play(events: readonly RolloutEvent[], from: RolloutProgress) {
  let progress = from
  const effects: RolloutEffect[] = []
  for (const event of events) {
    const next = rolloutTransition(progress, event, context)
    progress = next.progress
    effects.push(...next.effects)
  }
  return { progress, rollout: progress.rollout, effects, started: startedBy(effects) }
}

const anyPortion = fc.option(
  fc.oneof(fc.integer({ min: 0, max: 12 }).map(count), fc.integer({ min: 0, max: 100 }).map(percent)),
)
const anyPlan = fc
  .tuple(
    fc.integer({ min: 0, max: 10 }),
    fc.record({
      canary: anyPortion,
      maxParallel: fc.option(fc.integer({ min: 1, max: 5 })),
      failureLimit: anyPortion,
    }),
  )
  .map(([many, settings]) => plan(many, settings))
const outcomes = ['succeeded', 'failed', 'unreachable', 'canceled'] as const
const anySettling = fc
  .array(fc.tuple(fc.nat(11).map(idOf), fc.constantFrom<NodeOutcome>(...outcomes)), { minLength: 1, maxLength: 4 })
  .map((pairs): RolloutEvent => ({ kind: 'settled', outcomes: new Map(pairs) }))
const anyEvent = fc.oneof(
  { weight: 20, arbitrary: anySettling },
  { weight: 3, arbitrary: fc.constantFrom<RolloutEvent>(began, { kind: 'paused' }, { kind: 'resumed' }) },
  { weight: 1, arbitrary: fc.constantFrom<RolloutEvent>({ kind: 'aborted' }, { kind: 'superseded', by: newer }) },
)

/** Calls `look` for every step of every generated life. */
function everyLife(
  look: (
    before: RolloutProgress,
    event: RolloutEvent,
    after: RolloutProgress,
    effects: readonly RolloutEffect[],
  ) => void,
) {
  fc.assert(
    fc.property(anyPlan, fc.array(anyEvent, { maxLength: 60 }), (first, events) => {
      let progress = first
      for (const event of [began, ...events]) {
        const next = rolloutTransition(progress, event, context)
        look(progress, event, next.progress, next.effects)
        progress = next.progress
      }
    }),
    { numRuns: 500 },
  )
}

/** Every node that is at work settles, the first one first, until nothing is. */
function letAllSettle(from: RolloutProgress, outcomeOf: (nodeId: NodeId) => NodeOutcome): RolloutProgress {
  let progress = from
  for (let turn = 0; turn < from.rollout.nodes.length * 2; turn += 1) {
    const [nodeId] = progress.running
    if (nodeId === undefined) return progress
    const settling = { kind: 'settled', outcomes: new Map([[nodeId, outcomeOf(nodeId)]]) } as const
    progress = rolloutTransition(progress, settling, context).progress
  }
  return progress
}

describe('rollout', () => {
  it.each([
    ['no canary', null, 5, 5],
    ['one', count(1), 5, 1],
    ['a tenth, rounded up', percent(10), 15, 2],
    ['at least one', percent(0), 15, 1],
    ['at most all', count(99), 3, 3],
  ])('S1F.1 begins with the canaries: %s', (_label, canary, many, first) => {
    expect(play([began], plan(many, { canary })).started).toEqual(nodesOf(first))
  })

  it('S1F.1 starts the rest when every canary has settled, and not before', () => {
    const start = plan(5, { canary: count(2) })
    expect(play([began, settled(0)], start).started).toHaveLength(2)
    expect(play([began, settled(1), settled(0)], start).started).toEqual(nodesOf(5))
  })

  it('S1F.1 works on at most so many nodes at once', () => {
    const start = plan(5, { maxParallel: 2 })
    expect(play([began], start).started).toHaveLength(2)
    expect(play([began, settled(1)], start).started).toEqual(nodesOf(3))
  })

  it('S1.72 counts a node that does not answer as no failure, and holds nobody for it', () => {
    const start = plan(3, { maxParallel: 1, failureLimit: count(1) })
    const { rollout } = play([began, settled(0, 'unreachable'), settled(1, 'unreachable'), settled(2)], start)
    expect(rollout.status).toBe('finished')
    expect(rollout.counts).toEqual({ succeeded: 1, failed: 0, unreachable: 2, canceled: 0 })
  })

  it('S1.72 takes the next node for a canary that does not answer: without proof nothing goes on', () => {
    const start = plan(5, { canary: count(1), failureLimit: count(1) })
    expect(play([began, settled(0, 'unreachable')], start).started).toEqual(nodesOf(2))
    expect(play([began, settled(0, 'unreachable'), settled(1)], start).started).toEqual(nodesOf(5))
    expect(play([began, settled(0, 'unreachable'), settled(1, 'failed')], start).rollout.status).toBe('stopped')
    const nobody = play([began, ...[0, 1, 2, 3, 4].map((index) => settled(index, 'unreachable'))], start)
    expect(nobody.rollout.status).toBe('finished')
  })

  it.each([
    ['a canary failed', { canary: count(2), failureLimit: count(1) }, ['failed'], 'stopped'],
    [
      'all canaries failed, though more would be allowed',
      { canary: count(2), failureLimit: count(9) },
      ['failed', 'failed'],
      'stopped',
    ],
    [
      'the canaries that answered failed',
      { canary: count(1), failureLimit: count(9) },
      ['unreachable', 'failed'],
      'stopped',
    ],
    [
      'one of two canaries failed, and two would be allowed',
      { canary: count(2), failureLimit: count(2) },
      ['failed', 'succeeded'],
      'running',
    ],
    ['half failed', { failureLimit: percent(50) }, ['failed', 'failed', 'failed'], 'stopped'],
    ['less than half failed', { failureLimit: percent(50) }, ['failed', 'failed'], 'running'],
    ['nothing stops it', { canary: count(1), failureLimit: null }, ['failed', 'failed', 'failed'], 'running'],
  ] as const)('S1F.1 with a failure limit: %s', (_label, over, outcomes, status) => {
    const events = outcomes.map((outcome, index) => settled(index, outcome))
    expect(play([began, ...events], plan(6, over)).rollout.status).toBe(status)
  })

  it('S1F.1 starts nothing once stopped, until a person goes on in spite of it', () => {
    const start = plan(6, { maxParallel: 2, failureLimit: count(1) })
    const stopped = play([began, settled(0, 'failed'), settled(1)], start)
    expect(stopped.started).toEqual(nodesOf(2))
    expect(play([{ kind: 'resumed' }], stopped.progress).started).toEqual([idOf(2), idOf(3)])
    expect(play([{ kind: 'resumed' }, settled(2, 'failed')], stopped.progress).rollout.status).toBe('stopped')
  })

  it('S1F.1 starts nothing while paused; what runs goes on', () => {
    const paused = play([began, { kind: 'paused' }, settled(0)], plan(4, { maxParallel: 1 }))
    expect(paused.started).toEqual([idOf(0)])
    expect(paused.rollout.counts.succeeded).toBe(1)
    expect(play([{ kind: 'resumed' }], paused.progress).started).toEqual([idOf(1)])
  })

  it('S1F.1 tells what runs to stop when it is aborted, and starts nothing more', () => {
    const aborted = play(
      [began, { kind: 'aborted' }, settled(0), { kind: 'resumed' }, began],
      plan(4, { maxParallel: 2 }),
    )
    expect(aborted.effects).toEqual([
      { kind: 'start', nodeIds: nodesOf(2) },
      { kind: 'cancel', nodeIds: nodesOf(2) },
    ])
    expect(aborted.rollout.status).toBe('aborted')
    expect(play([{ kind: 'aborted' }], plan(4)).effects).toEqual([])
  })

  it('S1.28 gives way to a newer rollout: what runs ends, nothing more starts', () => {
    const start = plan(4, { maxParallel: 2 })
    const superseding: RolloutEvent = { kind: 'superseded', by: newer }
    const ending = play([began, superseding], start)
    expect(ending.rollout).toMatchObject({ status: 'superseded', finishedAt: null, supersededBy: newer })
    const superseded = play([began, superseding, settled(0), settled(1)], start)
    expect(superseded.started).toEqual(nodesOf(2))
    expect(superseded.effects).toHaveLength(1)
    expect(superseded.rollout).toMatchObject({ status: 'superseded', counts: { succeeded: 2 }, finishedAt: 7 })
    expect(superseded.progress.running.size).toBe(0)
    expect(play([{ kind: 'aborted' }, superseding], start).rollout).toMatchObject({
      status: 'aborted',
      supersededBy: null,
    })
  })

  it('S1F.1 holds back the nodes whose turn is to come, and none once it is over', () => {
    const start = plan(3, { canary: count(1) })
    expect(nodesAhead(play([began], start).rollout)).toEqual([idOf(1), idOf(2)])
    expect(nodesAhead(play([began, settled(0, 'failed'), { kind: 'paused' }], start).rollout)).toEqual([])
    expect(nodesAhead(play([began, { kind: 'paused' }, settled(0)], start).rollout)).toEqual([idOf(1), idOf(2)])
    expect(nodesAhead(play([began, { kind: 'aborted' }], start).rollout)).toEqual([])
  })

  it('S1F.1 takes the next node for a canary whose run somebody canceled', () => {
    const start = plan(3, { canary: count(1), failureLimit: count(1) })
    expect(play([began, settled(0, 'canceled')], start).started).toEqual(nodesOf(2))
    expect(play([began, settled(0, 'canceled'), settled(1, 'failed')], start).rollout.status).toBe('stopped')
  })

  it('S1F.1 starts a whole wave at once without a limit of ours', () => {
    expect(play([began], plan(500, { maxParallel: null })).started).toHaveLength(500)
  })

  it('S1F.1 is finished at once without nodes, and has each node once', () => {
    expect(play([began], plan(0, { canary: count(1) })).rollout).toMatchObject({ status: 'finished', finishedAt: 7 })
    const [first, second] = nodesOf(2) as [NodeId, NodeId]
    const { settings } = plan(0).rollout
    expect(planRollout({ ...facts, plans: [], settings }, [first, second, first]).rollout.nodes).toEqual(nodesOf(2))
  })

  it('S1F.1 never starts the rest before the canaries have settled', () => {
    everyLife(({ rollout: before }, _event, { rollout: after, running }) => {
      if (after.started > before.started && after.started > after.canaryEnd)
        expect([...running].every((nodeId) => after.nodes.indexOf(nodeId) >= after.canaryEnd)).toBe(true)
    })
  })

  it('S1F.1 never works on more nodes at once than it may, nor on one twice', () => {
    everyLife(({ rollout: before }, _event, { rollout: after, running }, effects) => {
      expect(running.size).toBeLessThanOrEqual(after.settings.maxParallel ?? after.nodes.length)
      expect(startedBy(effects)).toEqual(after.nodes.slice(before.started, after.started))
      const { succeeded, failed, unreachable, canceled } = after.counts
      expect(succeeded + failed + unreachable + canceled + running.size).toBe(after.started)
    })
  })

  it('S1.28 S1F.1 never starts a node unless it is running, nor leaves an end', () => {
    everyLife(({ rollout: before }, event, { rollout: after, running }, effects) => {
      if (isFinalRollout(before)) expect(after.status).toBe(before.status)
      const mayStart = before.status === 'running' || (event.kind === 'resumed' && !isFinalRollout(before))
      if (!mayStart) expect(effects.filter(({ kind }) => kind === 'start')).toEqual([])
      expect(after.finishedAt !== null).toBe(isFinalRollout(after) && running.size === 0)
    })
  })

  it('S1.72 S1F.1 counts no node that does not answer as a failure', () => {
    everyLife(({ rollout: before }, event, { rollout: after }) => {
      const failures = event.kind === 'settled' && [...event.outcomes.values()].includes('failed')
      if (!failures) expect(after.waveFailures).toBeLessThanOrEqual(before.waveFailures)
      if (!failures) expect(before.status === 'running' && after.status === 'stopped').toBe(false)
    })
  })

  it('S1.72 S1F.1 reaches every node in the end, whoever answers', () => {
    fc.assert(
      fc.property(anyPlan, fc.array(fc.constantFrom<NodeOutcome>(...outcomes), { minLength: 10 }), (first, ends) => {
        const settings = { ...first.rollout.settings, failureLimit: null }
        const begun = rolloutTransition({ ...first, rollout: { ...first.rollout, settings } }, began, context).progress
        const end = letAllSettle(begun, (nodeId) => ends[Number(nodeId.slice(-4))] ?? 'succeeded').rollout
        expect(end.status).toBe('finished')
        expect(end.started).toBe(end.nodes.length)
      }),
    )
  })

  it('S1F.1 goes on from what was kept of it', () => {
    everyLife((before, event, after, effects) => {
      const kept: RolloutProgress = { ...before, rollout: JSON.parse(JSON.stringify(before.rollout)) as Rollout }
      expect(rolloutTransition(kept, event, context)).toEqual({ progress: after, effects })
    })
  })
})
