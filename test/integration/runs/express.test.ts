import { readFile, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { PlanExecutors } from '../../../src/engine/runs/executor.ts'
import type { RunService } from '../../../src/engine/runs/runService.ts'
import { AppError } from '../../../src/shared/errors.ts'
import { IdempotencyKey } from '../../../src/shared/model/ids.ts'
import type { FleetNode } from '../../../src/shared/model/node.ts'
import { isFinal, type Run, runStates } from '../../../src/shared/model/run.ts'
import { dyingStore } from '../../support/dyingStore.ts'
import { type NoteOptions, noteExecutor } from '../../support/noteExecutor.ts'
import { createRunRig, type RunRig } from '../../support/runRig.ts'
import { freePort, sshdMissing } from '../../support/sshd.ts'
import { waitFor } from '../../support/waitFor.ts'

const allStates = runStates.slice(0, -1)

describe.skipIf(sshdMissing !== null)(
  `runs of one round trip${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`,
  () => {
    let rig: RunRig
    let service: RunService | null = null
    let file: string
    let keys = 0

    beforeAll(async () => {
      rig = await createRunRig({ config: { maxParallelRuns: 1, maxExpressRuns: 8 } })
      await rig.service.stop()
      file = join(rig.remote, 'note')
      await rig.planOf('hosts', { file, hosts: { domain: 'example.internal' } })
    })
    afterEach(async () => {
      await service?.stop()
      service = null
      await rm(file, { force: true })
    })
    afterAll(() => rig.dispose())

    const executors = (options: Partial<NoteOptions> = {}): Partial<PlanExecutors> => ({
      hosts: noteExecutor({ pool: rig.pool, ...options }) as PlanExecutors['hosts'],
    })
    const start = async (options: Partial<NoteOptions> = {}, store = rig.store): Promise<RunService> => {
      service = rig.makeService(store, { executors: executors(options) })
      await service.start()
      return service
    }
    const pushTo = async (nodes: readonly FleetNode[], over: RunService, key = `express-${++keys}`): Promise<Run[]> => {
      const targets = { kind: 'nodes' as const, nodes: nodes.map(({ id }) => id) }
      const request = { idempotencyKey: IdempotencyKey.parse(key), plans: ['hosts'], targets } as const
      return (await over.push({ ...request, trigger: 'operator', requestedBy: 'tester@here' })).runs
    }
    const pushOne = async (over: RunService, key?: string): Promise<Run> => {
      const [run] = await pushTo([rig.node], over, key)
      if (run === undefined) throw new Error('nothing was registered')
      return run
    }
    const withNodes = async (
      overrides: readonly Parameters<RunRig['addNode']>[0][],
      work: (nodes: readonly FleetNode[]) => Promise<void>,
    ): Promise<void> => {
      const nodes: FleetNode[] = []
      for (const each of overrides) nodes.push(await rig.addNode(each))
      try {
        await work(nodes)
      } finally {
        await service?.stop()
        service = null
        await rig.store.transact(async (transaction) => {
          for (const { id } of nodes) await transaction.removeNode(id)
        })
      }
    }

    it('S0.41 S1.82 D37 passes every state, in three commits with its registration, over a connection that stands already', async () => {
      const counting = dyingStore(rig.store, Number.POSITIVE_INFINITY, 'after')
      const seen: { run: Run | null; locks: number; locked: boolean }[] = []
      const over = await start(
        {
          beforeSending: async ({ run, node }) => {
            const locks = (await rig.store.listLocks(node.id)).length
            seen.push({ run: await rig.store.getRun(run.id), locks, locked: (await rig.freshNode()).locked })
          },
        },
        counting.store,
      )
      await rig.until((await pushOne(over)).id)
      const connected = (await rig.sshd.log()).split('Accepted publickey').length
      const before = counting.commits()
      const run = await rig.until((await pushOne(over)).id)

      expect(counting.commits() - before).toBe(3)
      expect((await rig.sshd.log()).split('Accepted publickey')).toHaveLength(connected)
      expect(run).toMatchObject({ status: 'succeeded', tries: 1, state: 'FINALIZE', planRevision: 1 })
      expect(run.visits.map(({ state, outcome, attempt }) => `${state} ${outcome} ${attempt}`)).toEqual(
        allStates.map((state) => `${state} ${state === 'PULL_SYNC' ? 'skipped' : 'done'} 1`),
      )
      expect(run.visits.every(({ enteredAt, leftAt }) => leftAt !== null && leftAt >= enteredAt)).toBe(true)
      // What was durable before anything was sent.
      expect(seen.at(-1)).toMatchObject({ run: { status: 'running', state: 'PUSH_SYNC' }, locks: 1, locked: true })
      expect(await rig.store.listLocks()).toEqual([])
      expect(await rig.freshNode()).toMatchObject({ status: 'active', activeRunId: null, locked: false })
      expect((await rig.freshNode()).plans[0]).toMatchObject({
        observed: { revision: 1, runId: run.id },
        lastRunId: run.id,
      })
      expect(await readFile(file, 'utf8')).toBe('revision 1\n')
    })

    it('S0.76 S0.78 has a log, written once, whose size the run knows', async () => {
      const over = await start()
      const started = await pushOne(over)
      const sizes: number[] = []
      const off = rig.logs.onAppended(started.id, (size) => sizes.push(size))
      const run = await rig.until(started.id)
      off()
      const log = await rig.log(run.id)
      for (const state of allStates.slice(0, 5)) expect(log).toContain(`== ${state} (attempt 1)`)
      expect(log).toContain('read back ')
      expect(log).toContain('VERIFY: done')
      expect(sizes).toHaveLength(1)
      expect(run.logBytes).toBe(log.length)
    })

    it('S1F.1 works on as many nodes at once as it may, not on maxParallelRuns', async () => {
      let inside = 0
      let mostInside = 0
      let open = (): void => undefined
      const together = new Promise<void>((resolve) => {
        open = resolve
      })
      await withNodes(
        Array.from({ length: 8 }, () => ({})),
        async (nodes) => {
          const over = await start({
            beforeSending: async () => {
              inside += 1
              mostInside = Math.max(mostInside, inside)
              if (inside === 8) open()
              await together
              inside -= 1
            },
          })
          const runs = await pushTo(nodes, over)
          for (const { id } of runs) expect(await rig.until(id)).toMatchObject({ status: 'succeeded' })
        },
      )
      expect(mostInside).toBe(8)
    })

    it('S1.73 S1.74 S1.75 D13 is tried three times in all, each from its certificate on, then the node is pending with the reason', async () => {
      const over = await start({
        beforeSending: () => {
          throw new AppError('REMOTE_COMMAND_FAILED', 'it went wrong over there')
        },
      })
      const run = await rig.until((await pushOne(over)).id)
      expect(run).toMatchObject({ status: 'failed', tries: 3, proof: null, failure: { code: 'REMOTE_COMMAND_FAILED' } })
      expect(run.attempts.map(({ status }) => status)).toEqual(['failed', 'failed', 'failed'])
      expect(run.visits.filter(({ state }) => state === 'ENSURE_CERT').map(({ attempt }) => attempt)).toEqual([1, 2, 3])
      expect(run.visits.filter(({ state }) => state === 'INIT')).toHaveLength(1)
      expect(await rig.store.listLocks()).toEqual([])
      expect(await rig.freshNode()).toMatchObject({
        status: 'pending_sync',
        statusReason: { code: 'REMOTE_COMMAND_FAILED' },
        consecutiveFailures: 1,
        locked: false,
      })
      expect((await rig.log(run.id)).split('it went wrong over there')).toHaveLength(4)
    })

    it('S0.66 S0.86 S1.74 a second try that goes well makes it green, under the same run', async () => {
      let tries = 0
      const over = await start({
        beforeSending: () => {
          tries += 1
          if (tries === 1) throw new AppError('CONNECTION_LOST', 'the line went dead')
        },
      })
      const run = await rig.until((await pushOne(over)).id)
      expect(run).toMatchObject({ status: 'succeeded', tries: 2 })
      expect(run.attempts.map(({ status }) => status)).toEqual(['failed', 'succeeded'])
      expect(await rig.freshNode()).toMatchObject({ status: 'active', statusReason: null, consecutiveFailures: 0 })
    })

    it('S1.71 S1.72 D13 nobody there: pending at once with the cause, nothing counted, and nothing of it counts as touched', async () => {
      await withNodes([{ port: await freePort() }], async ([away]) => {
        if (away === undefined) throw new Error('no node')
        const over = await start()
        const [started] = await pushTo([away], over)
        if (started === undefined) throw new Error('no run')
        const run = await rig.until(started.id)
        expect(run).toMatchObject({ status: 'failed', tries: 1, failure: { code: 'CONNECTION_REFUSED' } })
        expect(run.visits.slice(-2)).toMatchObject([
          { state: 'PRE_FLIGHT_CHECK', outcome: 'failed' },
          { state: 'FAILED' },
        ])
        expect(run.visits.some(({ state }) => state === 'PUSH_SYNC')).toBe(false)
        expect(await rig.freshNode(away.id)).toMatchObject({
          status: 'pending_sync',
          consecutiveFailures: 0,
          reachability: { status: 'unreachable' },
          activeRunId: null,
          locked: false,
        })
      })
    })

    it('S1.72 S1.78 half of the fleet takes connections and never answers: the other half is done while those still hang', async () => {
      const silent = await silentServer()
      const half = 12
      try {
        await withNodes(
          Array.from({ length: 2 * half }, (_unused, index) =>
            index % 2 === 0 ? { address: silent.address, port: silent.port } : {},
          ),
          async (nodes) => {
            const over = await start()
            const runs = await pushTo(nodes, over)
            const of = (dead: boolean): Run[] => runs.filter((_run, index) => (index % 2 === 0) === dead)
            for (const { id } of of(false)) expect(await rig.until(id)).toMatchObject({ status: 'succeeded' })
            const hanging = await Promise.all(of(true).map(({ id }) => rig.store.getRun(id)))
            expect(hanging.map((run) => (run === null ? 'gone' : isFinal(run.status)))).toEqual(
              Array.from({ length: half }, () => false),
            )
            for (const { id } of of(true)) await over.cancel(id, 'tester')
          },
        )
      } finally {
        await silent.stop()
      }
    })

    it('F23 U26 a cancel cuts the round trip, has the far side stopped, and the node is not green', async () => {
      await rig.until((await pushOne(await start())).id)
      await service?.stop()
      let sending = (): void => undefined
      const sent = new Promise<void>((resolve) => {
        sending = resolve
      })
      let stops = 0
      const over = await start({ beforeSending: ({ signal }) => hang(signal, sending), onStop: () => (stops += 1) })
      const started = await pushOne(over)
      await sent
      const run = await over.cancel(started.id, 'ann@desk')
      expect(run).toMatchObject({ status: 'canceled', cancellation: { by: 'ann@desk', stopConfirmed: true } })
      expect(run.visits.at(-1)).toMatchObject({ state: 'PUSH_SYNC', outcome: 'canceled' })
      expect(stops).toBe(1)
      expect(await rig.store.listLocks()).toEqual([])
      const node = await rig.freshNode()
      expect(node).toMatchObject({ status: 'pending_sync', activeRunId: null, locked: false })
      expect(node.plans[0]?.driftSince).not.toBeNull()
    })

    it('F33 U27 a stop of the engine cuts the round trip; the same run is done at the next start', async () => {
      let sending = (): void => undefined
      const sent = new Promise<void>((resolve) => {
        sending = resolve
      })
      const first = await start({ beforeSending: ({ signal }) => hang(signal, sending) })
      const started = await pushOne(first)
      await sent
      await first.stop()
      expect(await rig.store.getRun(started.id)).toMatchObject({
        status: 'queued',
        state: 'ENSURE_CERT',
        attempts: [{ status: 'interrupted' }],
      })
      await start()
      const run = await rig.until(started.id)
      expect(run).toMatchObject({ status: 'succeeded', tries: 1 })
      expect(run.attempts.map(({ status }) => status)).toEqual(['interrupted', 'succeeded'])
    })

    it('S0.46 two runs for the same file: the second waits for the lock of the first', async () => {
      let open = (): void => undefined
      const gate = new Promise<void>((resolve) => {
        open = resolve
      })
      let inside = 0
      let mostInside = 0
      const over = await start({
        beforeSending: async () => {
          inside += 1
          mostInside = Math.max(mostInside, inside)
          await gate
          inside -= 1
        },
      })
      const first = await pushOne(over)
      await rig.until(first.id, (run) => run.state === 'PUSH_SYNC')
      const second = await pushOne(over)
      await rig.until(second.id, (run) => run.status === 'queued' && run.state === 'ACQUIRE_LOCK')
      open()
      expect(await rig.until(first.id)).toMatchObject({ status: 'succeeded' })
      expect(await rig.until(second.id)).toMatchObject({ status: 'succeeded', tries: 1 })
      expect(mostInside).toBe(1)
      expect(await rig.store.listLocks()).toEqual([])
    })

    it('what the executor hands back is done state by state', async () => {
      const over = await start({ answer: (steps) => steps.slice(0, 1) })
      const run = await rig.until((await pushOne(over)).id)
      expect(run).toMatchObject({ status: 'succeeded', tries: 1 })
      expect(run.visits.map(({ state }) => state)).toEqual(allStates)
      const empty = await (async () => {
        await service?.stop()
        return start({ answer: () => [] })
      })()
      const again = await rig.until((await pushOne(empty)).id)
      expect(again.visits.map(({ state, outcome }) => `${state} ${outcome}`)).toEqual(
        allStates.map((state) => `${state} ${state === 'PULL_SYNC' ? 'skipped' : 'done'}`),
      )
    })

    it('S1.76 S1.77 is never green without a proof that was read back', async () => {
      const over = await start({
        answer: (steps) =>
          steps.map((step) => (step.state === 'VERIFY' ? { ...step, outcome: { kind: 'done' as const } } : step)),
      })
      const run = await rig.until((await pushOne(over)).id)
      expect(run).toMatchObject({ status: 'failed', proof: null, failure: { code: 'INTERNAL' } })
      expect((await rig.freshNode()).status).toBe('pending_sync')
    })

    // Recovery makes two commits and registration the third; then one before the round trip and one after it.
    for (let commits = 3; commits <= 5; commits += 1) {
      for (const moment of ['before', 'after'] as const) {
        it(`F33 S0.86 S0.88 killed ${moment} commit ${commits}: the same run comes to its end, once, and leaves no lock`, async () => {
          const key = `express-killed-${moment}-${commits}`
          const dying = dyingStore(rig.store, commits, moment)
          let sends = 0
          const killed = rig.makeService(dying.store, {
            executors: executors({
              beforeSending: () => {
                sends += 1
              },
            }),
          })
          await killed.start()
          await pushOne(killed, key).catch(() => undefined)
          await waitFor(
            'the crash or the end',
            async () => dying.isDead() || (await rig.store.listOpenRuns()).length === 0,
          )
          await killed.stop()
          // Nothing is sent before the first of the two is durable.
          expect(sends).toBe(commits >= 5 ? 1 : 0)
          const cut = (await rig.store.listOpenRuns())[0]
          if (commits === 4 && moment === 'after') expect(cut).toMatchObject({ status: 'running', state: 'PUSH_SYNC' })
          if (commits === 5 && moment === 'before') {
            expect(cut).toMatchObject({ status: 'running', state: 'PUSH_SYNC', proof: null })
            expect((await rig.freshNode()).plans[0]?.observed?.runId).not.toBe(cut?.id)
          }

          const next = await start()
          const registered = await pushOne(next, key)
          const run = await rig.until(registered.id)
          if (cut !== undefined) expect(run.id).toBe(cut.id)
          expect([run.failure, run.status, run.tries]).toEqual([null, 'succeeded', 1])
          expect(await rig.store.listRuns({ batchId: run.batchId, limit: 10 })).toHaveLength(1)
          expect(run.attempts.filter(({ status }) => status === 'succeeded')).toHaveLength(1)
          expect(run.visits.every(({ leftAt, outcome }) => leftAt !== null && outcome !== 'active')).toBe(true)
          expect(await rig.store.listLocks()).toEqual([])
          expect(await rig.freshNode()).toMatchObject({ status: 'active', activeRunId: null, locked: false })
          expect(await readFile(file, 'utf8')).toBe('revision 1\n')
        })
      }
    }
  },
)

function hang(signal: AbortSignal, began: () => void): Promise<never> {
  began()
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new AppError('CANCELED', 'cut')), { once: true })
  })
}

interface SilentServer {
  readonly address: string
  readonly port: number
  stop(): Promise<void>
}

/** Takes every connection and says nothing: what a node that drops packets looks like behind a load balancer. */
async function silentServer(): Promise<SilentServer> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const bound = server.address()
  if (bound === null || typeof bound !== 'object') throw new Error('no port')
  return {
    address: '127.0.0.1',
    port: bound.port,
    stop: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
