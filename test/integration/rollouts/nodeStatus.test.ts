import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { computeTile } from '../../../src/core/fleet/health.ts'
import type { FleetNode } from '../../../src/shared/model/node.ts'
import { HostsSettings, RoutesSettings } from '../../../src/shared/model/registry.ts'
import type { Run } from '../../../src/shared/model/run.ts'
import { aService } from '../../fakes/aRegistry.ts'
import { writeTree } from '../../support/runRig.ts'
import { createStatusRig, type StatusRig } from './statusRig.ts'

let test: StatusRig
let source: string
let target: string
const cleanUps: (() => Promise<void>)[] = []

const runs = (): Promise<Run[]> => test.rig.store.listRuns({ nodeId: test.rig.node.id, limit: 100 })
/** The source is not a directory any more, which no try can change. */
const breakTheSource = async (): Promise<void> => {
  await rm(source, { recursive: true })
  await writeFile(source, 'not a directory')
}
const mendTheSource = async (): Promise<void> => {
  await rm(source)
  await writeTree(source, { 'a.txt': 'alpha' })
}

/** A process that has this name for the kernel. */
async function startProcess(name: string): Promise<{ readonly pid: number; end(): Promise<void> }> {
  const program = join(test.rig.programs, name)
  await copyFile('/bin/sleep', program)
  const child = spawn(program, ['600'], { stdio: 'ignore' })
  await once(child, 'spawn')
  const end = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }
  cleanUps.push(end)
  return { pid: child.pid as number, end }
}

describe('the status of a node, S1.62 to S1.77', () => {
  beforeEach(async () => {
    test = await createStatusRig({ config: { retryDelayMs: 20, errorAfterFailures: 3 } })
    source = join(test.rig.local, 'site')
    target = join(test.rig.remote, 'site')
    await writeTree(source, { 'a.txt': 'alpha' })
    await test.rig.plan({ push: { source, target } })
  })
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0)) await cleanUp()
    await test.dispose()
  })

  it('S1.62 S1.63 S1.67 S1.70 waits until the first sync has succeeded, and then is active and in step', async () => {
    const before = await test.node()
    expect(before).toMatchObject({ status: 'pending_sync', lastSyncAt: null })
    expect(computeTile(before, Date.now()).fill).toBe('never-synced')
    const after = await test.cycle()
    expect(after).toMatchObject({ status: 'active', statusReason: null, consecutiveFailures: 0 })
    expect(after.lastSyncAt).not.toBeNull()
    expect(computeTile(after, Date.now()).fill).toBe('in-step')
  })

  it('S1.65 S1.71 S1.72 S1.78 D13 active becomes pending when it is offline: one try, no failure, and the cause', async () => {
    await test.cycle()
    await test.proxy.set('refuse')
    const offline = await test.cycle()
    expect(offline).toMatchObject({
      status: 'pending_sync',
      consecutiveFailures: 0,
      statusReason: { code: 'CONNECTION_REFUSED' },
      reachability: { status: 'unreachable' },
    })
    const [run] = await runs()
    expect(run).toMatchObject({ status: 'failed', tries: 1, failure: { code: 'CONNECTION_REFUSED' } })
  })

  it('S1.66 S1.37 pending stays pending while it is offline, and each cycle says how many wait', async () => {
    await test.proxy.set('refuse')
    for (let cycle = 0; cycle < 4; cycle += 1)
      expect(await test.cycle()).toMatchObject({ status: 'pending_sync', consecutiveFailures: 0 })
    expect(test.log.filter((line) => line.includes('Found 1 pending nodes, retrying...'))).toHaveLength(4)
  })

  it('S1.6 S1.7 S1.40 S1.57 S1.67 a node that comes back is active again without anybody, and has all it missed', async () => {
    await test.cycle()
    await test.proxy.set('refuse')
    await writeTree(source, { 'b.txt': 'beta' })
    await test.cycle()
    await test.scheduler.start()
    await test.proxy.set('pass')
    const back = await test.nodeIs('the node to be in step', (node) => computeTile(node, Date.now()).fill === 'in-step')
    expect(back).toMatchObject({ status: 'active', reachability: { status: 'reachable' } })
    const [newest] = await runs()
    expect(newest?.proof?.filesVerified).toBe(2)
  })

  it('S1.73 S1.74 S1.75 D13 a command that fails is tried three times in all, then the node waits with the error', async () => {
    await test.cycle()
    await rm(target, { recursive: true })
    // A directory that is not empty stands where a file has to go.
    await writeTree(target, { 'a.txt/in-the-way': 'x' })
    const failed = await test.cycle()
    const [run] = await runs()
    expect(run).toMatchObject({ status: 'failed', tries: 3, failure: { code: 'TRANSFER_INCOMPLETE' } })
    expect(failed).toMatchObject({ status: 'pending_sync', consecutiveFailures: 1, statusReason: run?.failure })
    expect(await test.rig.log(run?.id as Run['id'])).toContain('TRANSFER_INCOMPLETE')
    await rm(target, { recursive: true })
    expect(await test.cycle()).toMatchObject({ status: 'active', consecutiveFailures: 0 })
  })

  it('S1.64 S1.68 D12 three failed cycles in a row make an error; one success clears it', async () => {
    await test.cycle()
    await breakTheSource()
    expect(await test.cycle()).toMatchObject({ status: 'pending_sync', consecutiveFailures: 1 })
    expect(await test.cycle()).toMatchObject({ status: 'pending_sync', consecutiveFailures: 2 })
    expect(await test.cycle()).toMatchObject({ status: 'error', consecutiveFailures: 3 })
    await mendTheSource()
    expect(await test.cycle()).toMatchObject({ status: 'active', consecutiveFailures: 0, statusReason: null })
  })

  it('S1.68 D12 a cycle in which it is offline breaks no row and adds to none', async () => {
    await breakTheSource()
    await test.cycle()
    await test.cycle()
    await test.proxy.set('refuse')
    await mendTheSource()
    expect(await test.cycle()).toMatchObject({ status: 'pending_sync', consecutiveFailures: 2 })
    await test.proxy.set('pass')
    expect(await test.cycle()).toMatchObject({ status: 'active', consecutiveFailures: 0 })
  })

  it('S1.69 D12 a manual resync takes a node out of error at once, whatever comes of it', async () => {
    await breakTheSource()
    for (let cycle = 0; cycle < 3; cycle += 1) await test.cycle()
    expect((await test.node()).status).toBe('error')
    const run = await test.rig.push()
    expect((await test.node()).status).not.toBe('error')
    await test.rig.until(run.id)
    expect((await test.node()).status).toBe('error')
    await mendTheSource()
    await test.rig.until((await test.rig.push()).id)
    expect((await test.node()).status).toBe('active')
  })

  it('S1.76 S1.77 a routes file that is missing, or a Traefik that does not run, is a failed sync with its reason', async () => {
    const pidFile = join(test.rig.home, 'traefik/pid')
    const file = join(test.rig.home, 'traefik/config/routes.yml')
    await mkdir(join(test.rig.home, 'traefik/config'), { recursive: true })
    const traefik = await startProcess('traefik-of-a-test')
    await writeFile(pidFile, String(traefik.pid))
    await test.rig.registry([aService()])
    await test.rig.planOf('routes', {
      file,
      routes: RoutesSettings.parse({ domain: 'example.com' }),
      traefik: { kind: 'pid-file', file: pidFile },
    })
    const before = await test.cycle()
    expect(before.status).toBe('active')
    await rm(pidFile)
    expect(await test.cycle()).toMatchObject({
      status: 'pending_sync',
      lastSyncAt: expect.any(Number),
      statusReason: { code: 'TRAEFIK_NOT_RUNNING' },
    })
    await writeFile(pidFile, String(traefik.pid))
    await rm(file)
    expect((await test.cycle()).status).toBe('active')
    expect(await readFile(file, 'utf8')).toContain('example.com')
    await traefik.end()
  })

  it.each(['laptop', 'worker', 'vps'] as const)(
    'D15 S1.51 S1.58 a %s goes through the same: reached, verified, active; offline it waits; back it catches up',
    async (kind) => {
      const file = join(test.rig.programs, 'hosts')
      await writeFile(file, '127.0.0.1 localhost\n')
      await test.rig.store.transact(async (transaction) =>
        transaction.saveNode({ ...(await transaction.getNode(test.rig.node.id)), kind } as FleetNode),
      )
      await test.rig.registry([aService()])
      await test.rig.planOf('hosts', { file, hosts: HostsSettings.parse({ domain: 'example.com' }) })
      expect((await test.cycle()).status).toBe('active')
      await test.proxy.set('refuse')
      expect((await test.cycle()).status).toBe('pending_sync')
      await test.proxy.set('pass')
      expect((await test.cycle()).status).toBe('active')
      expect(await readFile(file, 'utf8')).toContain('example.com')
    },
  )

  it('S1.72 S1.78 a node that accepts and says nothing holds the cycle no longer than its login may take', async () => {
    await test.cycle()
    await test.proxy.set('freeze')
    const offline = await test.cycle()
    expect(offline).toMatchObject({ status: 'pending_sync', consecutiveFailures: 0 })
    expect(offline.reachability.status).toBe('unreachable')
    await test.proxy.set('pass')
    await test.scheduler.start()
    await test.nodeIs('the node to be in step', (node) => computeTile(node, Date.now()).fill === 'in-step')
  })
})
