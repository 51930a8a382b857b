import { PlanInput } from '../../shared/model/plan.ts'
import type { DemoFleetControl, RegistryStore, Store } from '../ports.ts'
import type { PlanService } from './planService.ts'

/*
 * What the demo fleet shows of the service registry: a handful of services, and the plans that bring them to its nodes.
 */

export interface DemoRegistryDependencies {
  readonly store: Pick<Store, 'findPlanByName'>
  readonly plans: PlanService
  readonly registry: Pick<RegistryStore, 'get' | 'save'>
}

type Description = Awaited<ReturnType<DemoFleetControl['describeForRegistration']>>

const routesPlan = 'demo-routes'
const hostsPlan = 'demo-hosts'
const domain = 'demo.example'
const comment = 'services of the demo fleet'

const services = {
  git: { subdomain: 'git', ip: '100.64.0.11', port: 3000, public: true },
  wiki: { subdomain: 'wiki', ip: '100.64.0.11', port: 8080, public: true },
  status: { subdomain: 'status', ip: '100.64.0.12', port: 3001, public: true },
  photos: { subdomain: 'photos', ip: '100.64.0.13', port: 2283, public: false },
  grafana: { subdomain: 'grafana', ip: '100.64.0.12', port: 3002, public: false },
  registry: { subdomain: 'registry', ip: '100.64.0.14', port: 5000, public: false },
}

/** Services only where there is no registry yet: another one is somebody's. */
export async function seedDemoRegistry(
  { registry, plans }: DemoRegistryDependencies,
  { description, demoNodes, operator }: DemoRegistryOrder,
): Promise<void> {
  if ((await registry.get('services', { format: 'json' })) === null)
    await registry.save({
      registry: 'services',
      text: JSON.stringify(services),
      baseNumber: 0,
      comment,
      author: operator,
    })
  const { routesFile, hostsFile, traefikPidFile, traefikApi } = description.registry
  const routes = PlanInput.parse({
    name: routesPlan,
    kind: 'routes',
    selector: `kind:vps and ${demoNodes}`,
    spec: {
      file: routesFile,
      routes: { domain },
      traefik: { kind: 'pid-file', file: traefikPidFile },
      api: traefikApi,
    },
  })
  const hosts = PlanInput.parse({
    name: hostsPlan,
    kind: 'hosts',
    selector: `(kind:laptop or kind:worker) and ${demoNodes}`,
    spec: { file: hostsFile, hosts: { domain }, sudo: 'never' },
  })
  await plans.apply([routes, hosts], operator)
}

export interface DemoRegistryOrder {
  readonly description: Description
  /** A filter that means the nodes of the demo. */
  readonly demoNodes: string
  readonly operator: string
}

/** Takes the plans away, and the services unless somebody has saved others since. */
export async function removeDemoRegistry(
  { store, plans, registry }: DemoRegistryDependencies,
  operator: string,
): Promise<void> {
  for (const name of [routesPlan, hostsPlan])
    if ((await store.findPlanByName(name)) !== null) await plans.remove(name, operator)
  const newest = await registry.get('services', { format: 'json' })
  if (newest?.revision.comment !== comment || newest.revision.entries === 0) return
  const { number } = newest.revision
  await registry.save({ registry: 'services', text: '{}', baseNumber: number, comment, author: operator })
}
