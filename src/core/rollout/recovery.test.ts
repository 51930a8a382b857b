import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NodeId, RolloutId } from '../../shared/model/ids.ts'
import type { NodeOutcome, Portion, Rollout, RolloutSettings } from '../../shared/model/rollout.ts'
import { planRollout, type RolloutEvent, type RolloutProgress, recoverRollout, rolloutTransition } from './plan.ts'

const context = { nowMs: 7 }
const idOf = (index: number): NodeId => NodeId.parse(`01900000-0000-7000-8000-${String(index).padStart(12, '0')}`)

/** One step of a life; an index means one of the nodes that are being worked on. */
type Step =
  | { readonly kind: 'ends'; readonly which: number; readonly outcome: NodeOutcome }
  | { readonly kind: 'paused' | 'resumed' | 'aborted' | 'kept' | 'crash' | 'crash before the next start' }

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('ends' as const),
      which: fc.nat(20),
      outcome: fc.constantFrom<NodeOutcome>('succeeded', 'succeeded', 'failed', 'unreachable', 'canceled'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom<Step>({ kind: 'kept' }, { kind: 'crash' }, { kind: 'crash before the next start' }),
  },
  { weight: 2, arbitrary: fc.constantFrom<Step>({ kind: 'paused' }, { kind: 'resumed' }, { kind: 'resumed' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'aborted' }) },
)
const anyPortion: fc.Arbitrary<Portion | null> = fc.option(
  fc.integer({ min: 1, max: 5 }).map((count) => ({ kind: 'count', count }) as const),
)
const anySettings: fc.Arbitrary<RolloutSettings> = fc.record({
  canary: anyPortion,
  maxParallel: fc.option(fc.integer({ min: 1, max: 4 })),
  failureLimit: anyPortion,
})

/** What is on disk, and an engine over it that may die at any moment. */
class World {
  readonly runs = new Map<NodeId, NodeOutcome | null>()
  kept: Rollout
  progress: RolloutProgress
  diesBeforeStart = false
  readonly #passedOver: ReadonlySet<NodeId>

  constructor(first: RolloutProgress, passedOver: ReadonlySet<NodeId>) {
    this.progress = first
    this.kept = first.rollout
    this.#passedOver = passedOver
  }

  play(event: RolloutEvent): void {
    let next: RolloutEvent | null = event
    for (let turn = 0; next !== null && turn < 100; turn += 1) next = this.#once(next)
  }

  #once(event: RolloutEvent): RolloutEvent | null {
    const { progress, effects } = rolloutTransition(this.progress, event, context)
    const statusChanged = progress.rollout.status !== this.progress.rollout.status
    const inCanary = ({ rollout }: RolloutProgress): boolean => rollout.started <= rollout.canaryEnd
    const waveChanged =
      progress.rollout.canaryEnd !== this.progress.rollout.canaryEnd || inCanary(progress) !== inCanary(this.progress)
    this.progress = progress
    if (statusChanged || waveChanged) this.kept = progress.rollout
    return this.#start(effects.flatMap((effect) => (effect.kind === 'start' ? effect.nodeIds : [])))
  }

  #start(nodeIds: readonly NodeId[]): RolloutEvent | null {
    if (nodeIds.length === 0) return null
    if (this.diesBeforeStart) {
      this.diesBeforeStart = false
      return this.#recover()
    }
    const passed = nodeIds.filter((nodeId) => this.#passedOver.has(nodeId))
    for (const nodeId of nodeIds) if (!passed.includes(nodeId)) this.#register(nodeId)
    this.look()
    if (passed.length === 0) return null
    return { kind: 'settled', outcomes: new Map(passed.map((nodeId) => [nodeId, 'succeeded'])) }
  }

  #register(nodeId: NodeId): void {
    expect(this.runs.has(nodeId), 'a node was started twice').toBe(false)
    this.runs.set(nodeId, null)
  }

  crash(): void {
    const next = this.#recover()
    if (next !== null) this.play(next)
  }

  #recover(): RolloutEvent | null {
    const kept = JSON.parse(JSON.stringify(this.kept)) as Rollout
    const last = kept.nodes.findLastIndex((nodeId) => this.runs.has(nodeId))
    const outcomes = new Map(this.runs)
    for (const nodeId of kept.nodes.slice(0, last + 1)) if (!outcomes.has(nodeId)) outcomes.set(nodeId, 'succeeded')
    const { progress, effects } = recoverRollout(kept, outcomes, context)
    this.progress = progress
    this.kept = progress.rollout
    return this.#start(effects.flatMap((effect) => (effect.kind === 'start' ? effect.nodeIds : [])))
  }

  end(which: number, outcome: NodeOutcome): void {
    const working = [...this.runs].filter(([, ended]) => ended === null).map(([nodeId]) => nodeId)
    const nodeId = working[which % Math.max(1, working.length)]
    if (nodeId === undefined) return
    this.runs.set(nodeId, outcome)
    this.play({ kind: 'settled', outcomes: new Map([[nodeId, outcome]]) })
  }

  /** What holds at every moment, whatever happened. */
  look(): void {
    const { rollout } = this.progress
    const working = [...this.runs].filter(([, outcome]) => outcome === null).map(([nodeId]) => nodeId)
    expect(working.length).toBeLessThanOrEqual(rollout.settings.maxParallel ?? rollout.nodes.length)
    const behindCanaries = [...this.runs.keys()].some((nodeId) => rollout.nodes.indexOf(nodeId) >= rollout.canaryEnd)
    if (behindCanaries)
      for (const nodeId of rollout.nodes.slice(0, rollout.canaryEnd)) expect(this.runs.get(nodeId)).not.toBeNull()
    if (behindCanaries && rollout.canaryEnd < rollout.nodes.length && rollout.settings.canary !== null) {
      const proving = rollout.nodes
        .slice(0, rollout.canaryEnd)
        .filter((nodeId) => !['unreachable', 'canceled'].includes(this.runs.get(nodeId) ?? 'succeeded'))
      expect(proving.length).toBeGreaterThan(0)
    }
  }
}

function take(world: World, step: Step): void {
  switch (step.kind) {
    case 'ends':
      world.end(step.which, step.outcome)
      break
    case 'kept':
      world.kept = world.progress.rollout
      break
    case 'crash':
      world.crash()
      break
    case 'crash before the next start':
      world.diesBeforeStart = true
      break
    default:
      world.play({ kind: step.kind })
  }
  world.look()
}

describe('a rollout that is cut at any moment', () => {
  const life = (check: (world: World) => void): void =>
    fc.assert(
      fc.property(
        fc.nat(12),
        anySettings,
        fc.array(fc.nat(12), { maxLength: 3 }),
        fc.array(anyStep, { maxLength: 60 }),
        (many, settings, passedOver, steps) => {
          const first = planRollout(
            {
              id: RolloutId.parse('01900000-0000-7000-8000-0000000000aa'),
              cause: { kind: 'operator' },
              plans: [],
              requestedBy: 'tester@here',
              createdAt: 1,
              settings,
            },
            Array.from({ length: many }, (_, index) => idOf(index)),
          )
          const world = new World(first, new Set(passedOver.map(idOf)))
          world.play({ kind: 'began' })
          for (const step of steps) take(world, step)
          check(world)
        },
      ),
      { numRuns: 1_000 },
    )

  it('S1F.1 S1.6 never starts a node twice, nor more than it may, nor the rest before the canaries', () => {
    life(() => undefined)
  })

  it('S1F.1 S1.39 stands after a crash where it stood before', () => {
    life((world) => {
      world.diesBeforeStart = false
      const { rollout, running } = world.progress
      const working = new Set(running)
      world.crash()
      const after = world.progress.rollout
      expect(after.status).toBe(rollout.status)
      expect(after.canaryEnd).toBe(rollout.canaryEnd)
      expect(after.counts.failed).toBe(rollout.counts.failed)
      expect(after.counts.unreachable).toBe(rollout.counts.unreachable)
      for (const nodeId of working) if (world.runs.has(nodeId)) expect(world.progress.running).toContain(nodeId)
    })
  })

  it('S1.7 S1F.1 comes to its end however often it was cut', () => {
    life((world) => {
      world.diesBeforeStart = false
      for (let turn = 0; turn < 200 && world.progress.rollout.finishedAt === null; turn += 1) {
        world.crash()
        world.play({ kind: 'resumed' })
        world.end(0, 'succeeded')
      }
      expect(world.progress.rollout.finishedAt).not.toBeNull()
      if (world.progress.rollout.status === 'finished')
        expect(world.progress.rollout.started).toBe(world.progress.rollout.nodes.length)
    })
  })
})
