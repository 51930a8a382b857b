import type { Clock, Timer } from '../../platform/clock.ts'
import type { Logger } from '../../platform/logger.ts'
import type { EngineEvent } from '../../shared/model/event.ts'
import type { NodeRegistry } from '../../shared/model/registry.ts'
import type { Store } from '../ports.ts'

export interface StatusFeedDependencies {
  readonly store: Pick<Store, 'onCommitted'>
  readonly clock: Clock
  readonly logger: Logger
  readonly liveNodes: () => Promise<NodeRegistry | null>
  readonly writers: () => readonly ((registry: NodeRegistry) => Promise<void>)[]
}

/** Nodes are saved many times in one rollout; what their sources are told is one state. */
const settleMs = 1_000

/** Tells sources that want to know how their nodes fare (S1.19-21), a moment after anything about a node has changed. */
export function createStatusFeed({ store, clock, logger, liveNodes, writers }: StatusFeedDependencies) {
  let timer: Timer | null = null
  let unsubscribe = (): void => undefined

  async function tell(): Promise<void> {
    timer = null
    try {
      const nodes = await liveNodes()
      if (nodes !== null) await Promise.all(writers().map((write) => write(nodes)))
    } catch (error) {
      logger.warn({ err: error }, 'the status of nodes was not written back')
    }
  }

  function onCommitted(events: readonly EngineEvent[]): void {
    const concerned = events.some(
      ({ change }) =>
        change.kind === 'node.saved' || (change.kind === 'registry.saved' && change.revision.registry === 'nodes'),
    )
    if (concerned && timer === null && writers().length > 0)
      timer = clock.setTimer(settleMs, () => void tell(), { unref: true })
  }

  return {
    start: (): void => {
      unsubscribe = store.onCommitted(onCommitted)
    },
    stop: (): void => {
      unsubscribe()
      timer?.cancel()
      timer = null
    },
  }
}
