import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { computeTile } from '../../../src/core/fleet/health.ts'
import { createScheduler } from '../../../src/engine/scheduler/scheduler.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { createIdSource } from '../../../src/platform/ids.ts'
import { createLogging } from '../../../src/platform/logger.ts'
import { createRunRig, type RunRig, writeTree } from '../../support/runRig.ts'
import { freePort, sshdMissing } from '../../support/sshd.ts'
import { waitFor } from '../../support/waitFor.ts'

describe.skipIf(sshdMissing !== null)(`by itself${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`, () => {
  let rig: RunRig

  beforeAll(async () => {
    rig = await createRunRig()
  })
  afterAll(() => rig.dispose())

  it('S1.7 S1.67 a node that comes back turns green without anybody acting', async () => {
    await writeTree(join(rig.local, 's'), { a: '1' })
    await writeFile(join(rig.local, 's', 'b'), randomBytes(10_000))
    await rig.plan({
      push: { source: join(rig.local, 's'), target: join(rig.remote, 't') },
      verify: { mode: 'full' },
      delete: true,
    })
    const here = await rig.freshNode()
    await rig.store.transact(async (transaction) => transaction.saveNode({ ...here, port: await freePort() }))
    const away = await rig.run()
    expect(away).toMatchObject({ status: 'failed', failure: { code: 'CONNECTION_REFUSED' } })
    expect(computeTile(await rig.freshNode(), Date.now()).fill).toBe('unreachable')

    const scheduler = createScheduler({
      store: rig.store,
      clock: systemClock,
      ids: createIdSource(systemClock),
      sshPool: rig.pool,
      identities: rig.trust.identities,
      runs: rig.service,
      config: { reconcileIntervalMs: 3_600_000, unreachableProbeIntervalMs: 100 },
      logger: createLogging({ level: 'fatal', sinks: [] }).logger,
    })
    await rig.store.transact((transaction) => transaction.setSetting('reconcile.lastAt', String(Date.now())))
    await scheduler.start()
    try {
      const node = await rig.freshNode()
      await rig.store.transact((transaction) => transaction.saveNode({ ...node, port: rig.sshd.port }))
      await waitFor('a green tile', async () => computeTile(await rig.freshNode(), Date.now()).fill === 'in-step', {
        timeoutMs: 30_000,
      })
      const [last] = await rig.store.listRuns({ limit: 1 })
      expect(last).toMatchObject({ trigger: 'reconcile', status: 'succeeded', proof: { filesVerified: 2 } })
    } finally {
      await scheduler.stop()
    }
  })
})
