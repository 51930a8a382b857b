import { inDoubt } from '../../core/fleet/drift.ts'
import { withoutLogin } from '../../core/fleet/observe.ts'
import { canceledMidway } from '../../core/run/causes.ts'
import { severityOf } from '../../core/run/severity.ts'
import type { FleetNode, PlanState } from '../../shared/model/node.ts'
import type { Run, RunProof } from '../../shared/model/run.ts'

type Observed = NonNullable<PlanState['observed']>

/** What else of the node's runs matters when one of them ends; read in the same transaction. */
export interface Surroundings {
  readonly nowMs: number
  readonly errorAfterFailures: number
  /** Causes of other plans of the node whose last run failed. */
  readonly otherFailures: readonly NonNullable<Run['failure']>[]
  /** A run of the same batch has already counted this cycle as failed. */
  readonly cycleAlreadyFailed: boolean
}

/** The node after a run of it stopped working: finished, or halted for a person (S1.62-77, D12). */
export function settleNode(node: FleetNode, run: Run, around: Surroundings): FleetNode {
  const seen: FleetNode = {
    ...node,
    lastAttemptAt: run.startedAt === null ? node.lastAttemptAt : around.nowMs,
    plans: node.plans.map((plan) => settlePlan(plan, run, around.nowMs)),
  }
  switch (run.status) {
    case 'succeeded':
      return succeeded(withProof(seen, run), around)
    case 'failed':
      return failed(seen, run, around)
    case 'halted':
      return {
        ...seen,
        status: seen.status === 'error' ? 'error' : 'pending_sync',
        statusReason: run.halt?.diagnosis ?? null,
      }
    case 'canceled':
      return canceled(seen, run)
    default:
      return node
  }
}

/** Observed is what was read back, never what was sent. */
function settlePlan(plan: PlanState, run: Run, nowMs: number): PlanState {
  if (plan.planId !== run.planId) return plan
  // Written and not proven: what was read back before is not what lies there now. It stays that way until a run of
  // this very plan proves otherwise; the success of another plan on the node does not.
  const unproven = run.status !== 'succeeded' && plan.observed !== null && (wrote(run) || refuted(run))
  const ended = { ...plan, lastRunId: run.id }
  const seen = unproven ? inDoubt(ended, run.failure ?? run.halt?.diagnosis ?? null, nowMs) : ended
  if (run.status !== 'succeeded' || run.proof === null) return seen
  const observed = {
    revision: run.planRevision,
    digest: run.proof.digest,
    verifiedAt: run.proof.verifiedAt,
    runId: run.id,
    ...commitsOf(plan, run.proof),
  }
  return { ...seen, observed, driftSince: null, driftReason: null }
}

/** What lies there of a repository, and what was verified there before: that is what a roll back returns to. */
function commitsOf({ observed }: PlanState, { verify }: RunProof): Pick<Observed, 'commit' | 'previousCommit'> {
  if (verify.mode !== 'repository') return {}
  const { commit } = verify
  const previousCommit = observed?.commit === commit ? observed.previousCommit : observed?.commit
  return previousCommit === undefined ? { commit } : { commit, previousCommit }
}

/** What a proof says about the node beyond its plan. */
function withProof(node: FleetNode, { proof }: Run): FleetNode {
  if (proof === null) return node
  const { verify, verifiedAt } = proof
  if (verify.mode === 'krl') return { ...node, krl: { version: verify.krlVersion, verifiedAt } }
  if (verify.mode !== 'host-certificate') return node
  const { mode: _, ...hostCertificate } = verify
  return { ...node, hostCertificate: { ...hostCertificate, verifiedAt } }
}

/** The node was looked at, and was not as verified before: nobody serves the routes, another text lies there. */
function refuted({ failure, visits }: Run): boolean {
  if (failure === null || severityOf(failure.code) === 'unreachable') return false
  return visits.some(({ state, outcome }) => state === 'VERIFY' && outcome === 'failed')
}

/** True when the run may have changed files on either side. */
export function wrote(run: Run): boolean {
  return run.visits.some(
    ({ state, outcome }) =>
      (state === 'PUSH_SYNC' || state === 'PULL_SYNC') && outcome !== 'skipped' && outcome !== 'halted',
  )
}

function succeeded(node: FleetNode, { nowMs, otherFailures }: Surroundings): FleetNode {
  const synced = { ...node, lastSyncAt: nowMs }
  const [reason] = otherFailures
  if (reason !== undefined)
    return { ...synced, status: node.status === 'active' ? 'pending_sync' : node.status, statusReason: reason }
  return { ...synced, status: 'active', statusReason: null, consecutiveFailures: 0 }
}

function failed(node: FleetNode, run: Run, around: Surroundings): FleetNode {
  const diagnosis = run.failure
  if (diagnosis === null) return node
  if (severityOf(diagnosis.code) === 'unreachable') {
    // Not the node's failure (S1.72): it waits until it answers again, and nothing is counted. An agent that reports
    // this was itself heard; what did not answer is its storage.
    const seen = run.planKind === 'agent' ? node : withoutLogin(node, diagnosis, around.nowMs)
    return { ...seen, status: 'pending_sync', statusReason: diagnosis }
  }
  const consecutiveFailures = node.consecutiveFailures + (around.cycleAlreadyFailed ? 0 : 1)
  const status = consecutiveFailures >= around.errorAfterFailures ? 'error' : 'pending_sync'
  return { ...node, status, statusReason: diagnosis, consecutiveFailures }
}

/** Cut while it wrote: what lies there now is not what was verified. */
function canceled(node: FleetNode, run: Run): FleetNode {
  const touched = run.visits.some((visit) => visit.state === 'PUSH_SYNC' && visit.outcome !== 'skipped')
  if (!touched || run.cancellation === null) return node
  const statusReason = run.failure ?? canceledMidway(run.cancellation.by)
  return { ...node, status: node.status === 'error' ? 'error' : 'pending_sync', statusReason }
}
