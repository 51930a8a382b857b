import { assertNever } from '../../shared/errors.ts'
import type { FleetNode, NodeKind } from '../../shared/model/node.ts'
import type { HostsSettings, RegistryService, RoutesSettings } from '../../shared/model/registry.ts'
import { renderHosts } from './hosts.ts'
import { renderRoutes } from './routes.ts'

export type DeliveryKind = 'routes' | 'hosts'

/** What a node of this kind is given of the service registry; null for nothing (S1.8-10). */
export function deliveryOf(kind: NodeKind): DeliveryKind | null {
  switch (kind) {
    case 'vps':
      return 'routes'
    case 'laptop':
    case 'worker':
      return 'hosts'
    case 'storage':
    case 'vm':
      return null
    default:
      return assertNever(kind)
  }
}

export interface DeliverySettings {
  readonly routes: RoutesSettings
  readonly hosts: HostsSettings
}

/** What a node gets of these services: the text whose SHA-256 has to be read back from it. */
export function renderDelivery(
  kind: DeliveryKind,
  services: readonly RegistryService[],
  { routes, hosts }: DeliverySettings,
): string {
  return kind === 'routes' ? renderRoutes(services, routes) : renderHosts(services, hosts)
}

/** What a new revision does to one node. */
export interface NodeEffect {
  readonly nodeId: FleetNode['id']
  readonly kind: DeliveryKind
  readonly before: string
  readonly after: string
  readonly changed: boolean
}

/** Which nodes would change, and how, from one revision to another. In the order of the nodes. */
export function previewEffects(
  nodes: readonly Pick<FleetNode, 'id' | 'kind'>[],
  revisions: { readonly before: readonly RegistryService[]; readonly after: readonly RegistryService[] },
  settings: DeliverySettings,
): NodeEffect[] {
  const texts = (kind: DeliveryKind) => {
    const before = renderDelivery(kind, revisions.before, settings)
    const after = renderDelivery(kind, revisions.after, settings)
    return { kind, before, after, changed: before !== after }
  }
  // Nodes of one kind get the same bytes: rendered once, shared by all.
  const effects = { routes: texts('routes'), hosts: texts('hosts') }
  return nodes.flatMap(({ id, kind }): NodeEffect[] => {
    const delivery = deliveryOf(kind)
    return delivery === null ? [] : [{ nodeId: id, ...effects[delivery] }]
  })
}
