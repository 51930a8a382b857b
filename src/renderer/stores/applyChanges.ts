import { assertNever } from '../../shared/errors.ts'
import type { Agent } from '../../shared/model/agent.ts'
import type { IssuedCertificate, KrlStatus } from '../../shared/model/certificate.ts'
import type { Change } from '../../shared/model/event.ts'
import type { AgentId, CertificateId, NodeId, PlanId, RolloutId, RunId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Plan } from '../../shared/model/plan.ts'
import type { RegistryKind, RegistryRevision } from '../../shared/model/registry.ts'
import type { Rollout } from '../../shared/model/rollout.ts'
import { isFinal, type Run, type RunProgress } from '../../shared/model/run.ts'

/** Kinds of state that events only say have changed. */
export type AskedAgain = 'authorities' | 'joinTokens' | 'gateway' | 'sources' | 'repositories'
export type Revisions = Readonly<Record<AskedAgain, number>>

/** The part of the replica that events change. */
export interface ReplicaData {
  readonly nodes: ReadonlyMap<NodeId, FleetNode>
  readonly plans: ReadonlyMap<PlanId, Plan>
  readonly agents: ReadonlyMap<AgentId, Agent>
  /** All runs that are not final, and the newest {@link keptFinalRuns} that are. Older ones: `client.runs.list`. */
  readonly runs: ReadonlyMap<RunId, Run>
  /** Issued or revoked while this window was open. The whole log: `client.certificates.list`. */
  readonly certificates: ReadonlyMap<CertificateId, IssuedCertificate>
  /** The revocation list as the last event said; null before one came: ask `client.certificates.krl`. */
  readonly krl: KrlStatus | null
  /** The newest revision of each registry that has one. */
  readonly registries: ReadonlyMap<RegistryKind, RegistryRevision>
  /** All rollouts that are not final, and the newest {@link keptFinalRollouts} that are. Older ones: `client.rollouts.list`. */
  readonly rollouts: ReadonlyMap<RolloutId, Rollout>
  /** How often each of these has changed: part of the query key of whatever asks for it. */
  readonly revisions: Revisions
  /** Live figures of running runs. */
  readonly progress: ReadonlyMap<RunId, RunProgress>
}

export const keptFinalRuns = 2000
const keptCertificates = 10_000
const keptFinalRollouts = 50

/** Copies a collection on its first change only, so that what did not change keeps its identity. */
class Draft {
  readonly #base: ReplicaData
  #nodes: Map<NodeId, FleetNode> | null = null
  #plans: Map<PlanId, Plan> | null = null
  #runs: Map<RunId, Run> | null = null
  #progress: Map<RunId, RunProgress> | null = null
  #agents: Map<AgentId, Agent> | null = null
  #certificates: Map<CertificateId, IssuedCertificate> | null = null
  #registries: Map<RegistryKind, RegistryRevision> | null = null
  #rollouts: Map<RolloutId, Rollout> | null = null
  #revisions: Record<AskedAgain, number> | null = null
  krl: KrlStatus | null

  constructor(base: ReplicaData) {
    this.#base = base
    this.krl = base.krl
  }

  get nodes(): Map<NodeId, FleetNode> {
    this.#nodes ??= new Map(this.#base.nodes)
    return this.#nodes
  }
  get plans(): Map<PlanId, Plan> {
    this.#plans ??= new Map(this.#base.plans)
    return this.#plans
  }
  get runs(): Map<RunId, Run> {
    this.#runs ??= new Map(this.#base.runs)
    return this.#runs
  }
  get progress(): Map<RunId, RunProgress> {
    this.#progress ??= new Map(this.#base.progress)
    return this.#progress
  }
  get agents(): Map<AgentId, Agent> {
    this.#agents ??= new Map(this.#base.agents)
    return this.#agents
  }
  get certificates(): Map<CertificateId, IssuedCertificate> {
    this.#certificates ??= new Map(this.#base.certificates)
    return this.#certificates
  }

  get registries(): Map<RegistryKind, RegistryRevision> {
    this.#registries ??= new Map(this.#base.registries)
    return this.#registries
  }
  get rollouts(): Map<RolloutId, Rollout> {
    this.#rollouts ??= new Map(this.#base.rollouts)
    return this.#rollouts
  }

  askAgain(what: AskedAgain): void {
    this.#revisions ??= { ...this.#base.revisions }
    this.#revisions[what] += 1
  }

  finish(): ReplicaData {
    return {
      nodes: this.#nodes ?? this.#base.nodes,
      plans: this.#plans ?? this.#base.plans,
      runs: this.#runs === null ? this.#base.runs : trimRuns(this.#runs),
      progress: this.#progress ?? this.#base.progress,
      agents: this.#agents ?? this.#base.agents,
      certificates: this.#certificates === null ? this.#base.certificates : trimCertificates(this.#certificates),
      krl: this.krl,
      registries: this.#registries ?? this.#base.registries,
      rollouts: this.#rollouts === null ? this.#base.rollouts : trimRollouts(this.#rollouts),
      revisions: this.#revisions ?? this.#base.revisions,
    }
  }
}

/** Run ids are UUID v7, so the smallest final ids are the oldest. */
function trimRuns(runs: Map<RunId, Run>): Map<RunId, Run> {
  if (runs.size <= keptFinalRuns) return runs
  const final = [...runs.values()].filter((run) => isFinal(run.status)).map((run) => run.id)
  for (const id of final.sort().slice(0, Math.max(0, final.length - keptFinalRuns))) runs.delete(id)
  return runs
}

/** Rollout ids are UUID v7 too. */
function trimRollouts(rollouts: Map<RolloutId, Rollout>): Map<RolloutId, Rollout> {
  if (rollouts.size <= keptFinalRollouts) return rollouts
  const final = [...rollouts.values()].filter(({ finishedAt }) => finishedAt !== null).map(({ id }) => id)
  for (const id of final.sort().slice(0, Math.max(0, final.length - keptFinalRollouts))) rollouts.delete(id)
  return rollouts
}

/** Those that changed longest ago go first. */
function trimCertificates(certificates: Map<CertificateId, IssuedCertificate>): Map<CertificateId, IssuedCertificate> {
  const surplus = certificates.size - keptCertificates
  if (surplus > 0) for (const id of [...certificates.keys()].slice(0, surplus)) certificates.delete(id)
  return certificates
}

function applyChange(draft: Draft, change: Change): void {
  switch (change.kind) {
    case 'node.saved':
      draft.nodes.set(change.node.id, change.node)
      return
    case 'node.removed':
      draft.nodes.delete(change.nodeId)
      return
    case 'plan.saved':
      draft.plans.set(change.plan.id, change.plan)
      return
    case 'plan.removed':
      draft.plans.delete(change.planId)
      return
    case 'run.saved':
      draft.runs.set(change.run.id, change.run)
      return
    case 'certificate.issued':
    case 'certificate.revoked':
      draft.certificates.set(change.certificate.id, change.certificate)
      return
    case 'authority.changed':
      draft.askAgain('authorities')
      return
    case 'krl.saved':
      draft.krl = change.krl
      return
    case 'agent.saved':
      draft.agents.set(change.agent.id, change.agent)
      return
    case 'agent.removed':
      draft.agents.delete(change.agentId)
      return
    case 'joinTokens.changed':
      draft.askAgain('joinTokens')
      return
    case 'gateway.changed':
      draft.askAgain('gateway')
      return
    case 'registry.saved':
      draft.registries.set(change.revision.registry, change.revision)
      return
    case 'sources.changed':
      draft.askAgain('sources')
      return
    case 'repositories.changed':
      draft.askAgain('repositories')
      return
    case 'rollout.saved':
      draft.rollouts.set(change.rollout.id, change.rollout)
      return
    default:
      assertNever(change)
  }
}

/** Progress is not numbered: within one batch only the newest version of the run says whether it still counts. */
function forgetUnlessRunning(draft: Draft, runId: RunId): void {
  const status = draft.runs.get(runId)?.status
  if (status !== undefined && status !== 'running' && draft.progress.has(runId)) draft.progress.delete(runId)
}

/** Applies committed changes in order; applying one twice does no harm. */
export function applyChanges(
  data: ReplicaData,
  changes: readonly Change[],
  progress: ReadonlyMap<RunId, RunProgress>,
): ReplicaData {
  const draft = new Draft(data)
  for (const change of changes) applyChange(draft, change)
  for (const [runId, figures] of progress) draft.progress.set(runId, figures)
  const touched = [
    ...progress.keys(),
    ...changes.flatMap((change) => (change.kind === 'run.saved' ? [change.run.id] : [])),
  ]
  for (const runId of touched) forgetUnlessRunning(draft, runId)
  return draft.finish()
}
