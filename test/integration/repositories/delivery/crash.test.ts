import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { IdempotencyKey } from '../../../../src/shared/model/ids.ts'
import { dyingStore } from '../../../support/dyingStore.ts'
import { createRepositoryRig, type RepositoryRig, sentinelOf, treeOf } from '../../../support/repositoryRig.ts'
import { sshdMissing } from '../../../support/sshd.ts'
import { waitFor } from '../../../support/waitFor.ts'

const request = (key: string) =>
  ({
    idempotencyKey: IdempotencyKey.parse(key),
    plans: ['site'],
    targets: { kind: 'all' as const },
    trigger: 'operator' as const,
    requestedBy: 'tester@here',
  }) as const

describe.skipIf(sshdMissing !== null)(
  `a delivery whose engine ends${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`,
  () => {
    let rig: RepositoryRig
    const files: Record<string, string> = {}

    beforeAll(async () => {
      rig = await createRepositoryRig()
      await rig.service.stop()
      for (let index = 0; index < 30; index += 1) files[`d${index % 3}/f${index}`] = `${index}`
    })
    afterAll(() => rig.dispose())

    const expectWhole = async (directory: string): Promise<void> => {
      expect(await sentinelOf(directory)).toBe(`${rig.repository.head}\n`)
      expect(await treeOf(directory)).toEqual(await treeOf(rig.repository.directoryOf(rig.repository.head)))
    }

    // Registration is the second commit (recovery makes two), then one for the start and one for each of the ten states.
    for (const strategy of [{ kind: 'in-place' }, { kind: 'release', keep: 3 }]) {
      for (let commits = 3; commits <= 15; commits += 1) {
        for (const moment of ['before', 'after'] as const) {
          it(`F33 D16 ${strategy.kind}, killed ${moment} commit ${commits}: the same run ends in the same tree`, async () => {
            const key = `crash-${strategy.kind}-${moment}-${commits}`
            const target = join(rig.rig.remote, strategy.kind)
            await rig.plan(target, { strategy })
            files.changes = key
            await rig.repository.commit(files)
            const dying = dyingStore(rig.rig.store, commits, moment)
            const killed = rig.makeService(dying.store)
            await killed.start()
            await killed.push(request(key)).catch(() => undefined)
            await waitFor(
              'the crash or the end',
              async () => dying.isDead() || (await rig.rig.store.listOpenRuns()).length === 0,
            )
            await killed.stop()

            const next = rig.makeService()
            await next.start()
            const { runs } = await next.push(request(key))
            expect(runs).toHaveLength(1)
            const [registered] = runs
            if (registered === undefined) throw new Error('no run')
            const run = await rig.rig.until(registered.id)
            await next.stop()
            expect([run.failure, run.status, run.tries]).toEqual([null, 'succeeded', 1])
            expect(await rig.rig.store.listRuns({ batchId: run.batchId, limit: 10 })).toHaveLength(1)
            expect(await rig.rig.store.listLocks()).toEqual([])
            await expectWhole(strategy.kind === 'release' ? join(target, 'current') : target)
            expect((await rig.rig.freshNode()).plans).toMatchObject([{ observed: { commit: rig.repository.head } }])
          })
        }
      }
    }

    it('F23 D16 a cancel in mid-transfer ends what runs on the node and leaves no sentinel', async () => {
      const target = join(rig.rig.remote, 'canceled')
      await rig.plan(target)
      await rig.repository.commit({ ...files, big: '' })
      // Those of engines that were killed.
      const held = rig.repository.held()
      const service = rig.makeService()
      await service.start()
      const [first] = (await service.push(request('cancel-1'))).runs
      if (first === undefined) throw new Error('no run')
      expect(await rig.rig.until(first.id)).toMatchObject({ status: 'succeeded' })
      await rig.repository.commit({ ...files, big: randomBytes(2_000_000).toString('hex') })
      await rig.plan(target, { bandwidthKiBps: 128 })
      const [run] = (await service.push(request('cancel-2'))).runs
      if (run === undefined) throw new Error('no run')
      await waitFor('bytes on the way', () => rig.rig.progress.some(({ runId }) => runId === run.id))
      const canceled = await service.cancel(run.id, 'ann@desk')
      expect(canceled).toMatchObject({ status: 'canceled', cancellation: { stopConfirmed: true } })
      expect(await sentinelOf(target)).toBeNull()
      await waitFor('the snapshot is let go of', () => rig.repository.held() === held)
      await rig.plan(target)
      const [next] = (await service.push(request('cancel-3'))).runs
      if (next === undefined) throw new Error('no run')
      expect(await rig.rig.until(next.id)).toMatchObject({ status: 'succeeded' })
      await service.stop()
      await expectWhole(target)
    })

    it('F33 a stop in mid-transfer goes on with the same run at the next start', async () => {
      const target = join(rig.rig.remote, 'stopped')
      await rig.plan(target, { bandwidthKiBps: 256 })
      await rig.repository.commit({ ...files, big: randomBytes(300_000).toString('hex') })
      const first = rig.makeService()
      await first.start()
      const [run] = (await first.push(request('stopped-1'))).runs
      if (run === undefined) throw new Error('no run')
      await waitFor('bytes on the way', () => rig.rig.progress.some(({ runId }) => runId === run.id))
      await first.stop()
      expect(await rig.rig.store.getRun(run.id)).toMatchObject({
        status: 'queued',
        attempts: [{ status: 'interrupted' }],
      })
      expect(await sentinelOf(target)).toBeNull()
      const second = rig.makeService()
      await second.start()
      const done = await rig.rig.until(run.id)
      await second.stop()
      expect(done).toMatchObject({ status: 'succeeded', tries: 1 })
      await expectWhole(target)
    })
  },
)
