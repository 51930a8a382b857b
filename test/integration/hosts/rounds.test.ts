import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { NodeChannels, NodeOrder } from '../../../src/engine/ports.ts'
import { createRegistryContent } from '../../../src/engine/registry/content.ts'
import type { PlanExecutors } from '../../../src/engine/runs/executor.ts'
import { createHostsExecutor } from '../../../src/engine/runs/executors/hosts/hostsExecutor.ts'
import { createRoutesExecutor } from '../../../src/engine/runs/executors/routes/routesExecutor.ts'
import type { RunService } from '../../../src/engine/runs/runService.ts'
import { createNodeChannels } from '../../../src/engine/ssh/channels/nodeChannels.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { HostsSettings, RoutesSettings } from '../../../src/shared/model/registry.ts'
import { aService } from '../../fakes/aRegistry.ts'
import { createDeliveryRig, type DeliveryRig, writeRemote } from '../../support/deliveryRig.ts'
import { sshdMissing } from '../../support/sshd.ts'

const foreign = '127.0.0.1 localhost\n'

describe.skipIf(sshdMissing !== null)('round trips of a delivery', () => {
  let rig: DeliveryRig
  let service: RunService
  let channels: NodeChannels
  let file: string
  /** Kinds of the orders of each exchange. */
  let exchanges: string[][]
  let beforeExchange: () => Promise<void>

  beforeEach(async () => {
    rig = await createDeliveryRig()
    file = join(rig.home, 'hosts')
    exchanges = []
    beforeExchange = async () => undefined
    // The real channels, with somebody who looks on and sometimes meddles.
    channels = createNodeChannels({ sshPool: rig.pool, clock: systemClock })
    const watched: NodeChannels = {
      ...channels,
      exchange: async (node, orders, options) => {
        exchanges.push(orders.map((order: NodeOrder) => order.kind))
        await beforeExchange()
        return channels.exchange(node, orders, options)
      },
    }
    const dependencies = {
      channels: watched,
      content: createRegistryContent(rig.store),
      sshPool: rig.pool,
      clock: systemClock,
    }
    const executors = {
      hosts: createHostsExecutor(dependencies),
      routes: createRoutesExecutor(dependencies),
    } as unknown as Partial<PlanExecutors>
    await rig.service.stop()
    service = rig.makeService(rig.store, { executors })
    await service.start()
    await rig.registry([aService()])
  })
  afterEach(async () => {
    await service.stop()
    await channels.close()
    await rig.dispose()
  })

  const hosts = () => ({ file, hosts: HostsSettings.parse({ domain: 'example.com' }), sudo: 'never' })
  const deliver = async (kind: 'hosts' | 'routes', spec: object) => {
    exchanges = []
    await rig.planOf(kind, spec)
    return rig.run({ plan: kind }, service)
  }

  it('S1.82 D14 a change of a known hosts file takes one round trip, and so does a look at it', async () => {
    await writeFile(file, foreign)
    expect(await deliver('hosts', hosts())).toMatchObject({ status: 'succeeded' })
    expect(exchanges).toEqual([['read'], ['replace']])
    await rig.registry([aService({ ip: '100.64.0.9' })])
    expect(await deliver('hosts', hosts())).toMatchObject({ status: 'succeeded' })
    expect(exchanges).toEqual([['replace']])
    expect(await deliver('hosts', hosts())).toMatchObject({ status: 'succeeded', summary: { filesTransferred: 0 } })
    expect(exchanges).toEqual([['read']])
  })

  it('S1.55 a hosts file that somebody changed meanwhile is begun anew from what it is now', async () => {
    await writeFile(file, foreign)
    await deliver('hosts', hosts())
    await appendFile(file, '10.0.0.9 theirs\n')
    await rig.registry([aService({ ip: '100.64.0.77' })])
    expect(await deliver('hosts', hosts())).toMatchObject({ status: 'succeeded', warnings: [] })
    expect(exchanges).toEqual([['replace'], ['replace']])
    const text = await readFile(file, 'latin1')
    expect(text).toContain('100.64.0.77')
    expect(text.endsWith('10.0.0.9 theirs\n')).toBe(true)
  })

  it('S1.75 a file that never stands still is given up after some rounds, and never written over', async () => {
    await writeFile(file, foreign)
    let writes = 0
    beforeExchange = async () => {
      writes += 1
      await appendFile(file, `10.0.0.1 name-${writes}\n`)
    }
    const run = await deliver('hosts', hosts())
    expect(run).toMatchObject({ status: 'failed', tries: 3, failure: { code: 'REMOTE_FILE_CHANGED' } })
    const text = await readFile(file, 'latin1')
    expect(text).not.toContain('lockstep')
    expect(text.split('\n').filter((line) => line.includes('name-'))).toHaveLength(writes)
  })

  it('S1.82 D14 routes and the look at Traefik are one round trip, and a look sends no routes', async () => {
    await writeRemote(join(rig.home, 'traefik/config/other.yml'), '')
    await rig.program('docker', 'echo running')
    const routes = { routes: RoutesSettings.parse({ domain: 'example.com' }) }
    expect(await deliver('routes', routes)).toMatchObject({ status: 'succeeded' })
    expect(exchanges).toEqual([['replace', 'run']])
    await rig.registry([aService({ port: 81 })])
    expect(await deliver('routes', routes)).toMatchObject({ status: 'succeeded' })
    expect(exchanges).toEqual([['replace', 'run']])
    expect(await deliver('routes', routes)).toMatchObject({ status: 'succeeded' })
    expect(exchanges).toEqual([['read', 'run']])
  })
})
