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

export function createLossWatch({ sshPool, nodes, logger }: LossWatchDependencies): LossWatch {
  const looking = new Map<NodeId, Promise<void>>()
  let unsubscribe: (() => void) | null = null

  const look = (nodeId: NodeId): void => {
    if (looking.has(nodeId)) return
    const done = nodes
      .check(nodeId)
      .then((node) =>
        logger.info({ nodeId, reachability: node.reachability.status }, 'a connection broke; looked again'),
      )
      // Removed meanwhile, or the vault is locked: nothing was learned about the node.
      .catch((err: unknown) => logger.debug({ err, nodeId }, 'a connection broke; could not look again'))
      .finally(() => looking.delete(nodeId))
    looking.set(nodeId, done)
  }

  return {
    start: () => {
      unsubscribe ??= sshPool.onLost(look)
    },
    stop: async () => {
      unsubscribe?.()
      unsubscribe = null
      await Promise.allSettled(looking.values())
    },
  }
}
