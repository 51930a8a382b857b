import { formatNodeRegistry } from '../../core/registry/nodeRegistry.ts'
import { formatServiceRegistry } from '../../core/registry/serviceRegistry.ts'
import type { PlanId } from '../../shared/model/ids.ts'
import { HostsSpec, type PlanOf, RoutesSpec } from '../../shared/model/plan.ts'
import type { NodeRegistryEntry, RegistryService } from '../../shared/model/registry.ts'
import type { FakeLink } from '../api/links/fake.ts'
import { fakeDiagnosis, fakeDigest, fakeId } from '../api/links/fakeFleet.ts'

const words = ['demo', 'grafana', 'git', 'vault', 'photos', 'wiki', 'mail', 'registry', 'search', 'chat', 'files', 'ci']

function service(index: number): RegistryService {
  const word = words[index % words.length] as string
  const name = index < words.length ? word : `${word}-${index}`
  const extra =
    index % 7 === 3
      ? [
          { key: 'owner', json: '"ana"' },
          { key: 'db_password', json: '{"$sealed":"c2VhbGVk"}' },
        ]
      : []
  const usual = ['subdomain', 'ip', 'port', 'public'].map((key) => ({ key, json: null }))
  return {
    name,
    subdomain: name,
    ip: `100.64.${(index >> 8) & 255}.${index & 255 || 1}`,
    port: 3000 + (index % 6000),
    public: index % 3 !== 1,
    preserved: extra.length === 0 ? [] : [...usual, ...extra],
  }
}

const deliveryPlans = (): readonly [PlanOf<'routes'>, PlanOf<'hosts'>] => {
  const shared = { revision: 3, digest: fakeDigest(3), createdAt: 0, updatedAt: 0 }
  const routes = RoutesSpec.parse({ routes: { domain: 'example.com' } })
  const hosts = HostsSpec.parse({ hosts: { domain: 'example.com', shortNames: true } })
  return [
    { ...shared, id: fakeId<PlanId>(2, 501), name: 'routes', kind: 'routes', selector: 'kind:vps', spec: routes },
    {
      ...shared,
      id: fakeId<PlanId>(2, 502),
      name: 'hosts',
      kind: 'hosts',
      selector: 'kind:laptop or kind:worker',
      spec: hosts,
    },
  ]
}

const lists = { laptop: 'management_laptops', vps: 'vps_nodes', worker: 'worker_nodes' } as const

/** Services with a history, a node registry, sources that fare differently, and plans that deliver it all. */
export function seedRegistry({ engine, registry }: FakeLink, count: number): void {
  if (count === 0) return
  const [routes, hosts] = deliveryPlans()
  engine.savePlan(routes)
  engine.savePlan(hosts)
  const all = Array.from({ length: count }, (_, index) => service(index))
  const save = (services: readonly RegistryService[], comment: string, author: string): void => {
    const baseNumber = registry.get('services')?.revision.number ?? 0
    registry.save({ registry: 'services', text: formatServiceRegistry(services), baseNumber, comment, author })
  }
  const quiet = registry.onSaved
  registry.onSaved = () => undefined
  save(all.slice(0, -2), 'taken over from the old scripts', 'ana@desk')
  save(all.slice(0, -1), 'the wiki moves', 'bob@laptop')
  save(all, '', 'ana@desk')
  const nodes = [...engine.nodes.values()].flatMap((node): NodeRegistryEntry[] => {
    const list = lists[node.kind as keyof typeof lists]
    if (list === undefined) return []
    const fields = { ip: node.address, name: node.name, ssh_user: node.user, last_sync: null, last_attempt: null }
    return [{ list, ...fields, status: node.status, preserved: [] }]
  })
  registry.save({
    registry: 'nodes',
    text: formatNodeRegistry({ nodes: nodes.slice(1), preserved: [] }),
    baseNumber: 0,
    comment: '',
  })
  // What was wanted until now was read back everywhere but on every twelfth node.
  for (const [index, node] of [...engine.nodes.values()].entries()) {
    const plans = node.plans.map((plan) =>
      plan.planId !== routes.id && plan.planId !== hosts.id
        ? plan
        : { ...plan, observed: index % 12 === 5 ? null : observed(plan.desiredRevision, engine.now()) },
    )
    engine.saveNode({ ...node, plans })
  }
  registry.onSaved = quiet
  registry.addSource({
    name: 'registry file',
    registry: 'services',
    place: { kind: 'file', path: '/srv/registry/services.json' },
  })
  const cluster = registry.addSource({
    name: 'home cluster',
    registry: 'nodes',
    place: {
      kind: 'configMap',
      kubeconfigFile: null,
      context: 'home',
      namespace: 'default',
      name: 'node-registry',
      key: null,
      writeStatusBack: true,
      allowUnverifiedTls: false,
    },
  })
  registry.saveSource({
    ...cluster,
    state: {
      status: 'failing',
      since: engine.now() - 3_600_000,
      checkedAt: engine.now() - 4_000,
      diagnosis: fakeDiagnosis(
        'REGISTRY_SOURCE_UNREACHABLE',
        'The API server of context home did not answer (connection refused at 10.0.0.9:6443). It is asked again every 10 s; the last good revision stays in force.',
        'API server refused',
        ['connect ECONNREFUSED 10.0.0.9:6443'],
        ['wait', 'Look again'],
        true,
      ),
    },
  })
}

function observed(revision: number, nowMs: number) {
  return { revision, digest: fakeDigest(revision), verifiedAt: nowMs - 240_000, runId: fakeId<never>(3, 77) }
}
