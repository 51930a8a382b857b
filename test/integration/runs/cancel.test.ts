import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { remoteRsyncProgram, stopRemoteProcesses } from '../../../src/engine/transfer/remoteProcess.ts'
import { RunId } from '../../../src/shared/model/ids.ts'
import type { Run } from '../../../src/shared/model/run.ts'
import { createRunRig, type RunRig } from '../../support/runRig.ts'
import { sshdMissing } from '../../support/sshd.ts'
import { waitFor } from '../../support/waitFor.ts'

/** Living processes that carry the run in their environment. */
async function processesOf(runId: string): Promise<string[]> {
  const found: string[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const environment = await readFile(`/proc/${name}/environ`, 'latin1').catch(() => '')
    if (environment.split('\0').includes(`LOCKSTEP_RUN=${runId}`)) found.push(name)
  }
  return found
}

describe.skipIf(sshdMissing !== null)(`canceling${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`, () => {
  let rig: RunRig

  beforeAll(async () => {
    rig = await createRunRig()
    await mkdir(join(rig.local, 'source'))
    await writeFile(join(rig.local, 'source', 'big'), randomBytes(8 * 1024 * 1024))
    // Slow enough to be met in the middle, whatever the machine.
    await rig.plan({
      push: { source: join(rig.local, 'source'), target: join(rig.remote, 'target') },
      bandwidthKiBps: 64,
    })
  })
  afterAll(() => rig.dispose())

  const transferring = async (run: Run): Promise<string[]> =>
    waitFor('rsync on the node', async () => {
      const pids = await processesOf(run.id)
      return pids.length >= 2 ? pids : null
    })

  it('F23 U26 ends the rsync on the node and proves it', async () => {
    const run = await rig.push()
    const before = await transferring(run)
    const canceled = await rig.service.cancel(run.id, 'ann@desk')
    expect(canceled).toMatchObject({ status: 'canceled', cancellation: { by: 'ann@desk', stopConfirmed: true } })
    expect(canceled.visits.at(-1)).toMatchObject({ state: 'PUSH_SYNC', outcome: 'canceled' })
    expect(await processesOf(run.id)).toEqual([])
    expect(before.length).toBeGreaterThanOrEqual(2)
    expect(await rig.store.listLocks()).toEqual([])
    expect(await rig.freshNode()).toMatchObject({
      activeRunId: null,
      status: 'pending_sync',
      statusReason: { code: 'CANCELED' },
    })
    expect(await rig.service.cancel(run.id, 'bob')).toMatchObject({
      status: 'canceled',
      cancellation: { by: 'ann@desk' },
    })
  })

  it('leaves nothing under the live name, and what was sent is not sent again (S0.71, U33)', async () => {
    const visible = await readdir(join(rig.remote, 'target'))
    expect(visible.filter((name) => !name.startsWith('.'))).toEqual([])
  })

  it('two cancels at once learn the same', async () => {
    const run = await rig.push()
    await transferring(run)
    const [first, second] = await Promise.all([rig.service.cancel(run.id, 'ann'), rig.service.cancel(run.id, 'bob')])
    expect([first?.status, second?.status]).toEqual(['canceled', 'canceled'])
    expect(first?.cancellation).toEqual(second?.cancellation)
  })

  it('a run that waits in the queue is canceled at once', async () => {
    const first = await rig.push()
    await transferring(first)
    const second = await rig.push()
    const waiting = await rig.until(second.id, (run) => run.state === 'ACQUIRE_LOCK' && run.status === 'queued')
    expect(waiting.notBefore).not.toBeNull()
    expect(await rig.log(second.id)).toContain(`is locked by run ${first.id}`)
    expect(await rig.service.cancel(second.id, 'ann')).toMatchObject({
      status: 'canceled',
      cancellation: { stopConfirmed: true },
    })
    await rig.service.cancel(first.id, 'ann')
  })

  it('F26 a waiting run goes on as soon as the lock is free', async () => {
    const first = await rig.push()
    await transferring(first)
    const second = await rig.push()
    await rig.until(second.id, (run) => run.state === 'ACQUIRE_LOCK' && run.status === 'queued')
    expect((await rig.freshNode()).locked).toBe(true)
    await rig.service.cancel(first.id, 'ann')
    await transferring(second)
    await rig.service.cancel(second.id, 'ann')
  })

  it('says so when a process on the node does not end', async () => {
    // Not rsync: a program under the same mark that the node refuses to let us signal is simulated by an unreachable node.
    const run = await rig.push()
    await transferring(run)
    await rig.store.transact((transaction) => transaction.saveNode({ ...rig.node, port: 1, plans: [] }))
    rig.pool.drop(rig.node.id)
    const canceled = await rig.service.cancel(run.id, 'ann')
    expect(canceled).toMatchObject({
      status: 'canceled',
      cancellation: { stopConfirmed: false },
      failure: { code: 'STOP_NOT_CONFIRMED' },
    })
    rig.pool.drop(rig.node.id)
    await stopRemoteProcesses(rig.pool, rig.node, run.id, { timeoutMs: 20_000 })
    expect(await processesOf(run.id)).toEqual([])
  })

  it('ends a program that ignores TERM', async () => {
    const runId = RunId.parse('01900000-0000-7000-8000-0000000000ff')
    execFileSync('sh', [
      '-c',
      `LOCKSTEP_RUN=${runId} setsid sh -c 'trap "" TERM; while :; do sleep 0.2; done' >/dev/null 2>&1 </dev/null &`,
    ])
    await waitFor('the stubborn program', async () => (await processesOf(runId)).length > 0)
    expect(await stopRemoteProcesses(rig.pool, rig.node, runId, { timeoutMs: 20_000 })).toEqual({ confirmed: true })
    expect(await processesOf(runId)).toEqual([])
  })

  it('the remote program is one line without quotes that a login shell could close', () => {
    const program = remoteRsyncProgram(RunId.parse('01900000-0000-7000-8000-0000000000ff'))
    expect(program.slice("sh -c '".length, -"' lockstep".length)).not.toMatch(/['\\!\n]/)
  })
})
