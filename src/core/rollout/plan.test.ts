import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  isFinalRollout,
  type NodeOutcome,
  type Portion,
  planRollout,
  type Rollout,
  type RolloutEffect,
  type RolloutEvent,
  type RolloutSettings,
  rolloutTransition,
} from './plan.ts'

const count = (many: number): Portion => ({ kind: 'count', count: many })
const percent = (share: number): Portion => ({ kind: 'percent', percent: share })
const nodesOf = (many: number): string[] => Array.from({ length: many }, (_, index) => `n${index}`)
const plan = (many: number, over: Partial<RolloutSettings> = {}, revision = 2): Rollout =>
  planRollout(revision, nodesOf(many), { canary: null, maxParallel: 100, failureLimit: null, ...over })

const began: RolloutEvent = { kind: 'began' }
const settled = (index: number, outcome: NodeOutcome = 'succeeded'): RolloutEvent => ({
  kind: 'settled',
  nodeId: `n${index}`,
  outcome,
})

function play(events: readonly RolloutEvent[], from: Rollout) {
  let rollout = from
  const effects: RolloutEffect[] = []
  for (const event of events) {
    const next = rolloutTransition(rollout, event)
    rollout = next.rollout
    effects.push(...next.effects)
  }
  const started = effects.flatMap((effect) => (effect.kind === 'start' ? effect.nodeIds : []))
  return { rollout, effects, started }
}

const anyPortion = fc.option(
  fc.oneof(fc.integer({ min: 0, max: 12 }).map(count), fc.integer({ min: 0, max: 100 }).map(percent)),
)
const anyPlan = fc
  .tuple(
    fc.integer({ min: 0, max: 10 }),
    fc.record({ canary: anyPortion, maxParallel: fc.integer({ min: 1, max: 5 }), failureLimit: anyPortion }),
  )
  .map(([many, settings]) => plan(many, settings))
const anyEvent = fc.oneof(
  {
    weight: 20,
    arbitrary: fc
      .tuple(fc.nat(11), fc.constantFrom<NodeOutcome>('succeeded', 'failed', 'unreachable'))
      .map(([index, outcome]) => settled(index, outcome)),
  },
  { weight: 3, arbitrary: fc.constantFrom<RolloutEvent>(began, { kind: 'paused' }, { kind: 'resumed' }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<RolloutEvent>(
      { kind: 'aborted' },
      { kind: 'superseded', by: 3 },
      { kind: 'superseded', by: 2 },
    ),
  },
)

/** Calls `look` for every step of every generated life. */
function everyLife(
  look: (before: Rollout, event: RolloutEvent, after: Rollout, effects: readonly RolloutEffect[]) => void,
) {
  fc.assert(
    fc.property(anyPlan, fc.array(anyEvent, { maxLength: 60 }), (first, events) => {
      let rollout = first
      for (const event of [began, ...events]) {
        const next = rolloutTransition(rollout, event)
        look(rollout, event, next.rollout, next.effects)
        rollout = next.rollout
      }
    }),
    { numRuns: 500 },
  )
}

/** Every node that is at work settles, the first one first, until nothing is. */
function letAllSettle(from: Rollout, outcomeOf: (nodeId: string) => NodeOutcome): Rollout {
  let rollout = from
  for (let turn = 0; turn < from.nodes.length * 2 && rollout.running.length > 0; turn += 1) {
    const [nodeId = ''] = rollout.running
    rollout = rolloutTransition(rollout, { kind: 'settled', nodeId, outcome: outcomeOf(nodeId) }).rollout
  }
  return rollout
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
    expect(play([began, settled(1)], start).started).toEqual(['n0', 'n1', 'n2'])
  })

  it('S1.72 counts a node that does not answer as no failure, and holds nobody for it', () => {
    const start = plan(3, { maxParallel: 1, failureLimit: count(1) })
    const { rollout } = play([began, settled(0, 'unreachable'), settled(1, 'unreachable'), settled(2)], start)
    expect(rollout.status).toBe('finished')
    expect(rollout.counts).toEqual({ succeeded: 1, failed: 0, unreachable: 2 })
  })

  it('S1.72 takes the next node for a canary that does not answer: without proof nothing goes on', () => {
    const start = plan(5, { canary: count(1), failureLimit: count(1) })
    expect(play([began, settled(0, 'unreachable')], start).started).toEqual(['n0', 'n1'])
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
    expect(stopped.started).toEqual(['n0', 'n1'])
    expect(play([{ kind: 'resumed' }], stopped.rollout).started).toEqual(['n2', 'n3'])
    expect(play([{ kind: 'resumed' }, settled(2, 'failed')], stopped.rollout).rollout.status).toBe('stopped')
  })

  it('S1F.1 starts nothing while paused; what runs goes on', () => {
    const paused = play([began, { kind: 'paused' }, settled(0)], plan(4, { maxParallel: 1 }))
    expect(paused.started).toEqual(['n0'])
    expect(paused.rollout.counts.succeeded).toBe(1)
    expect(play([{ kind: 'resumed' }], paused.rollout).started).toEqual(['n1'])
  })

  it('S1F.1 tells what runs to stop when it is aborted, and starts nothing more', () => {
    const aborted = play(
      [began, { kind: 'aborted' }, settled(0), { kind: 'resumed' }, began],
      plan(4, { maxParallel: 2 }),
    )
    expect(aborted.effects).toEqual([
      { kind: 'start', nodeIds: ['n0', 'n1'] },
      { kind: 'cancel', nodeIds: ['n0', 'n1'] },
    ])
    expect(aborted.rollout.status).toBe('aborted')
    expect(play([{ kind: 'aborted' }], plan(4)).effects).toEqual([])
  })

  it('S1.28 gives way to a newer revision: what runs ends, nothing more starts', () => {
    const start = plan(4, { maxParallel: 2 }, 7)
    const superseded = play([began, { kind: 'superseded', by: 8 }, settled(0), settled(1)], start)
    expect(superseded.started).toEqual(['n0', 'n1'])
    expect(superseded.effects).toHaveLength(1)
    expect(superseded.rollout).toMatchObject({ status: 'superseded', running: [], counts: { succeeded: 2 } })
    expect(play([began, { kind: 'superseded', by: 7 }], start).rollout.status).toBe('running')
  })

  it('S1F.1 is finished at once without nodes, and has each node once', () => {
    expect(play([began], plan(0, { canary: count(1) })).rollout.status).toBe('finished')
    expect(planRollout(1, ['a', 'b', 'a'], plan(0).settings).nodes).toEqual(['a', 'b'])
  })

  it('S1F.1 never starts the rest before the canaries have settled', () => {
    everyLife((before, _event, after) => {
      if (after.started > before.started && after.started > after.canaryEnd)
        expect(after.running.every((nodeId) => after.nodes.indexOf(nodeId) >= after.canaryEnd)).toBe(true)
    })
  })

  it('S1F.1 never works on more nodes at once than it may, nor on one twice', () => {
    everyLife((before, _event, after, effects) => {
      expect(after.running.length).toBeLessThanOrEqual(after.settings.maxParallel)
      const starts = effects.flatMap((effect) => (effect.kind === 'start' ? effect.nodeIds : []))
      expect(starts).toEqual(after.nodes.slice(before.started, after.started))
      const { succeeded, failed, unreachable } = after.counts
      expect(succeeded + failed + unreachable + after.running.length).toBe(after.started)
    })
  })

  it('S1.28 S1F.1 never starts a node unless it is running, nor leaves an end', () => {
    everyLife((before, event, after, effects) => {
      if (isFinalRollout(before)) expect(after.status).toBe(before.status)
      const mayStart = before.status === 'running' || (event.kind === 'resumed' && !isFinalRollout(before))
      if (!mayStart) expect(effects.filter(({ kind }) => kind === 'start')).toEqual([])
    })
  })

  it('S1.72 S1F.1 reaches every node in the end, whoever answers', () => {
    fc.assert(
      fc.property(
        anyPlan,
        fc.array(fc.constantFrom<NodeOutcome>('succeeded', 'failed', 'unreachable'), { minLength: 10 }),
        (first, outcomes) => {
          const begun = rolloutTransition(
            { ...first, settings: { ...first.settings, failureLimit: null } },
            began,
          ).rollout
          const end = letAllSettle(begun, (nodeId) => outcomes[Number(nodeId.slice(1))] ?? 'succeeded')
          expect(end.status).toBe('finished')
          expect(end.started).toBe(end.nodes.length)
        },
      ),
    )
  })

  it('S1F.1 goes on from what was kept of it', () => {
    everyLife((before, event, after, effects) => {
      const kept = JSON.parse(JSON.stringify(before)) as Rollout
      expect(rolloutTransition(kept, event)).toEqual({ rollout: after, effects })
    })
  })
})
