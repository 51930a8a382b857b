import { createHash } from 'node:crypto'
import { routesFlaw } from '../../../../core/registry/routesReader.ts'
import { routerNames } from '../../../../core/registry/traefikProbe.ts'
import type { PlanId } from '../../../../shared/model/ids.ts'
import type { PlanOf } from '../../../../shared/model/plan.ts'
import type { RegistryContent } from '../../../ports.ts'

/** What a routes plan delivers, and what follows from it. */
export interface RoutesPayload {
  readonly text: string
  readonly bytes: Uint8Array
  /** SHA-256: the state the file has when it is right. */
  readonly state: string
  /** How Traefik calls the routers, one a line. */
  readonly routers: Uint8Array
  /** Why it must not leave; null when it says what the registry says. */
  readonly flaw: string | null
  readonly registryJson: string
  readonly services: Awaited<ReturnType<RegistryContent['of']>>['services']
}

/** Plans whose payload is kept; the fleet has few. */
const mostPlans = 32

/** Payloads by plan: a thousand nodes get the same bytes, which are checked and hashed once. */
export class RoutesPayloads {
  readonly #content: RegistryContent
  readonly #kept = new Map<PlanId, RoutesPayload>()

  constructor(content: RegistryContent) {
    this.#content = content
  }

  async of(plan: PlanOf<'routes'>): Promise<RoutesPayload> {
    const content = await this.#content.of(plan)
    const kept = this.#kept.get(plan.id)
    // The same routes may come from other services: those that are not public.
    if (kept?.text === content.text && kept.services === content.services) return kept
    const { text, registryJson, services } = content
    const bytes = new TextEncoder().encode(text)
    const payload: RoutesPayload = {
      text,
      bytes,
      state: createHash('sha256').update(bytes).digest('hex'),
      routers: new TextEncoder().encode(`${routerNames(services).join('\n')}\n`),
      flaw: routesFlaw(text, services, plan.spec.routes),
      registryJson,
      services,
    }
    this.#kept.delete(plan.id)
    this.#kept.set(plan.id, payload)
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > mostPlans && oldest !== undefined) this.#kept.delete(oldest)
    return payload
  }
}
