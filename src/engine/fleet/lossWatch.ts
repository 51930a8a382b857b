import PQueue from 'p-queue'
import type { Logger } from '../../platform/logger.ts'
import type { NodeId } from '../../shared/model/ids.ts'
import type { SshPool } from '../ports.ts'
import type { NodeService } from './nodeService.ts'

export interface LossWatchDependencies {
  readonly sshPool: Pick<SshPool, 'onLost'>
  readonly nodes: Pick<NodeService, 'check'>
  readonly logger: Logger
}

/** Looks at a node as soon as its warm connection breaks, so that green does not outlive the node by an hour. */
export interface LossWatch {
  start(): void
  /** Resolves when no look is under way any more. */
  stop(): Promise<void>
}

const parallelLooks = 16

export function createLossWatch({ sshPool, nodes, logger }: LossWatchDependencies): LossWatch {
  // After a sleep all connections are gone at once.
  const queue = new PQueue({ concurrency: parallelLooks })
  const looking = new Set<NodeId>()
  let unsubscribe: (() => void) | null = null

  const lookOnce = async (nodeId: NodeId): Promise<void> => {
    try {
      const { reachability } = await nodes.check(nodeId)
      logger.info({ nodeId, reachability: reachability.status }, 'a connection broke; looked again')
    } catch (err) {
      // Removed meanwhile, or the vault is locked: nothing was learned about the node.
      logger.debug({ err, nodeId }, 'a connection broke; could not look again')
    } finally {
      looking.delete(nodeId)
    }
  }

  const look = (nodeId: NodeId): void => {
    if (looking.has(nodeId)) return
    looking.add(nodeId)
    void queue.add(() => lookOnce(nodeId))
  }

  return {
    start: () => {
      unsubscribe ??= sshPool.onLost(look)
    },
    stop: async () => {
      unsubscribe?.()
      unsubscribe = null
      queue.clear()
      await queue.onIdle()
    },
  }
}
