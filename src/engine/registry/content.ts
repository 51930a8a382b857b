import { renderHosts } from '../../core/registry/hosts.ts'
import { renderRoutes } from '../../core/registry/routes.ts'
import { formatServiceRegistry } from '../../core/registry/serviceRegistry.ts'
import { AppError } from '../../shared/errors.ts'
import type { RegistryService } from '../../shared/model/registry.ts'
import type { RegistryContent, StoredRevision } from '../ports.ts'

type RevisionReader = NonNullable<Parameters<RegistryContent['of']>[1]>
type DeliveryPlan = Parameters<RegistryContent['of']>[0]

interface InForce {
  readonly digest: string
  readonly number: number
  readonly services: readonly RegistryService[]
  /** Made when somebody wants it: few plans have a receiver that does. */
  readonly json: () => string
}

const nothing: InForce = { digest: '', number: 0, services: [], json: () => '{}' }

/** What the service registry makes of a plan. Nothing that is rendered is sensitive, so the vault may stay shut. */
export function createRegistryContent(store: RevisionReader): RegistryContent {
  let parsed: InForce = nothing
  // A thousand nodes ask for the same text; of thousands of services it takes a tenth of a second to write.
  const texts = new WeakMap<InForce, Map<string, string>>()

  function keptText(inForceNow: InForce, plan: DeliveryPlan): string {
    const kept = texts.get(inForceNow) ?? new Map<string, string>()
    texts.set(inForceNow, kept)
    const key = JSON.stringify(plan.kind === 'routes' ? [plan.kind, plan.spec.routes] : [plan.kind, plan.spec.hosts])
    const text = kept.get(key) ?? textFor(plan, inForceNow.services)
    kept.set(key, text)
    return text
  }

  async function inForce(reader: RevisionReader): Promise<InForce> {
    // Which one it is costs less than its text, and is asked once for each node of a rollout.
    const [newest] = (await reader.listRevisions?.('services', { limit: 1 })) ?? []
    if (newest !== undefined && newest.digest === parsed.digest && newest.number === parsed.number) return parsed
    const stored = await reader.getRevision('services')
    if (stored === null) return nothing
    // The number alone would not do: what a transaction read here may never have been committed.
    if (stored.revision.digest !== parsed.digest || stored.revision.number !== parsed.number)
      parsed = readStored(stored)
    return parsed
  }

  return {
    of: async (plan, reader = store) => {
      const now = await inForce(reader)
      const { number, services, json } = now
      return {
        text: keptText(now, plan),
        get registryJson() {
          return json()
        },
        registryRevision: number,
        services,
      }
    },
  }
}

/** What lies on a node after a run of this plan with these services. */
export function textFor(plan: DeliveryPlan, services: readonly RegistryService[]): string {
  return plan.kind === 'routes' ? renderRoutes(services, plan.spec.routes) : renderHosts(services, plan.spec.hosts)
}

/**
 * The services of a revision with the fields that nodes are told of. The text was checked before it was stored, and is
 * in the form we write: reading it again as carefully as somebody else's would cost twenty times as much.
 */
function readStored({ revision, text }: StoredRevision): InForce {
  const { number, digest } = revision
  try {
    const entries = Object.entries(JSON.parse(text) as Record<string, RegistryService>)
    const services = entries.map(
      ([name, { subdomain, ip, port, public: isPublic }]): RegistryService => ({
        name,
        subdomain,
        ip,
        port,
        public: isPublic,
        preserved: [],
      }),
    )
    let json: string | null = null
    return { digest, number, services, json: () => (json ??= formatServiceRegistry(services)) }
  } catch (cause) {
    throw new AppError('DATABASE_CORRUPT', `Revision ${number} of the service registry does not read.`, { cause })
  }
}
