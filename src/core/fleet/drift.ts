import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { FleetNode, PlanState } from '../../shared/model/node.ts'
import type { PlanKind } from '../../shared/model/plan.ts'
import type { RegistryRevision } from '../../shared/model/registry.ts'
import type { Run } from '../../shared/model/run.ts'

/**
 * The state of a plan after a look that found something else than what was verified, or after something was written there.
 * The first time counts, and the newest reason. What was never verified cannot be in doubt.
 *
 * @param reason null keeps the one there is
 */
export function inDoubt(state: PlanState, reason: Diagnosis | null, nowMs: number): PlanState {
  if (state.observed === null) return state
  return { ...state, driftSince: state.driftSince ?? nowMs, driftReason: reason ?? state.driftReason ?? null }
}

/** Why a node is not as it was read back; null when nothing is in doubt, or nobody said. */
export function doubtOf(plans: readonly PlanState[]): Diagnosis | null {
  for (const { driftSince, driftReason } of plans) if (driftSince !== null && driftReason != null) return driftReason
  return null
}

/** What is known about one plan on one node that is not as wanted. */
export interface DriftFacts {
  readonly node: Pick<FleetNode, 'reachability' | 'statusReason' | 'maintenance'>
  readonly state: PlanState
  /** Null: the plan is not known here. */
  readonly kind: PlanKind | null
  /** The newest run of the plan on the node; null when it is not known here. */
  readonly lastRun: Pick<Run, 'planId' | 'status' | 'failure' | 'halt'> | null
  /** The newest revision of the service registry. */
  readonly registry: Pick<RegistryRevision, 'number' | 'at'> | null
}

/** Why one plan on one node is not as wanted, in a few words each, most telling first; empty when it is as wanted. */
export function driftReasons(facts: DriftFacts): string[] {
  const { state } = facts
  if (state.observed === null) return ['never verified', ...hindrance(facts)]
  if (state.driftSince !== null) return [doubtWords(state), ...hindrance(facts)]
  return state.observed.revision === state.desiredRevision ? [] : [newer(facts), ...hindrance(facts)]
}

const changedThere: ReadonlySet<string> = new Set(['VERIFY_MISMATCH', 'REMOTE_FILE_CHANGED'])

function doubtWords({ driftReason }: PlanState): string {
  if (driftReason == null) return 'changed on the node after it was verified'
  return changedThere.has(driftReason.code) ? `changed on the node: ${driftReason.short}` : driftReason.short
}

/** Plans that deliver the registry are behind because of it, unless it is older than what was read back. */
function newer({ state, kind, registry }: DriftFacts): string {
  const { observed, desiredRevision } = state
  if (observed === null) return ''
  const delivers = kind === 'routes' || kind === 'hosts'
  if (delivers && registry !== null && registry.at > observed.verifiedAt)
    return `registry revision ${registry.number} is newer`
  const count = desiredRevision - observed.revision
  return `plan is ${count} ${count === 1 ? 'revision' : 'revisions'} newer`
}

/** What keeps it from being put right. */
function hindrance({ node, state, lastRun }: DriftFacts): string[] {
  if (node.maintenance) return ['in maintenance']
  if (node.reachability.status === 'unreachable') return [`unreachable: ${node.reachability.diagnosis.short}`]
  if (lastRun?.planId === state.planId) {
    const cause = lastRun.status === 'halted' ? lastRun.halt?.diagnosis : lastRun.failure
    // It was said already when the same run has put the plan in doubt.
    if (cause == null || (state.driftSince !== null && cause.short === state.driftReason?.short)) return []
    return [`${lastRun.status === 'halted' ? 'run waits' : 'run failed'}: ${cause.short}`]
  }
  return node.statusReason === null || state.lastRunId === null ? [] : [`last try: ${node.statusReason.short}`]
}
