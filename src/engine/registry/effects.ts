import type { EffectGroup } from '../../shared/contract/registry.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Plan, PlanOf } from '../../shared/model/plan.ts'
import type { RegistryService } from '../../shared/model/registry.ts'
import type { StoreReader } from '../ports.ts'
import { textFor } from './content.ts'

type DeliveryPlan = PlanOf<'routes'> | PlanOf<'hosts'>

const isDelivery = (plan: Plan): plan is DeliveryPlan => plan.kind === 'routes' || plan.kind === 'hosts'

export interface ServiceChange {
  readonly before: readonly RegistryService[]
  readonly after: readonly RegistryService[]
}

/** What nodes would get in the place of what they get: only plans whose text differs, each with the nodes it reaches. */
export async function effectsOf(
  reader: Pick<StoreReader, 'listPlans' | 'listNodes'>,
  change: ServiceChange,
): Promise<EffectGroup[]> {
  const plans = (await reader.listPlans()).filter(isDelivery)
  if (plans.length === 0) return []
  const nodes = await reader.listNodes()
  const rendered = rendering(change)
  return plans.flatMap((plan): EffectGroup[] => {
    const { before, after } = rendered(plan)
    if (before === after) return []
    const { id: planId, name: planName, kind } = plan
    return [{ planId, planName, kind, nodeIds: nodesOf(plan, nodes), before, after }]
  })
}

/** Plans with the same settings make the same text, however many they are. */
function rendering({ before, after }: ServiceChange): (plan: DeliveryPlan) => { before: string; after: string } {
  const texts = new Map<string, { before: string; after: string }>()
  return (plan) => {
    const key = JSON.stringify(plan.kind === 'routes' ? ['routes', plan.spec.routes] : ['hosts', plan.spec.hosts])
    const known = texts.get(key) ?? { before: textFor(plan, before), after: textFor(plan, after) }
    texts.set(key, known)
    return known
  }
}

const nodesOf = (plan: Plan, nodes: readonly FleetNode[]): FleetNode['id'][] =>
  nodes.filter((node) => node.plans.some(({ planId }) => planId === plan.id)).map(({ id }) => id)

/** Services that nobody would get, because no plan delivers them. */
export async function deliveryWarnings(
  reader: Pick<StoreReader, 'listPlans'>,
  services: readonly RegistryService[],
): Promise<string[]> {
  if (services.length === 0) return []
  const plans = await reader.listPlans()
  const open = services.filter((service) => service.public).length
  const missing: string[] = []
  if (open > 0 && !plans.some(({ kind }) => kind === 'routes'))
    missing.push(`No plan of kind routes delivers the ${open} public service(s) to a VPS.`)
  if (!plans.some(({ kind }) => kind === 'hosts'))
    missing.push(`No plan of kind hosts delivers the ${services.length} service(s) to laptops and workers.`)
  return missing
}
