import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { IdempotencyKey } from '../../../src/shared/model/ids.ts'
import { runStates } from '../../../src/shared/model/run.ts'
import { dyingStore } from '../../support/dyingStore.ts'
import { createRunRig, type RunRig, writeTree } from '../../support/runRig.ts'
import { sshdMissing } from '../../support/sshd.ts'
import { waitFor } from '../../support/waitFor.ts'

describe.skipIf(sshdMissing !== null)(
  `after a crash${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`,
  () => {
    let rig: RunRig

    beforeAll(async () => {
      rig = await createRunRig()
      await rig.service.stop()
    })
    afterAll(() => rig.dispose())

    const request = (key: string) =>
      ({
        idempotencyKey: IdempotencyKey.parse(key),
        plans: [],
        targets: { kind: 'all' as const },
        trigger: 'operator' as const,
        requestedBy: 'tester@here',
      }) as const

    // Registration is the second commit (recovery makes two), then one for the start and one for each of the ten states.
    for (let commits = 3; commits <= 15; commits += 1) {
      for (const moment of ['before', 'after'] as const) {
        it(`F33 S0.88 killed ${moment} commit ${commits}: the same run comes to its end, once, and leaves no lock`, async () => {
          const key = `crash-${moment}-${commits}`
          const source = join(rig.local, key)
          const target = join(rig.remote, key)
          await writeTree(source, { a: key, 'b/c': 'deep' })
          await rig.plan({ push: { source, target } })
          const dying = dyingStore(rig.store, commits, moment)
          const killed = rig.makeService(dying.store)
          await killed.start()
          await killed.push(request(key)).catch(() => undefined)
          await waitFor(
            'the crash or the end',
            async () => dying.isDead() || (await rig.store.listOpenRuns()).length === 0,
          )
          await killed.stop()

          const next = rig.makeService()
          await next.start()
          const { runs } = await next.push(request(key))
          expect(runs).toHaveLength(1)
          const [registered] = runs
          if (registered === undefined) throw new Error('no run')
          const run = await rig.until(registered.id)
          await next.stop()
          expect([run.failure, run.status]).toEqual([null, 'succeeded'])
          expect(await rig.store.listRuns({ batchId: run.batchId, limit: 10 })).toHaveLength(1)
          expect(run.tries).toBe(1)
          expect(run.attempts.filter((attempt) => attempt.status === 'succeeded')).toHaveLength(1)
          expect(run.attempts.length).toBeLessThanOrEqual(2)
          expect(run.visits.every((visit) => visit.leftAt !== null && visit.outcome !== 'active')).toBe(true)
          for (const state of runStates.slice(0, -1)) {
            const visits = run.visits.filter((visit) => visit.state === state && visit.attempt === run.attempts.length)
            expect(visits.length, state).toBeLessThanOrEqual(1)
          }
          expect(await rig.store.listLocks()).toEqual([])
          expect(await rig.freshNode()).toMatchObject({ status: 'active', activeRunId: null, locked: false })
          expect(await readFile(join(target, 'b', 'c'), 'utf8')).toBe('deep')
        })
      }
    }

    it('a stop in the middle of a transfer resumes the same run at the next start', async () => {
      const source = join(rig.local, 'interrupted')
      await mkdir(source)
      await writeFile(join(source, 'big'), randomBytes(2 * 1024 * 1024))
      await rig.plan({ push: { source, target: join(rig.remote, 'interrupted') }, bandwidthKiBps: 512 })
      const first = rig.makeService()
      await first.start()
      const { runs } = await first.push(request('stopped-midway'))
      const [run] = runs
      if (run === undefined) throw new Error('no run')
      await rig.until(run.id, (seen) => seen.state === 'PUSH_SYNC')
      await waitFor('bytes on the way', () => rig.progress.some((entry) => entry.runId === run.id))
      await first.stop()
      expect(await rig.store.getRun(run.id)).toMatchObject({ status: 'queued', attempts: [{ status: 'interrupted' }] })
      const second = rig.makeService()
      await second.start()
      const done = await rig.until(run.id)
      await second.stop()
      expect(done).toMatchObject({ status: 'succeeded', tries: 1 })
      expect(done.attempts.map((attempt) => attempt.status)).toEqual(['interrupted', 'succeeded'])
    })

    it('a cancel that a crash cut is finished at the next start', async () => {
      const source = join(rig.local, 'canceled')
      await mkdir(source)
      await writeFile(join(source, 'big'), randomBytes(4 * 1024 * 1024))
      await rig.plan({ push: { source, target: join(rig.remote, 'canceled') }, bandwidthKiBps: 256 })
      const first = rig.makeService()
      await first.start()
      const { runs } = await first.push(request('cancel-cut'))
      const [run] = runs
      if (run === undefined) throw new Error('no run')
      await rig.until(run.id, (seen) => seen.state === 'PUSH_SYNC')
      // What a cancel commits first, and then the process is gone.
      await rig.store.transact(async (transaction) => {
        const stored = await transaction.getRun(run.id)
        if (stored !== null)
          await transaction.saveRun({ ...stored, cancellation: { by: 'ann', requestedAt: 1, stopConfirmed: null } })
      })
      await first.stop()
      const second = rig.makeService()
      await second.start()
      const ended = await rig.until(run.id)
      await second.stop()
      expect(ended).toMatchObject({ status: 'canceled', cancellation: { by: 'ann', stopConfirmed: true } })
      expect(await rig.store.listLocks()).toEqual([])
    })

    it('a lock whose run is over is released at the start', async () => {
      const [over] = await rig.store.listRuns({ statuses: ['succeeded'], limit: 1 })
      if (over === undefined) throw new Error('no run')
      await rig.store.transact(
        async (transaction) =>
          void (await transaction.acquireLock({ nodeId: over.nodeId, target: '/x', runId: over.id, acquiredAt: 1 })),
      )
      const service = rig.makeService()
      await service.start()
      await service.stop()
      expect(await rig.store.listLocks()).toEqual([])
    })
  },
)
