import type { Clock } from '../../platform/clock.ts'
import type { IdSource } from '../../platform/ids.ts'
import type { Logger } from '../../platform/logger.ts'
import type { PushTargets } from '../../shared/contract/runs.ts'
import { AppError } from '../../shared/errors.ts'
import { type BatchId, type IdempotencyKey, type NodeId, RepositoryId } from '../../shared/model/ids.ts'
import type { Plan, PlanInput, PlanOf } from '../../shared/model/plan.ts'
import type { Repository } from '../../shared/model/repository.ts'
import type { Run } from '../../shared/model/run.ts'
import type { RepositoryMirrors, SecretScanner, Store, StoreReader, StoreTransaction } from '../ports.ts'
import type { RepositorySecrets } from './secrets.ts'

/** What the parts of this folder share. */
export interface RepositoryParts {
  readonly store: Store
  readonly clock: Clock
  readonly ids: IdSource
  readonly logger: Logger
  readonly mirrors: RepositoryMirrors
  readonly scanner: SecretScanner
  readonly secrets: RepositorySecrets
}

/** Gives plans whose content has changed a new revision, in the transaction that changed it. */
export type RefreshPlans = (transaction: StoreTransaction) => Promise<readonly Plan[]>

/** Changes one plan as if an operator had applied it; all checks of plans hold. */
export type ApplyPlan = (transaction: StoreTransaction, input: PlanInput, operator: string) => Promise<Plan>

/** As `RunService.push`. */
export type BeginRuns = (request: {
  readonly idempotencyKey: IdempotencyKey
  readonly plans: readonly string[]
  /** `ready`: those of these nodes that can be pushed to, with those of the plans that select them. */
  readonly targets: PushTargets | { readonly kind: 'ready'; readonly nodeIds: readonly NodeId[] }
  readonly force?: true
  readonly trigger: 'operator' | 'repository'
  readonly requestedBy: string
}) => Promise<{ batchId: BatchId; runs: Run[] }>

export type RepositoryPlan = PlanOf<'repository'>

/** @throws NOT_FOUND naming what was asked for */
export async function resolveRepository(
  reader: Pick<StoreReader, 'getRepository' | 'findRepositoryByName'>,
  reference: string,
): Promise<Repository> {
  const id = RepositoryId.safeParse(reference)
  const repository =
    (id.success ? await reader.getRepository(id.data) : null) ?? (await reader.findRepositoryByName(reference))
  if (repository !== null) return repository
  throw new AppError(
    'NOT_FOUND',
    `There is no repository "${reference}". "lockstep repositories list" shows the names.`,
    { data: { repository: reference } },
  )
}

/** Plans that deliver from the repository, by name. */
export async function plansOf(
  reader: Pick<StoreReader, 'listPlans'>,
  { settings }: Pick<Repository, 'settings'>,
): Promise<RepositoryPlan[]> {
  return (await reader.listPlans()).filter(
    (plan): plan is RepositoryPlan => plan.kind === 'repository' && plan.spec.repository === settings.name,
  )
}
