import { assertNever } from '../../shared/errors.ts'
import type { NodeId, RolloutId } from '../../shared/model/ids.ts'
import type { NodeOutcome, Portion, Rollout, RolloutStatus } from '../../shared/model/rollout.ts'

/** A rollout, and its nodes that were started and have not settled. Those follow from the runs, so they are not kept. */
export interface RolloutProgress {
  readonly rollout: Rollout
  readonly running: ReadonlySet<NodeId>
}

export type RolloutEvent =
  | { readonly kind: 'began' }
  /** Nodes that came to their end. */
  | { readonly kind: 'settled'; readonly outcomes: ReadonlyMap<NodeId, NodeOutcome> }
  | { readonly kind: 'paused' }
  /** A person goes on after a pause, or in spite of failures. */
  | { readonly kind: 'resumed' }
  | { readonly kind: 'aborted' }
  /** A newer one brings everything that this one has not. */
  | { readonly kind: 'superseded'; readonly by: RolloutId }

/** What has to happen outside, after the new rollout was kept. */
export type RolloutEffect =
  | { readonly kind: 'start'; readonly nodeIds: readonly NodeId[] }
  /** Nodes that are worked on are told to stop. Not done for a newer revision: what runs is let finish. */
  | { readonly kind: 'cancel'; readonly nodeIds: readonly NodeId[] }

export interface RolloutTransition {
  readonly progress: RolloutProgress
  readonly effects: readonly RolloutEffect[]
}

interface Context {
  readonly nowMs: number
}

/** What is decided when a rollout is planned; everything else begins the same way for each. */
type RolloutFacts = Pick<Rollout, 'id' | 'cause' | 'plans' | 'settings' | 'requestedBy' | 'createdAt'>

/**
 * A rollout that has started nothing yet: the event `began` does.
 *
 * @param nodes in the order in which to start them; those that answered last time first, so that canaries do.
 */
export function planRollout(facts: RolloutFacts, nodes: readonly NodeId[]): RolloutProgress {
  const unique = [...new Set(nodes)]
  const { canary } = facts.settings
  const rollout: Rollout = {
    ...facts,
    status: 'running',
    nodes: unique,
    canaryEnd: canary === null ? 0 : sizeOf(canary, unique.length),
    started: 0,
    counts: { succeeded: 0, failed: 0, unreachable: 0, canceled: 0 },
    waveFailures: 0,
    updatedAt: facts.createdAt,
    finishedAt: null,
    supersededBy: null,
  }
  return { rollout, running: new Set() }
}

/** At least one, at most all. */
function sizeOf(portion: Portion, total: number): number {
  const size = portion.kind === 'count' ? portion.count : Math.ceil((portion.percent * total) / 100)
  return Math.min(total, Math.max(1, Math.trunc(size)))
}

/**
 * Where a rollout stands after a crash: what was kept of it may be older than its runs, which say how far it has come.
 *
 * @param outcomes of every node with a run of this rollout, null while one works; and of nodes that were passed over
 *   without one. A node before them that is not named is counted as canceled.
 */
export function recoverRollout(
  kept: Rollout,
  outcomes: ReadonlyMap<NodeId, NodeOutcome | null>,
  { nowMs }: Context,
): RolloutTransition {
  if (kept.finishedAt !== null) return unchanged({ rollout: kept, running: new Set() })
  const started = startedWithin(kept, outcomes)
  const running = new Set<NodeId>()
  const counts = { succeeded: 0, failed: 0, unreachable: 0, canceled: 0 }
  for (const nodeId of kept.nodes.slice(0, started)) {
    const outcome = outcomes.get(nodeId)
    if (outcome === null) running.add(nodeId)
    else counts[outcome ?? 'canceled'] += 1
  }
  const canaryEnd = canariesWithin(kept, outcomes)
  const sameWave = kept.started <= canaryEnd === started <= canaryEnd
  const failedBefore = sameWave ? kept.counts.failed - kept.waveFailures : failuresWithin(kept, canaryEnd, outcomes)
  const waveFailures = Math.max(0, counts.failed - failedBefore)
  const rollout = withVerdict({ ...kept, started, counts, canaryEnd, waveFailures }, running)
  return stamped(startMore({ rollout, running }), nowMs)
}

/** How many nodes have had their turn: they come in order, so all before the last one that is known to. */
export function startedWithin(
  { nodes }: Pick<Rollout, 'nodes'>,
  outcomes: ReadonlyMap<NodeId, NodeOutcome | null>,
): number {
  return nodes.findLastIndex((nodeId) => outcomes.has(nodeId)) + 1
}

/** Where the canary wave ends, with one more node for each that says nothing. */
function canariesWithin({ nodes, settings }: Rollout, outcomes: ReadonlyMap<NodeId, NodeOutcome | null>): number {
  if (settings.canary === null) return 0
  const planned = sizeOf(settings.canary, nodes.length)
  let end = 0
  let proving = 0
  for (; end < nodes.length && proving < planned; end += 1) {
    const outcome = outcomes.get(nodes[end] as NodeId) ?? null
    if (outcome === null || !saysNothing(outcome)) proving += 1
  }
  return end
}

function failuresWithin({ nodes }: Rollout, end: number, outcomes: ReadonlyMap<NodeId, NodeOutcome | null>): number {
  return nodes.slice(0, end).filter((nodeId) => outcomes.get(nodeId) === 'failed').length
}

/**
 * Decides what a rollout becomes. Pure: the caller keeps the rollout, then does the effects. An event that does not fit
 * (the answer of a node that is not running, anything but an answer to a final rollout) changes nothing.
 */
export function rolloutTransition(
  progress: RolloutProgress,
  event: RolloutEvent,
  { nowMs }: Context,
): RolloutTransition {
  const next = decide(progress, event)
  return next.progress === progress ? next : stamped(next, nowMs)
}

function stamped({ progress: { rollout, running }, effects }: RolloutTransition, nowMs: number): RolloutTransition {
  const over = isFinalRollout(rollout) && running.size === 0
  const finishedAt = over ? (rollout.finishedAt ?? nowMs) : null
  return { progress: { rollout: { ...rollout, updatedAt: nowMs, finishedAt }, running }, effects }
}

function decide(progress: RolloutProgress, event: RolloutEvent): RolloutTransition {
  const { status } = progress.rollout
  switch (event.kind) {
    case 'began':
      return startMore(progress)
    case 'settled':
      return startMore(settle(progress, event.outcomes))
    case 'paused':
      return unchanged(status === 'running' ? withFacts(progress, { status: 'paused' }) : progress)
    case 'resumed':
      return resume(progress)
    case 'aborted':
      return abort(progress)
    case 'superseded':
      return unchanged(
        isFinalRollout(progress.rollout)
          ? progress
          : withFacts(progress, { status: 'superseded', supersededBy: event.by }),
      )
    default:
      return assertNever(event)
  }
}

const unchanged = (progress: RolloutProgress): RolloutTransition => ({ progress, effects: [] })

const withFacts = (progress: RolloutProgress, facts: Partial<Rollout>): RolloutProgress => ({
  ...progress,
  rollout: { ...progress.rollout, ...facts },
})

const finalStatuses: ReadonlySet<RolloutStatus> = new Set(['finished', 'aborted', 'superseded'])

/** Nothing more will be started, ever. Nodes may still be at work. */
export function isFinalRollout({ status }: Pick<Rollout, 'status'>): boolean {
  return finalStatuses.has(status)
}

/** Nodes whose turn is still to come: nobody else brings them what this rollout holds back. */
export function nodesAhead(rollout: Pick<Rollout, 'status' | 'nodes' | 'started'>): readonly NodeId[] {
  return isFinalRollout(rollout) ? [] : rollout.nodes.slice(rollout.started)
}

function resume(progress: RolloutProgress): RolloutTransition {
  const { status, waveFailures } = progress.rollout
  if (status !== 'paused' && status !== 'stopped') return unchanged(progress)
  return startMore(withFacts(progress, { status: 'running', waveFailures: status === 'stopped' ? 0 : waveFailures }))
}

function abort(progress: RolloutProgress): RolloutTransition {
  const { rollout, running } = progress
  if (isFinalRollout(rollout)) return unchanged(progress)
  const effects: RolloutEffect[] = running.size === 0 ? [] : [{ kind: 'cancel', nodeIds: [...running] }]
  return { progress: withFacts(progress, { status: 'aborted' }), effects }
}

/**
 * A canary that does not answer, or whose run somebody canceled, says nothing about the change: the next node takes its
 * place in the first wave, so that neither the wave waits for it nor the rest goes on without any proof.
 */
function settle(progress: RolloutProgress, outcomes: ReadonlyMap<NodeId, NodeOutcome>): RolloutProgress {
  const { rollout } = progress
  const settled = [...outcomes].filter(([nodeId]) => progress.running.has(nodeId))
  if (settled.length === 0) return progress
  const running = new Set(progress.running)
  const counts = { ...rollout.counts }
  let { canaryEnd, waveFailures } = rollout
  const inCanary = rollout.started <= canaryEnd
  for (const [nodeId, outcome] of settled) {
    running.delete(nodeId)
    counts[outcome] += 1
    if (outcome === 'failed') waveFailures += 1
    if (inCanary && saysNothing(outcome)) canaryEnd = Math.min(rollout.nodes.length, canaryEnd + 1)
  }
  return { rollout: withVerdict({ ...rollout, counts, canaryEnd, waveFailures }, running), running }
}

const saysNothing = (outcome: NodeOutcome): boolean => outcome === 'unreachable' || outcome === 'canceled'

function withVerdict(rollout: Rollout, running: ReadonlySet<NodeId>): Rollout {
  if (isFinalRollout(rollout)) return rollout
  const allStarted = rollout.started === rollout.nodes.length
  if (allStarted && running.size === 0) return { ...rollout, status: 'finished' }
  return rollout.waveFailures >= failuresToStop(rollout) ? { ...rollout, status: 'stopped' } : rollout
}

/**
 * In a wave smaller than the limit, as many failures as it has nodes. A share is taken of the canaries that were planned:
 * were it of those that said something, a node that does not answer could lower it and stop the rollout (S1.72).
 */
function failuresToStop({ settings, nodes, canaryEnd, started }: Rollout): number {
  if (settings.failureLimit === null) return Number.POSITIVE_INFINITY
  const canaries = settings.canary === null ? 0 : sizeOf(settings.canary, nodes.length)
  const waveSize = started <= canaryEnd ? canaries : nodes.length - canaryEnd
  return sizeOf(settings.failureLimit, Math.max(1, waveSize))
}

/** Starts what may be started now; a rollout without nodes is finished at once. */
function startMore(progress: RolloutProgress): RolloutTransition {
  const { rollout, running } = progress
  if (rollout.status !== 'running') return unchanged(progress)
  const { nodes, started, canaryEnd, settings } = rollout
  if (started === nodes.length)
    return unchanged(running.size === 0 ? withFacts(progress, { status: 'finished' }) : progress)
  const nextWave = started === canaryEnd
  if (nextWave && running.size > 0) return unchanged(progress)
  const waveEnd = started < canaryEnd ? canaryEnd : nodes.length
  const free = Math.max(0, (settings.maxParallel ?? Number.POSITIVE_INFINITY) - running.size)
  const nodeIds = nodes.slice(started, Math.min(waveEnd, started + free))
  if (nodeIds.length === 0) return unchanged(progress)
  const waveFailures = nextWave ? 0 : rollout.waveFailures
  return {
    progress: {
      rollout: { ...rollout, started: started + nodeIds.length, waveFailures },
      running: new Set([...running, ...nodeIds]),
    },
    effects: [{ kind: 'start', nodeIds }],
  }
}
