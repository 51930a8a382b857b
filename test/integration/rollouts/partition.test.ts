import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { computeTile } from '../../../src/core/fleet/health.ts'
import type { FleetNode } from '../../../src/shared/model/node.ts'
import { startTestEngine, type TestEngine } from '../../support/engine.ts'
import { writeTree } from '../../support/runRig.ts'
import { eventually, startSshd, type TestSshd } from '../../support/sshd.ts'
import { startTcpProxy } from '../../support/tcpProxy.ts'
import { pinOf } from '../../support/trust.ts'
import { waitFor } from '../../support/waitFor.ts'

const ip = (...args: string[]) => spawnSync('ip', args, { encoding: 'utf8' })
const probeName = `ls-probe-${process.pid}`
const canPart =
  process.getuid?.() === 0 && ip('netns', 'add', probeName).status === 0 && ip('netns', 'del', probeName).status === 0

describe('a network that breaks', () => {
  const cleanUps: (() => Promise<unknown> | unknown)[] = []
  let test: TestEngine
  let sshd: TestSshd

  beforeEach(async () => {
    test = await startTestEngine({ config: { unreachableProbeIntervalMs: 500 } })
    cleanUps.push(() => test.dispose())
    const exported = await test.client.certificates.exportAuthority({ kind: 'ssh-user' })
    const publicKey = exported.find(({ fileName }) => fileName.endsWith('.pub'))?.content.trim() ?? ''
    sshd = await startSshd({ trustedUserCa: publicKey, principals: ['sync-agent'] })
    cleanUps.push(() => sshd.stop())
  })
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
  })

  /** One node there, with a plan that it has: green, over a warm connection. */
  async function greenNode(address: string, port: number): Promise<void> {
    const hostKeys = sshd.hostKeys.map((line) => ({ ...pinOf(line), banner: '' }))
    const node = { name: 'far', kind: 'vps', address, port, user: sshd.user } as const
    await test.client.nodes.add({ node, hostKeys })
    const source = join(test.home.home, 'source')
    await writeTree(source, { 'a.txt': 'alpha' })
    await mkdir(join(test.home.home, 'target'))
    const push = { source, target: join(test.home.home, 'target') }
    await test.client.plans.apply({ plans: [{ name: 'site', kind: 'tree', selector: '*', spec: { push } }] })
    await test.client.system.reconcile()
    await tileIs('in-step')
    // The connection that is watched.
    await test.client.nodes.check({ node: 'far' })
  }

  const tileIs = (fill: string, timeoutMs = 30_000): Promise<FleetNode> =>
    waitFor(
      `a tile that is ${fill}`,
      async () => {
        const node = await test.node('far')
        const tile = computeTile(node, Date.now())
        if (tile.fill === fill) return node
        throw new Error(`${tile.fill}: ${tile.diagnosis?.sentence ?? ''}`)
      },
      { timeoutMs },
    )

  /** The same sshd, in a network of its own that hangs on one cable. */
  async function startFarSshd(): Promise<{ address: string; port: number; cable(state: 'up' | 'down'): void }> {
    const network = `ls-far-${process.pid}`
    const third = process.pid % 250
    const [here, there] = [`10.231.${third}.1`, `10.231.${third}.2`]
    const must = (...args: string[]): void => {
      const { status, stderr } = ip(...args)
      if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`)
    }
    must('netns', 'add', network)
    cleanUps.push(() => ip('netns', 'del', network))
    must('link', 'add', `lsh${process.pid}`, 'type', 'veth', 'peer', 'name', 'far0', 'netns', network)
    cleanUps.push(() => ip('link', 'del', `lsh${process.pid}`))
    must('addr', 'add', `${here}/30`, 'dev', `lsh${process.pid}`)
    must('link', 'set', `lsh${process.pid}`, 'up')
    must('-n', network, 'addr', 'add', `${there}/30`, 'dev', 'far0')
    must('-n', network, 'link', 'set', 'far0', 'up')
    const config = join(sshd.directory, 'sshd_config_far')
    const near = await readFile(join(sshd.directory, 'sshd_config'), 'utf8')
    await writeFile(config, near.replace(/^ListenAddress .*$/gm, `ListenAddress ${there}`).replace(/^PidFile .*$/m, ''))
    const log = join(sshd.directory, 'far.log')
    const child = spawn('ip', ['netns', 'exec', network, '/usr/sbin/sshd', '-D', '-f', config, '-E', log], {
      stdio: 'ignore',
    })
    cleanUps.push(() => ended(child))
    await eventually(async () => (await readFile(log, 'utf8').catch(() => '')).includes('listening'), 'the far sshd')
    return { address: there, port: sshd.port, cable: (state) => must('-n', network, 'link', 'set', 'far0', state) }
  }

  async function ended(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill('SIGTERM')
    await exit
  }

  it.skipIf(!canPart)(
    'S1.71 S1.72 S1.7 S1.40 a cut cable shows on the map, and the node is green again when it is back, without anybody',
    async () => {
      const far = await startFarSshd()
      await greenNode(far.address, far.port)
      far.cable('down')
      const lost = await tileIs('unreachable')
      expect(lost).toMatchObject({ status: 'pending_sync', consecutiveFailures: 0 })
      expect(lost.reachability).toMatchObject({ diagnosis: { code: 'CONNECTION_TIMED_OUT' } })
      far.cable('up')
      expect(await tileIs('in-step', 60_000)).toMatchObject({ status: 'active' })
    },
    120_000,
  )

  it('S1.71 S1.72 a machine that hangs while its network answers shows on the map, and is green again after it', async () => {
    const proxy = await startTcpProxy(sshd)
    cleanUps.push(() => proxy.stop())
    await greenNode(proxy.address, proxy.port)
    await proxy.set('freeze')
    expect(await tileIs('unreachable')).toMatchObject({ status: 'pending_sync' })
    await proxy.set('pass')
    expect(await tileIs('in-step', 60_000)).toMatchObject({ status: 'active' })
  }, 120_000)

  it('S1.72 S1.7 a half-open connection is noticed, and the node is green again on a new one', async () => {
    const proxy = await startTcpProxy(sshd)
    cleanUps.push(() => proxy.stop())
    await greenNode(proxy.address, proxy.port)
    const before = (await test.node('far')).lastSyncAt ?? Number.POSITIVE_INFINITY
    proxy.halfOpen()
    await waitFor('a later sync', async () => ((await test.node('far')).lastSyncAt ?? 0) > before, {
      timeoutMs: 60_000,
    })
    await tileIs('in-step')
  }, 120_000)

  it('S1.72 a slow way is no lost one: what is asked is delivered, and nothing turns red', async () => {
    const proxy = await startTcpProxy(sshd)
    cleanUps.push(() => proxy.stop())
    await greenNode(proxy.address, proxy.port)
    proxy.setDelayMs(300)
    await writeTree(join(test.home.home, 'source'), { 'b.txt': 'beta' })
    const before = (await test.node('far')).lastSyncAt ?? Number.POSITIVE_INFINITY
    await test.client.system.reconcile()
    await waitFor('a later sync', async () => ((await test.node('far')).lastSyncAt ?? 0) > before, {
      timeoutMs: 60_000,
    })
    await tileIs('in-step')
    expect(await readFile(join(test.home.home, 'target/b.txt'), 'utf8')).toBe('beta')
  }, 120_000)
})
