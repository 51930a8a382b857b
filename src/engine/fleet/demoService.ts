import PQueue from 'p-queue'
import { canonicalJson } from '../../core/canonicalJson.ts'
import { fingerprintOf, parsePublicKeyLine } from '../../platform/openssh/publicKey.ts'
import { AppError } from '../../shared/errors.ts'
import type { DemoAgent, DemoFault, DemoNode, DemoStatus } from '../../shared/model/demo.ts'
import { demoLabel } from '../../shared/model/demo.ts'
import type { RunId } from '../../shared/model/ids.ts'
import type { OfferedHostKey } from '../../shared/model/node.ts'
import { NodeInput } from '../../shared/model/node.ts'
import { PlanInput } from '../../shared/model/plan.ts'
import { isFinal } from '../../shared/model/run.ts'
import type { CertificateAuthority, DemoFleetControl, Gateway, RegistryStore, Store } from '../ports.ts'
import type { AgentService } from './agentService.ts'
import { enrollDemoAgent, removeDemoAgents } from './demoAgents.ts'
import { removeDemoRegistry, seedDemoRegistry } from './demoRegistry.ts'
import { type DemoRepositories, removeDemoRepository, seedDemoRepository } from './demoRepository.ts'
import type { NewNode, NodeService } from './nodeService.ts'
import type { PlanService } from './planService.ts'

export interface DemoServiceDependencies {
  readonly demo: DemoFleetControl | null
  readonly store: Store
  readonly authority: CertificateAuthority
  readonly nodes: NodeService
  readonly plans: PlanService
  readonly agents: AgentService
  readonly gateway: Gateway
  readonly registry: Pick<RegistryStore, 'get' | 'save'>
  readonly repositories: DemoRepositories
  readonly cancelRun: (runId: RunId, operator: string) => Promise<unknown>
  readonly waitUntilFinal: (runId: RunId) => Promise<unknown>
}

interface DemoOrder {
  readonly nodes: number
  readonly registry: boolean
  readonly repository: boolean
}

export interface DemoService {
  status(): Promise<DemoStatus>
  /**
   * @param order `registry`: with services, and plans that bring them to VPS nodes, laptops and workers; `repository`: with a
   *   repository, and a plan that brings it to three nodes
   */
  up(order: DemoOrder, operator: string): Promise<DemoStatus>
  down(operator: string): Promise<DemoStatus>
  fault(node: string, fault: DemoFault, operator: string): Promise<DemoStatus>
  heal(node: string, operator: string): Promise<DemoStatus>
  enrollAgent(name: string, operator: string): Promise<DemoAgent>
}

export const demoPlanName = 'demo-site'
/** As a filter. */
const demoNodes = `label.${demoLabel.key}:${demoLabel.value}`

export function createDemoService(dependencies: DemoServiceDependencies): DemoService {
  const { store, authority, nodes, plans, agents, gateway } = dependencies
  // Servers and registrations change together: a second call finds what the first one made.
  const queue = new PQueue({ concurrency: 1 })

  function control(): DemoFleetControl {
    if (dependencies.demo !== null) return dependencies.demo
    throw new AppError(
      'UNSUPPORTED',
      'This engine has no demo fleet. Start it with "lockstep serve" or from the desktop app.',
    )
  }

  async function register(status: DemoStatus, operator: string): Promise<void> {
    const known = new Map((await store.listNodes()).map((node) => [node.name, node]))
    const description = await control().describeForRegistration()
    const missing = status.nodes.filter((node) => !known.has(node.name))
    for (const server of status.nodes) {
      const node = known.get(server.name)
      const moved = node !== undefined && (node.address !== server.address || node.port !== server.port)
      if (moved) await nodes.update(node.id, { address: server.address, port: server.port }, operator)
      // One that was registered before it could say so would have the sshd of this machine changed.
      const outdated = node !== undefined && canonicalJson(node.sshd) !== canonicalJson(description.sshd)
      if (outdated && node.labels[demoLabel.key] === demoLabel.value)
        await nodes.update(node.id, { sshd: description.sshd }, operator)
    }
    const toNewNode = (node: DemoNode): NewNode => ({
      node: NodeInput.parse({
        name: node.name,
        kind: node.kind,
        address: node.address,
        port: node.port,
        user: description.user,
        principal: description.principal,
        labels: { [demoLabel.key]: demoLabel.value },
        sshd: description.sshd,
      }),
      hostKeys: [pinOf(description.hostKeys.get(node.name), node.name)],
    })
    if (missing.length > 0) await nodes.add(missing.map(toNewNode), operator)
    const plan = PlanInput.parse({
      name: demoPlanName,
      kind: 'tree',
      selector: demoNodes,
      spec: {
        push: { source: description.sourceDirectory, target: description.targetDirectory },
        delete: true,
        verify: { mode: 'full' },
      },
    })
    if ((await store.findPlanByName(demoPlanName)) === null) await plans.apply([plan], operator)
  }

  function pinOf(line: string | undefined, name: string): OfferedHostKey {
    if (line === undefined) throw new AppError('INTERNAL', `The demo node ${name} has no host key.`)
    const key = parsePublicKeyLine(line)
    return {
      keyType: key.keyType,
      publicKey: key.blob.toString('base64'),
      fingerprint: fingerprintOf(key.blob),
      banner: 'demo fleet',
    }
  }

  const up: DemoService['up'] = async ({ nodes: count, registry, repository }, operator) => {
    const { publicKey } = await authority.describe()
    const status = await control().up({ nodes: count, trustedUserCa: publicKey })
    await register(status, operator)
    if (registry) {
      const description = await control().describeForRegistration()
      await seedDemoRegistry(dependencies, { description, demoNodes, operator })
    }
    if (repository) await seedDemoRepository(dependencies, control(), { nodes: status.nodes, operator })
    return status
  }

  async function down(operator: string): Promise<DemoStatus> {
    const registered = (await store.listNodes()).filter((node) => node.labels[demoLabel.key] === demoLabel.value)
    const ids = new Set<string>(registered.map((node) => node.id))
    // In maintenance nothing begins by itself any more: a run that came in between would keep its node.
    for (const node of registered) await nodes.update(node.id, { maintenance: true }, operator)
    const open = (await store.listOpenRuns()).filter((run) => ids.has(run.nodeId) && !isFinal(run.status))
    await Promise.all(open.map((run) => dependencies.cancelRun(run.id, operator)))
    await Promise.all(open.map((run) => dependencies.waitUntilFinal(run.id)))
    if (dependencies.demo !== null) await removeDemoAgents({ demo: dependencies.demo, agents }, operator)
    for (const node of registered) await nodes.remove(node.id, operator)
    if ((await store.findPlanByName(demoPlanName)) !== null) await plans.remove(demoPlanName, operator)
    await removeDemoRegistry(dependencies, operator)
    await removeDemoRepository(dependencies, operator)
    return control().down()
  }

  return {
    status: () => (dependencies.demo === null ? Promise.resolve({ up: false, nodes: [] }) : dependencies.demo.status()),
    up: (order, operator) => queue.add(() => up(order, operator)),
    down: (operator) => queue.add(() => down(operator)),
    fault: (node, fault) => control().fault(node, fault),
    heal: (node) => control().heal(node),
    enrollAgent: (name, operator) =>
      queue.add(() => enrollDemoAgent({ demo: control(), store, gateway, agents }, name, operator)),
  }
}
