import type { ByteName } from '../../../../core/parse/rsync.ts'
import { directoryOn, excludesOf } from '../../../../core/repository/places.ts'
import { normalizedRemoteDirectory } from '../../../../core/transfer/paths.ts'
import { AppError } from '../../../../shared/errors.ts'
import type { Diagnosis } from '../../../../shared/model/diagnosis.ts'
import type { NodeId } from '../../../../shared/model/ids.ts'
import type { PlanOf } from '../../../../shared/model/plan.ts'
import type { NodeChannels, PreparedTree, RepositoryTrees } from '../../../ports.ts'
import type { Archives } from '../../../transfer/archive.ts'
import type { FingerprintCache } from '../../../transfer/manifest.ts'
import type { Source, Sources } from '../../../transfer/source.ts'
import type { StepContext, StepOutcome } from '../../executor.ts'
import type { TransferDependencies } from '../transfer/step.ts'
import type { Look } from './found.ts'

export type RepositoryPlan = PlanOf<'repository'>
export type RepositoryContext = StepContext<RepositoryPlan>

export interface RepositoryDependencies extends TransferDependencies {
  readonly channels: NodeChannels
  readonly sources?: Sources
  readonly trees: RepositoryTrees
}

/** What all runs of the executor share. */
export interface Shared {
  readonly sources: Sources
  readonly fingerprints: FingerprintCache
  readonly archives: Archives
  /** The listing of each commit that a run was to bring, as {@link noteDelivered} keeps it. */
  readonly delivered: Map<string, string>
  /** Nodes that said they have no programs for a stream. */
  readonly withoutStream: Set<NodeId>
}

/** What the steps of one run tell each other. */
export interface RepositoryMemory {
  /** Held until the run is over, so that all its tries deliver the same commit. */
  tree: PreparedTree | null
  source: Source | null
  /** How the node looked in PRE_FLIGHT_CHECK; null once something was changed there. */
  look: Look | null
  /** What this run has sent, over all its tries. */
  readonly sent: Set<ByteName>
  /** Size and time agreed but content did not: compare content this time. */
  compareContent: boolean
  /** What was thought of the node turned out wrong: rsync compares all of it from now on. */
  rsyncOnly: boolean
  /** This try has read back a listing of the node that is ours, after the last change. */
  listed: boolean
  /** The node was found as it should be: nothing was sent, and nothing is left to look for. */
  nothingToDo: boolean
  /** This try has built its release from nothing: nobody else can have put anything into it. */
  builtRelease: boolean
  /** What VERIFY found has had its second try. */
  sentAgain: boolean
}

export const createRepositoryMemory = (): RepositoryMemory => ({
  tree: null,
  source: null,
  look: null,
  sent: new Set(),
  compareContent: false,
  rsyncOnly: false,
  listed: false,
  nothingToDo: false,
  builtRelease: false,
  sentAgain: false,
})

/** A step of a run whose tree is prepared. */
export interface Delivery {
  readonly direction: 'push'
  readonly dependencies: RepositoryDependencies
  readonly context: RepositoryContext
  readonly shared: Shared
  readonly memory: RepositoryMemory
  readonly commit: string
  readonly source: Source
  /** As in the plan, in one spelling; `~/` is the home there (D17). */
  readonly target: string
}

/** @throws INTERNAL when PRE_FLIGHT_CHECK has not been through */
export function deliveryOf(
  dependencies: RepositoryDependencies,
  shared: Shared,
  context: RepositoryContext,
  memory: RepositoryMemory,
): Delivery {
  const { tree, source } = memory
  if (tree === null || source === null) throw new AppError('INTERNAL', 'PRE_FLIGHT_CHECK left no tree.')
  const target = targetOf(context.plan, context.node.name)
  return { direction: 'push', dependencies, context, shared, memory, commit: tree.commit, source, target }
}

const mostDelivered = 200

const deliveredKey = ({ id, spec }: RepositoryPlan, commit: string): string =>
  JSON.stringify([id, commit, excludesOf(spec)])

/** So that the next commit knows what the one before has left on the nodes. */
export function noteDelivered({ shared, context, commit, source }: Delivery): void {
  const key = deliveredKey(context.plan, commit)
  shared.delivered.delete(key)
  shared.delivered.set(key, source.digest)
  for (const oldest of shared.delivered.keys()) {
    if (shared.delivered.size <= mostDelivered) break
    shared.delivered.delete(oldest)
  }
}

/** The listing of what was read back from the node last, when we brought it there and still know the tree. */
export function listingBefore({ shared, context, commit }: Delivery): { commit: string; digest: string } | null {
  const before = context.node.plans.find(({ planId }) => planId === context.plan.id)?.observed?.commit
  if (before === undefined || before === null || before === commit) return null
  const digest = shared.delivered.get(deliveredKey(context.plan, before))
  return digest !== undefined && shared.sources.isKnown(digest) ? { commit: before, digest } : null
}

/** Every try of PUSH_SYNC comes after a PRE_FLIGHT_CHECK of its own. @throws INTERNAL when it does not */
export function lookOf({ look }: RepositoryMemory): Look {
  if (look === null) throw new AppError('INTERNAL', 'PRE_FLIGHT_CHECK has not looked at the node.')
  return look
}

/** Where the plan's tree lies on a node; releases lie below it. */
export const targetOf = ({ spec }: Pick<RepositoryPlan, 'spec'>, nodeName: string): string =>
  normalizedRemoteDirectory(directoryOn(spec, nodeName))

/** What was read back is not what was sent: that is put right once; the second time somebody has to look. */
export function onceMore(memory: RepositoryMemory, diagnosis: Diagnosis, outcome?: StepOutcome): StepOutcome {
  const patch = outcome?.patch === undefined ? {} : { patch: outcome.patch }
  if (memory.sentAgain) return { kind: 'fatal', diagnosis, ...patch }
  memory.sentAgain = true
  memory.compareContent = true
  return { kind: 'retry', from: 'PRE_FLIGHT_CHECK', diagnosis, ...patch }
}
