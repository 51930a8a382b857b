import { assertNever } from '../../shared/errors.ts'

/** A number of nodes, or a share of them in percent, rounded up. */
export type Portion =
  | { readonly kind: 'count'; readonly count: number }
  | { readonly kind: 'percent'; readonly percent: number }

export interface RolloutSettings {
  /** How many nodes go first; null for all at once. */
  readonly canary: Portion | null
  /** Most nodes that are worked on at once; at least 1. */
  readonly maxParallel: number
  /**
   * So many failures within a wave stop the rollout: nothing more is started. A wave in which every node that answered
   * has failed never leads to a next one. Null: failures stop nothing.
   */
  readonly failureLimit: Portion | null
}

/** `stopped`: by failures. Only a person goes on from there and from `paused`. The last three are final. */
export type RolloutStatus = 'running' | 'paused' | 'stopped' | 'finished' | 'aborted' | 'superseded'

/** `unreachable` is no failure (S1.72): it counts for nothing and holds nobody. */
export type NodeOutcome = 'succeeded' | 'failed' | 'unreachable'

/** The nodes of one change, and how far it has come. Plain data: it can be kept and gone on with. */
export interface Rollout<NodeId extends string = string> {
  /** Of the registry. */
  readonly revision: number
  readonly settings: RolloutSettings
  readonly status: RolloutStatus
  /** In the order in which they are started. */
  readonly nodes: readonly NodeId[]
  /** Nodes before this index are the canary wave. It moves on when one of them does not answer: see {@link settle}. */
  readonly canaryEnd: number
  /** How many were started, from the beginning of `nodes`. */
  readonly started: number
  /** Those that were started and have not settled. */
  readonly running: readonly NodeId[]
  /** Settled nodes of all waves. */
  readonly counts: Readonly<Record<NodeOutcome, number>>
  /** Failures that count towards the limit: of the wave, since it began or a person went on. */
  readonly waveFailures: number
}

export type RolloutEvent<NodeId extends string = string> =
  | { readonly kind: 'began' }
  | { readonly kind: 'settled'; readonly nodeId: NodeId; readonly outcome: NodeOutcome }
  | { readonly kind: 'paused' }
  /** A person goes on after a pause, or in spite of failures. */
  | { readonly kind: 'resumed' }
  | { readonly kind: 'aborted' }
  /** The registry has a newer revision. */
  | { readonly kind: 'superseded'; readonly by: number }

/** What has to happen outside, after the new rollout was kept. */
export type RolloutEffect<NodeId extends string = string> =
  | { readonly kind: 'start'; readonly nodeIds: readonly NodeId[] }
  /** Nodes that are worked on are told to stop. Not done for a newer revision: what runs is let finish. */
  | { readonly kind: 'cancel'; readonly nodeIds: readonly NodeId[] }

export interface RolloutTransition<NodeId extends string = string> {
  readonly rollout: Rollout<NodeId>
  readonly effects: readonly RolloutEffect<NodeId>[]
}

/**
 * A rollout that has started nothing yet: the event `began` does.
 *
 * @param nodes in the order in which to start them; those that answered last time first, so that canaries do.
 */
export function planRollout<NodeId extends string>(
  revision: number,
  nodes: readonly NodeId[],
  settings: RolloutSettings,
): Rollout<NodeId> {
  const unique = [...new Set(nodes)]
  return {
    revision,
    settings,
    status: 'running',
    nodes: unique,
    canaryEnd: settings.canary === null ? 0 : sizeOf(settings.canary, unique.length),
    started: 0,
    running: [],
    counts: { succeeded: 0, failed: 0, unreachable: 0 },
    waveFailures: 0,
  }
}

/** At least one, at most all. */
function sizeOf(portion: Portion, total: number): number {
  const size = portion.kind === 'count' ? portion.count : Math.ceil((portion.percent * total) / 100)
  return Math.min(total, Math.max(1, Math.trunc(size)))
}

/**
 * Decides what a rollout becomes. Pure: the caller keeps the rollout, then does the effects. An event that does not fit
 * (the answer of a node that is not running, anything but an answer to a final rollout) changes nothing.
 */
export function rolloutTransition<NodeId extends string>(
  rollout: Rollout<NodeId>,
  event: RolloutEvent<NodeId>,
): RolloutTransition<NodeId> {
  switch (event.kind) {
    case 'began':
      return startMore(rollout)
    case 'settled':
      return startMore(settle(rollout, event))
    case 'paused':
      return { rollout: rollout.status === 'running' ? { ...rollout, status: 'paused' } : rollout, effects: [] }
    case 'resumed':
      return rollout.status === 'paused' || rollout.status === 'stopped'
        ? startMore({
            ...rollout,
            status: 'running',
            waveFailures: rollout.status === 'stopped' ? 0 : rollout.waveFailures,
          })
        : { rollout, effects: [] }
    case 'aborted':
      return abort(rollout)
    case 'superseded':
      return isFinalRollout(rollout) || event.by <= rollout.revision
        ? { rollout, effects: [] }
        : { rollout: { ...rollout, status: 'superseded' }, effects: [] }
    default:
      return assertNever(event)
  }
}

/** Nothing more will be started, ever. Nodes may still be at work. */
export function isFinalRollout({ status }: Pick<Rollout, 'status'>): boolean {
  return status === 'finished' || status === 'aborted' || status === 'superseded'
}

function abort<NodeId extends string>(rollout: Rollout<NodeId>): RolloutTransition<NodeId> {
  if (isFinalRollout(rollout)) return { rollout, effects: [] }
  const effects: RolloutEffect<NodeId>[] =
    rollout.running.length === 0 ? [] : [{ kind: 'cancel', nodeIds: rollout.running }]
  return { rollout: { ...rollout, status: 'aborted' }, effects }
}

/**
 * A canary that does not answer says nothing about the change: the next node takes its place in the first wave, so
 * that neither the wave waits for it nor the rest goes on without any proof.
 */
function settle<NodeId extends string>(
  rollout: Rollout<NodeId>,
  { nodeId, outcome }: Extract<RolloutEvent<NodeId>, { kind: 'settled' }>,
): Rollout<NodeId> {
  if (!rollout.running.includes(nodeId)) return rollout
  const { canaryEnd, started, nodes, counts, waveFailures } = rollout
  const inCanary = started <= canaryEnd
  const settled = {
    ...rollout,
    running: rollout.running.filter((running) => running !== nodeId),
    counts: { ...counts, [outcome]: counts[outcome] + 1 },
    canaryEnd: inCanary && outcome === 'unreachable' ? Math.min(nodes.length, canaryEnd + 1) : canaryEnd,
    waveFailures: waveFailures + (outcome === 'failed' ? 1 : 0),
  }
  if (isFinalRollout(rollout)) return settled
  if (settled.running.length === 0 && started === nodes.length && settled.canaryEnd <= started)
    return { ...settled, status: 'finished' }
  return settled.waveFailures >= failuresToStop(settled) ? { ...settled, status: 'stopped' } : settled
}

/** In a wave smaller than the limit, as many failures as it has nodes; canaries that did not answer do not count. */
function failuresToStop({ settings, nodes, canaryEnd, started, counts }: Rollout): number {
  if (settings.failureLimit === null) return Number.POSITIVE_INFINITY
  const waveSize = started <= canaryEnd ? canaryEnd - counts.unreachable : nodes.length - canaryEnd
  return sizeOf(settings.failureLimit, Math.max(1, waveSize))
}

/** Starts what may be started now; a rollout without nodes is finished at once. */
function startMore<NodeId extends string>(rollout: Rollout<NodeId>): RolloutTransition<NodeId> {
  if (rollout.status !== 'running') return { rollout, effects: [] }
  const { nodes, started, running, canaryEnd, settings } = rollout
  if (started === nodes.length)
    return { rollout: running.length === 0 ? { ...rollout, status: 'finished' } : rollout, effects: [] }
  const nextWave = started === canaryEnd
  if (nextWave && running.length > 0) return { rollout, effects: [] }
  const waveEnd = started < canaryEnd ? canaryEnd : nodes.length
  const free = Math.max(0, Math.max(1, settings.maxParallel) - running.length)
  const nodeIds = nodes.slice(started, Math.min(waveEnd, started + free))
  if (nodeIds.length === 0) return { rollout, effects: [] }
  const next = { ...rollout, started: started + nodeIds.length, running: [...running, ...nodeIds] }
  return {
    rollout: nextWave ? { ...next, waveFailures: 0 } : next,
    effects: [{ kind: 'start', nodeIds }],
  }
}
