import { createServer } from 'node:net'
import { AppError } from '../../shared/errors.ts'
import type { DemoAgent } from '../../shared/model/demo.ts'
import type { DemoFleetControl, Gateway, Store } from '../ports.ts'
import type { AgentService } from './agentService.ts'

interface DemoAgentsDependencies {
  readonly demo: DemoFleetControl
  readonly store: Store
  readonly gateway: Gateway
  readonly agents: AgentService
}

const loopback = '127.0.0.1'
const tokenLifetimeSeconds = 300

/** Enrolls a real agent on this machine, the way an operator would: gateway, token, one command on the host. */
export async function enrollDemoAgent(
  dependencies: DemoAgentsDependencies,
  name: string,
  operator: string,
): Promise<DemoAgent> {
  const { demo, store, gateway, agents } = dependencies
  const storage = await storageOf(dependencies)
  if ((await demo.agentNames()).includes(name) || (await store.findNodeByName(name)) !== null)
    throw new AppError('CONFLICT', `There is "${name}" already. Choose another name.`, { data: { field: 'name' } })
  const status = await gateway.status()
  if (status.settings === null)
    await gateway.enable({ address: loopback, port: await freePort(), names: [loopback, 'localhost'] }, operator)
  const { secret } = await agents.createJoinToken({ nodeName: name, lifetimeSeconds: tokenLifetimeSeconds }, operator)
  return demo.enrollAgent({ name, joinSecret: secret, storage })
}

/** The first storage of the demo that answers. */
async function storageOf({ demo, store }: DemoAgentsDependencies) {
  const server = (await demo.status()).nodes.find((node) => node.kind === 'storage' && node.running && !node.fault)
  const node = server === undefined ? null : await store.findNodeByName(server.name)
  const hostKey = node?.hostKeys[0]
  if (node === null || hostKey === undefined)
    throw new AppError(
      'PRECONDITION_FAILED',
      'No storage of the demo runs. Start five nodes: lockstep demo up --nodes 5',
    )
  const { address, port, user } = node
  return { name: node.name, address, port, user, hostKeyFingerprint: hostKey.fingerprint }
}

/** One that stays the same: agents know the gateway by its port. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, loopback, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

/** Takes the demo's agents out of the registry; their nodes and plans go with them. */
export async function removeDemoAgents(
  { demo, agents }: Pick<DemoAgentsDependencies, 'demo' | 'agents'>,
  operator: string,
): Promise<void> {
  const names = new Set(await demo.agentNames())
  for (const agent of await agents.list()) {
    if (!names.has(agent.name)) continue
    await agents.revoke(agent.id, 'the demo fleet was taken down', operator)
    await agents.remove(agent.id, operator)
  }
}
