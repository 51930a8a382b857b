import { renderHosts } from '../../core/registry/hosts.ts'
import { renderRoutes } from '../../core/registry/routes.ts'
import { formatServiceRegistry, readServiceRegistry } from '../../core/registry/serviceRegistry.ts'
import { AppError } from '../../shared/errors.ts'
import type { RegistryService } from '../../shared/model/registry.ts'
import type { RegistryContent, StoredRevision, StoreReader } from '../ports.ts'

interface InForce {
  readonly number: number
  readonly services: readonly RegistryService[]
}

const nothing: InForce = { number: 0, services: [] }

/** What the service registry makes of a plan. Nothing that is rendered is sensitive, so the vault may stay shut. */
export function createRegistryContent(store: Pick<StoreReader, 'getRevision'>): RegistryContent {
  let parsed: InForce = nothing

  async function inForce(reader: Pick<StoreReader, 'getRevision'>): Promise<InForce> {
    const stored = await reader.getRevision('services')
    if (stored === null) return nothing
    // Revisions never change: a number stands for its content.
    if (stored.revision.number !== parsed.number) parsed = servicesOf(stored)
    return parsed
  }

  return {
    of: async (plan, reader = store) => {
      const { number, services } = await inForce(reader)
      return {
        text: textFor(plan, services),
        registryJson: formatServiceRegistry(services.map((service) => ({ ...service, preserved: [] }))),
        registryRevision: number,
        services,
      }
    },
  }
}

function textFor(plan: Parameters<RegistryContent['of']>[0], services: readonly RegistryService[]): string {
  return plan.kind === 'routes' ? renderRoutes(services, plan.spec.routes) : renderHosts(services, plan.spec.hosts)
}

function servicesOf({ revision, text }: StoredRevision): InForce {
  const read = readServiceRegistry(text)
  if (!read.ok)
    throw new AppError('DATABASE_CORRUPT', `Revision ${revision.number} of the service registry does not read.`)
  return { number: revision.number, services: read.services }
}
