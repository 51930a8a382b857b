import { createScheduler, type Scheduler } from '../../../src/engine/scheduler/scheduler.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { createIdSource } from '../../../src/platform/ids.ts'
import { createLogging } from '../../../src/platform/logger.ts'
import type { FleetNode } from '../../../src/shared/model/node.ts'
import { createDeliveryRig, type DeliveryRig } from '../../support/deliveryRig.ts'
import type { RigOptions } from '../../support/runRig.ts'
import { startTcpProxy, type TcpProxy } from '../../support/tcpProxy.ts'
import { waitFor } from '../../support/waitFor.ts'

/** A real sshd behind a network that can be broken, with the scheduler that looks after its node. */
export interface StatusRig {
  readonly rig: DeliveryRig
  readonly proxy: TcpProxy
  readonly scheduler: Scheduler
  readonly log: readonly string[]
  node(): Promise<FleetNode>
  /** One reconcile cycle, and all that comes of it. */
  cycle(): Promise<FleetNode>
  nodeIs(what: string, accept: (node: FleetNode) => boolean): Promise<FleetNode>
  dispose(): Promise<void>
}

export async function createStatusRig(options: RigOptions = {}): Promise<StatusRig> {
  const rig = await createDeliveryRig(options)
  const proxy = await startTcpProxy(rig.sshd)
  await rig.store.transact((transaction) => transaction.saveNode({ ...rig.node, port: proxy.port }))
  const log: string[] = []
  const logging = createLogging({ level: 'debug', sinks: [(line) => log.push(line)] })
  const scheduler = createScheduler({
    store: rig.store,
    clock: systemClock,
    ids: createIdSource(systemClock),
    sshPool: rig.pool,
    identities: rig.trust.identities,
    runs: rig.service,
    config: { reconcileIntervalMs: 3_600_000, unreachableProbeIntervalMs: 200 },
    logger: logging.logger,
  })
  const node = (): Promise<FleetNode> => rig.freshNode()
  const nodeIs: StatusRig['nodeIs'] = (what, accept) =>
    waitFor(
      what,
      async () => {
        const now = await node()
        if (accept(now)) return now
        throw new Error(`${now.status}, ${now.reachability.status}: ${now.statusReason?.sentence ?? ''}`)
      },
      { timeoutMs: 30_000 },
    )
  return {
    rig,
    proxy,
    scheduler,
    log,
    node,
    nodeIs,
    cycle: async () => {
      await scheduler.reconcileNow()
      await waitFor('the runs to end', async () => (await rig.store.listOpenRuns()).length === 0, { timeoutMs: 30_000 })
      return node()
    },
    dispose: async () => {
      await scheduler.stop()
      logging.close()
      await rig.dispose()
      await proxy.stop()
    },
  }
}
