import { assignPlans } from '../../core/fleet/assignment.ts'
import type { Clock } from '../../platform/clock.ts'
import type { IdSource } from '../../platform/ids.ts'
import type { FleetEffect } from '../../shared/contract/registry.ts'
import { NodeId } from '../../shared/model/ids.ts'
import { type FleetNode, NodeInput } from '../../shared/model/node.ts'
import type { Plan } from '../../shared/model/plan.ts'
import { type NodeRegistryEntry, nodeLists } from '../../shared/model/registry.ts'
import type { Identities, SshPool, StoreReader, StoreTransaction } from '../ports.ts'
import { blankNode, meansAnotherPlace, refuseWhileWorking, withoutObservations } from './nodeService.ts'

export interface RegisteredNodesDependencies {
  readonly clock: Clock
  readonly ids: IdSource
  readonly sshPool: Pick<SshPool, 'drop'>
  readonly identities: Pick<Identities, 'forget'>
}

type Entries = readonly NodeRegistryEntry[]

/** Makes the fleet what a node registry says: nodes are added and changed by name, never removed. */
export function createRegisteredNodes({ clock, ids, sshPool, identities }: RegisteredNodesDependencies) {
  async function add(transaction: StoreTransaction, entry: NodeRegistryEntry, context: Applying): Promise<void> {
    const input = NodeInput.parse({ name: entry.name, ...wantedOf(entry) })
    const nowMs = clock.nowMs()
    const { operator, plans } = context
    const node = blankNode({ node: input, hostKeys: [] }, NodeId.parse(ids()), plans, { operator, nowMs })
    await transaction.saveNode(node)
    const detail = { id: node.id, address: node.address, port: node.port, registry: true }
    await transaction.appendAudit([{ at: nowMs, actor: operator, action: 'node.add', subject: node.name, detail }])
  }

  async function change(transaction: StoreTransaction, before: FleetNode, entry: NodeRegistryEntry, context: Applying) {
    const nowMs = clock.nowMs()
    const wanted = wantedOf(entry)
    const changed: FleetNode = { ...before, ...wanted, updatedAt: nowMs }
    const elsewhere = meansAnotherPlace(before, changed)
    if (elsewhere) await refuseWhileWorking(transaction, before)
    await transaction.saveNode(assignPlans(elsewhere ? withoutObservations(changed) : changed, context.plans))
    const detail = { id: before.id, ...wanted, registry: true }
    const row = { at: nowMs, actor: context.operator, action: 'node.update', subject: before.name, detail }
    await transaction.appendAudit([row])
    return elsewhere
  }

  async function apply(transaction: StoreTransaction, entries: Entries, operator: string): Promise<NodeId[]> {
    const byName = new Map((await transaction.listNodes()).map((node) => [node.name, node]))
    const context: Applying = { operator, plans: await transaction.listPlans() }
    const moved: NodeId[] = []
    for (const entry of entries) {
      const node = byName.get(entry.name)
      if (node === undefined) await add(transaction, entry, context)
      else if (isChanged(node, entry) && (await change(transaction, node, entry, context))) moved.push(node.id)
    }
    return moved
  }

  return {
    effects: async (
      reader: Pick<StoreReader, 'listNodes'>,
      change: { readonly before: Entries; readonly after: Entries },
    ) => effectsOn(await reader.listNodes(), change),
    apply,
    moved: (nodeIds: readonly NodeId[]): void => {
      for (const id of nodeIds) {
        sshPool.drop(id)
        identities.forget(id)
      }
    },
  }
}

interface Applying {
  readonly operator: string
  readonly plans: readonly Plan[]
}

/** What an entry says about a node; everything else, labels too, is the operator's. */
const wantedOf = ({ list, ip, ssh_user }: NodeRegistryEntry): Pick<FleetNode, 'kind' | 'address' | 'user'> => ({
  kind: nodeLists[list],
  address: ip,
  user: ssh_user,
})

/** An agent says itself where it is. */
function isChanged(node: FleetNode, entry: NodeRegistryEntry): boolean {
  return node.transport === 'push' && differences(node, entry).length > 0
}

function differences(node: FleetNode, entry: NodeRegistryEntry): string[] {
  const wanted = wantedOf(entry)
  const fields = ['kind', 'address', 'user'] as const
  return fields
    .filter((field) => node[field] !== wanted[field])
    .map((field) => `${field} ${node[field]} -> ${wanted[field]}`)
}

function effectsOn(
  nodes: readonly FleetNode[],
  { before, after }: { readonly before: Entries; readonly after: Entries },
) {
  const byName = new Map(nodes.map((node) => [node.name, node]))
  const listed = new Set(after.map(({ name }) => name))
  const effects = after.flatMap((entry): FleetEffect[] => {
    const node = byName.get(entry.name)
    const { kind, address, user } = wantedOf(entry)
    if (node === undefined) return [{ name: entry.name, kind: 'added', detail: `${kind} ${user}@${address}` }]
    return isChanged(node, entry)
      ? [{ name: entry.name, kind: 'changed', detail: differences(node, entry).join(', ') }]
      : []
  })
  const missing = before.flatMap(({ name }): FleetEffect[] => {
    if (listed.has(name) || !byName.has(name)) return []
    return [{ name, kind: 'missing', detail: 'stays in the fleet until somebody removes it there' }]
  })
  return [...effects, ...missing]
}
