import type { NodeWay } from '../../core/run/expressSlots.ts'
import type { NodeId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { SshPool, Store } from '../ports.ts'

/** What is known of the way to each node, without asking the store each time. */
export class NodeWays {
  readonly #store: Store
  readonly #sshPool: Pick<SshPool, 'isOpen'>
  readonly #doubtful = new Set<NodeId>()
  #stopFollowing: (() => void) | null = null

  constructor(store: Store, sshPool: Pick<SshPool, 'isOpen'>) {
    this.#store = store
    this.#sshPool = sshPool
  }

  async start(): Promise<void> {
    this.#stopFollowing ??= this.#store.onCommitted((events) => {
      for (const { change } of events) {
        if (change.kind === 'node.saved') this.#learn(change.node)
        if (change.kind === 'node.removed') this.#doubtful.delete(change.nodeId)
      }
    })
    for (const node of await this.#store.listNodes()) this.#learn(node)
  }

  stop(): void {
    this.#stopFollowing?.()
    this.#stopFollowing = null
  }

  to(nodeId: NodeId): NodeWay {
    if (this.#sshPool.isOpen(nodeId)) return 'open'
    return this.#doubtful.has(nodeId) ? 'doubtful' : 'new'
  }

  #learn({ id, reachability }: FleetNode): void {
    if (reachability.status === 'unreachable') this.#doubtful.add(id)
    else this.#doubtful.delete(id)
  }
}
