import { z } from 'zod'
import { PlanId, type RepositoryId } from '../../shared/model/ids.ts'
import type { StoreReader, StoreTransaction } from '../ports.ts'

/*
 * Plans that have another commit since a fetch nobody asked for, and whose runs have not begun. Written with the fetch and
 * taken away after the runs are registered: who dies in between begins them after the restart.
 */

const DuePlan = z.object({ id: PlanId, revision: z.int() })
export type DuePlan = z.infer<typeof DuePlan>

const dueSetting = (id: RepositoryId): string => `repository.due.${id}`

export async function listDue(reader: Pick<StoreReader, 'getSetting'>, id: RepositoryId): Promise<DuePlan[]> {
  const text = await reader.getSetting(dueSetting(id))
  return text === null || text === '' ? [] : DuePlan.array().parse(JSON.parse(text))
}

const keep = (transaction: StoreTransaction, id: RepositoryId, due: readonly DuePlan[]): Promise<void> =>
  transaction.setSetting(dueSetting(id), JSON.stringify(due.map((plan) => ({ id: plan.id, revision: plan.revision }))))

export async function addDue(
  transaction: StoreTransaction,
  id: RepositoryId,
  plans: readonly DuePlan[],
): Promise<void> {
  if (plans.length === 0) return
  const before = await listDue(transaction, id)
  await keep(transaction, id, [...before.filter((due) => !plans.some((plan) => plan.id === due.id)), ...plans])
}

/** Those in these revisions or older ones; a newer one has come meanwhile and stays. */
export async function removeDue(
  transaction: StoreTransaction,
  id: RepositoryId,
  plans: readonly DuePlan[],
): Promise<void> {
  const due = await listDue(transaction, id)
  const begun = new Map(plans.map((plan) => [plan.id, plan.revision]))
  const left = due.filter((plan) => plan.revision > (begun.get(plan.id) ?? 0))
  if (left.length !== due.length) await keep(transaction, id, left)
}
