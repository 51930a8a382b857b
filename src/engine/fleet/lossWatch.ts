import PQueue from 'p-queue'
import type { Logger } from '../../platform/logger.ts'
import type { NodeId } from '../../shared/model/ids.ts'
import type { SshPool } from '../ports.ts'
import type { NodeService } from './nodeService.ts'

export interface LossWatchDependencies {
  readonly sshPool: Pick<SshPool, 'onLost'>
  readonly nodes: Pick<NodeService, 'check' | 'fellSilent'>
  readonly logger: Logger
}

/** Looks at a node as soon as its warm connection breaks, so that green does not outlive the node by an hour. */
export interface LossWatch {
  start(): void
  /** Resolves when no look is under way any more. */
  stop(): Promise<void>
}

const parallelLooks = 32
/** Short, so that half a fleet behind a cut link is looked at soon; who is slow is found by the next probe. */
const lookTimeoutMs = 4_000

export function createLossWatch({ sshPool, nodes, logger }: LossWatchDependencies): LossWatch {
  // After a sleep all connections are gone at once.
  const queue = new PQueue({ concurrency: parallelLooks })
  const looking = new Set<NodeId>()
  let unsubscribe: (() => void) | null = null

  /** Many that fall silent at once are not waited for one after another: that nobody answers is the answer already. */
  const note = async (nodeId: NodeId): Promise<void> => {
    const node = await nodes.fellSilent(nodeId)
    if (node !== null) logger.warn({ nodeId, node: node.name }, 'a node does not answer any more')
  }

  const lookOnce = async (nodeId: NodeId): Promise<void> => {
    if (unsubscribe === null) return
    const { name, reachability } = await nodes.check(nodeId, { timeoutMs: lookTimeoutMs })
    const level = reachability.status === 'unreachable' ? 'warn' : 'info'
    logger[level]({ nodeId, node: name, reachability: reachability.status }, 'a connection broke; looked again')
  }

  const lost = async (nodeId: NodeId, silent: boolean): Promise<void> => {
    try {
      if (silent) await note(nodeId)
      await queue.add(() => lookOnce(nodeId))
    } catch (err) {
      // Removed meanwhile, or the vault is locked: nothing was learned about the node.
      logger.debug({ err, nodeId }, 'a connection broke; could not look again')
    } finally {
      looking.delete(nodeId)
    }
  }

  const pending = new Set<Promise<void>>()
  return {
    start: () => {
      unsubscribe ??= sshPool.onLost((nodeId, { silent }) => {
        if (looking.has(nodeId)) return
        looking.add(nodeId)
        const work = lost(nodeId, silent).finally(() => pending.delete(work))
        pending.add(work)
      })
    },
    stop: async () => {
      unsubscribe?.()
      unsubscribe = null
      await Promise.all(pending)
    },
  }
}
