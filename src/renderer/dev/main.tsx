/*
 * The console over an engine that exists in this page only: for working on the interface, for pictures and for the
 * map bench. The product's build starts from ../index.html and never sees this folder.
 *
 * ?nodes=412  how many nodes      ?steps=150   milliseconds a run stays in each state
 * ?static=14   how many nodes with a static key
 * ?agents=10   how many agents, with a gateway
 * ?locked     vault locked        ?state=connecting|restarting|loading
 * ?issued=900 how many certificates in the issue log
 * ?services=34 how many services, with plans that deliver them and a history
 * ?repositories=4 how many repositories; the first four have plans that deliver them
 * ?trust=full all authorities, a rotation under way, a revocation list on most nodes, a step-ca; default: a new engine
 */
import '../styles/app.css'
import type { LinkStatus } from '../api/link.ts'
import { createFakeLink, type FakeLink } from '../api/links/fake.ts'
import { fakeNodes, fakePlan } from '../api/links/fakeFleet.ts'
import { mount } from '../mount.tsx'
import { seedRegistry } from './seedRegistry.ts'
import { seedRepositories } from './seedRepositories.ts'
import { seedTrust } from './seedTrust.ts'

declare global {
  interface Window {
    /** For scripts that drive this page. */
    fake?: FakeLink
  }
}

const query = new URLSearchParams(location.search)
const count = Number(query.get('nodes') ?? 412)
const historyPerNode = count > 1000 ? 0 : 12

const staticKeys = Number(query.get('static') ?? 0)
const nodes = fakeNodes(count, Date.now()).map((node, index) =>
  index % 9 === 4 && index < staticKeys * 9
    ? { ...node, login: { kind: 'static-key', keyFile: '/home/ops/.ssh/fleet_ed25519' } as const, certificate: null }
    : node,
)

const link = createFakeLink({
  nodes,
  plans: count === 0 ? [] : [fakePlan],
  stepMs: Number(query.get('steps') ?? 150),
  vaultUnlocked: !query.has('locked'),
})
link.engine.seedHistory(historyPerNode)
seedRegistry(link, Number(query.get('services') ?? 0))
seedRepositories(link, Number(query.get('repositories') ?? 0))
seedTrust(link, query.get('trust'), Number(query.get('issued') ?? 900))
const agentCount = Number(query.get('agents') ?? 0)
if (agentCount > 0) link.agents.listen({ address: '10.0.0.5', port: 8443, names: ['control.internal'] })
for (let each = 0; each < agentCount; each += 1) link.agents.add()
for (const node of [...link.engine.nodes.values()].filter((_, index) => index % 23 === 5).slice(0, 20))
  link.engine.renew(node)

/** An engine that never answers. */
const silent: Pick<FakeLink, 'client'> = {
  client: new Proxy(link.client, {
    get: (client, name) =>
      name === 'system' ? new Proxy({}, { get: () => () => new Promise(() => undefined) }) : Reflect.get(client, name),
  }),
}
const status = query.get('state') as LinkStatus | null
window.fake = link
mount(query.get('state') === 'loading' ? { ...link, ...silent } : link)
if (status === 'restarting') setTimeout(() => link.status.set('restarting'), 1500)
