import type { ByteName, ListedEntry } from '../../../../core/parse/rsync.ts'
import type { TreePlan } from '../../../../shared/model/plan.ts'
import type { StoreReader } from '../../../ports.ts'
import type { Manifest } from '../../../transfer/manifest.ts'
import type { StepContext } from '../../executor.ts'
import type { TransferDependencies } from '../transfer/step.ts'

export type TreeContext = StepContext<TreePlan>

export interface TreeDependencies extends TransferDependencies {
  readonly store: TransferDependencies['store'] & Pick<StoreReader, 'listNodes'>
}

/** What the steps of one run tell each other. */
export interface TreeMemory {
  /** The source of the push as PRE_FLIGHT_CHECK saw it. */
  manifest: Manifest | null
  /** What this run has sent, over all its tries. */
  readonly sent: Set<ByteName>
  /** Everything the source of the pull has. */
  pullEntries: Pick<ListedEntry, 'type' | 'name'>[]
  readonly received: Set<ByteName>
  /** Size and time agreed but content did not: compare content this time. */
  compareContent: boolean
  /** The dry run of this try found both sides equal, nothing to delete included: no second one has to say so. */
  nothingToDo: { push: boolean; pull: boolean }
  /** Before the first try of this run the receiving directory held no file. */
  receiverWasEmpty: { push: boolean; pull: boolean }
}

export const createTreeMemory = (): TreeMemory => ({
  manifest: null,
  sent: new Set(),
  pullEntries: [],
  received: new Set(),
  compareContent: false,
  nothingToDo: { push: false, pull: false },
  receiverWasEmpty: { push: false, pull: false },
})
