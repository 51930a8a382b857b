import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PushRequest } from '../../../src/engine/runs/dependencies.ts'
import { IdempotencyKey } from '../../../src/shared/model/ids.ts'
import type { FleetNode } from '../../../src/shared/model/node.ts'
import { createRunRig, type RunRig } from '../../support/runRig.ts'
import { sshdMissing } from '../../support/sshd.ts'

describe.skipIf(sshdMissing !== null)(
  `registering runs${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`,
  () => {
    let rig: RunRig
    let resting: FleetNode
    let number = 0

    beforeAll(async () => {
      rig = await createRunRig()
      // Nothing works here: only what is registered is looked at.
      await rig.service.stop()
      resting = await rig.addNode({ maintenance: true })
      await rig.addNode()
      await rig.addNode({ transport: 'poll' })
      await rig.plan({ push: { source: rig.local, target: join(rig.remote, 'x') } })
      await rig.plan({ push: { source: rig.local, target: join(rig.remote, 'y') } }, 'other')
    })
    afterAll(() => rig.dispose())

    const request = (overrides: Partial<PushRequest> = {}): PushRequest => {
      number += 1
      return {
        idempotencyKey: IdempotencyKey.parse(`request-${number}`),
        plans: [],
        targets: { kind: 'all' },
        trigger: 'operator',
        requestedBy: 't',
        ...overrides,
      }
    }
    const countRuns = async (): Promise<number> => (await rig.store.listRuns({ limit: 1000 })).length

    it('S0.88 F27 the same key gives the same runs, in another process too', async () => {
      const wanted = request()
      const first = await rig.service.push(wanted)
      expect(first.runs).toHaveLength(4)
      const [again, elsewhere] = await Promise.all([rig.service.push(wanted), rig.makeService().push(wanted)])
      expect(again.batchId).toBe(first.batchId)
      expect(again.runs.map((run) => run.id)).toEqual(first.runs.map((run) => run.id))
      expect(elsewhere.runs.map((run) => run.id)).toEqual(first.runs.map((run) => run.id))
    })

    it('two requests with one key at the same time register once', async () => {
      const wanted = request()
      const before = await countRuns()
      await Promise.all(Array.from({ length: 8 }, () => rig.service.push(wanted)))
      expect(await countRuns()).toBe(before + 4)
    })

    it.each([
      ['an unknown plan', { plans: ['nope'] }, 'NOT_FOUND', 'nope'],
      ['an unknown node', { targets: { kind: 'nodes', nodes: ['nowhere'] } }, 'NOT_FOUND', 'nowhere'],
      ['a filter that does not read', { targets: { kind: 'filter', filter: 'kind:' } }, 'INVALID_INPUT', 'filter'],
      ['a filter that matches nobody', { targets: { kind: 'filter', filter: 'name:nobody' } }, 'NOT_FOUND', 'nobody'],
    ] as const)('%s is refused by name, and nothing is registered', async (_what, overrides, code, named) => {
      const before = await countRuns()
      const refused = rig.service.push(request(overrides as unknown as Partial<PushRequest>))
      await expect(refused).rejects.toMatchObject({ code, message: expect.stringContaining(named) })
      expect(await countRuns()).toBe(before)
    })

    it('a node in maintenance is left out of "all" and refused by name', async () => {
      const { runs } = await rig.service.push(request())
      expect(runs.map((run) => run.nodeId)).not.toContain(resting.id)
      const named = rig.service.push(request({ targets: { kind: 'nodes', nodes: [resting.name] } }))
      await expect(named).rejects.toMatchObject({
        code: 'PRECONDITION_FAILED',
        message: expect.stringContaining('maintenance'),
      })
    })

    it('reconcile does not queue behind runs that are open already', async () => {
      expect((await rig.service.push(request({ trigger: 'reconcile' }))).runs).toEqual([])
      for (const run of await rig.store.listOpenRuns()) await rig.service.cancel(run.id, 't')
      expect((await rig.service.push(request({ trigger: 'reconcile' }))).runs).toHaveLength(4)
    })

    it('S1.69 a person takes a node out of error by asking for a sync', async () => {
      await rig.store.transact((transaction) =>
        transaction.saveNode({ ...rig.node, status: 'error', consecutiveFailures: 3 }),
      )
      await rig.service.push(request({ targets: { kind: 'nodes', nodes: [rig.node.name] } }))
      expect((await rig.freshNode()).status).toBe('pending_sync')
    })
  },
)
