import { matchesFilter, parseFilter } from '../../core/fleet/filter.ts'
import { AppError } from '../../shared/errors.ts'
import { NodeId, PlanId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Plan } from '../../shared/model/plan.ts'
import type { StoreReader } from '../ports.ts'

/** Finds a node by id or by name. @throws NOT_FOUND naming what was asked for. */
export async function resolveNode(store: StoreReader, reference: string): Promise<FleetNode> {
  const id = NodeId.safeParse(reference)
  const node = id.success ? await store.getNode(id.data) : await store.findNodeByName(reference)
  if (node !== null) return node
  throw new AppError('NOT_FOUND', `There is no node "${reference}". "lockstep nodes list" shows the names.`, {
    data: { node: reference },
  })
}

/** Finds a plan by id or by name. @throws NOT_FOUND naming what was asked for. */
export async function resolvePlan(store: StoreReader, reference: string): Promise<Plan> {
  const id = PlanId.safeParse(reference)
  const plan = id.success ? await store.getPlan(id.data) : await store.findPlanByName(reference)
  if (plan !== null) return plan
  throw new AppError('NOT_FOUND', `There is no plan "${reference}". "lockstep plans list" shows the names.`, {
    data: { plan: reference },
  })
}

/** Keeps what matches. @throws INVALID_INPUT with the position of the mistake in the filter. */
export function applyFilter(nodes: readonly FleetNode[], text: string, nowMs: number): FleetNode[] {
  const result = parseFilter(text)
  if (!result.ok) {
    throw new AppError(
      'INVALID_INPUT',
      `The filter does not read: ${result.message} (at character ${result.position + 1}).`,
      {
        data: { field: 'filter', position: result.position },
      },
    )
  }
  return nodes.filter((node) => matchesFilter(result.filter, node, nowMs))
}
