import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { renderHosts } from '../../../src/core/registry/hosts.ts'
import { hostsBegin, hostsEnd } from '../../../src/core/registry/hostsBlock.ts'
import { formatServiceRegistry } from '../../../src/core/registry/serviceRegistry.ts'
import { connectSocket, type SocketClient } from '../../../src/daemon/socketClient.ts'
import { homePaths } from '../../../src/platform/paths.ts'
import type { DemoStatus } from '../../../src/shared/model/demo.ts'
import { HostsSettings, type RegistryService } from '../../../src/shared/model/registry.ts'
import { aService } from '../../fakes/aRegistry.ts'
import { waitFor } from '../../support/waitFor.ts'

const run = promisify(execFile)
const cliEntry = join(import.meta.dirname, '../../../src/cli/main.ts')
const rounds = Number(process.env.CRASH_ROUNDS ?? 4)
const nodeCount = 8
const seed = Number(process.env.CRASH_SEED ?? Date.now() % 1_000_000)
const foreign = '127.0.0.1 localhost\n'
const settings = HostsSettings.parse({ domain: 'example.com' })

/** A small linear congruential generator: a failed round can be had again with CRASH_SEED. */
function randomFrom(start: number): () => number {
  let state = start
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
    return state / 4_294_967_296
  }
}

/** Enough for a payload of a few KB, and another one with every revision. */
const servicesOf = (revision: number): RegistryService[] =>
  Array.from({ length: 40 }, (_, index) =>
    aService({
      name: `service ${index}`,
      subdomain: `s${index}-r${revision}`,
      ip: `10.0.${revision % 250}.${index + 1}`,
    }),
  )
const contentOf = (revision: number): string =>
  revision === 0 ? foreign : `${foreign}${hostsBegin}\n${renderHosts(servicesOf(revision), settings)}${hostsEnd}\n`

let home: string
let daemon: ChildProcess | null = null
let files: string[] = []

async function cli<T>(...args: string[]): Promise<T> {
  const { stdout } = await run(process.execPath, [cliEntry, ...args, '--home', home, '--json'], { maxBuffer: 64 << 20 })
  return JSON.parse(stdout) as T
}

async function startDaemon(): Promise<SocketClient> {
  const child = spawn(process.execPath, [cliEntry, 'serve', '--home', home, '--port', '0'], { stdio: 'ignore' })
  daemon = child
  return waitFor(
    'the daemon on its socket',
    () => {
      if (child.exitCode !== null) throw new Error(`the daemon ended with ${child.exitCode}`)
      return connectSocket(homePaths(home))
    },
    { timeoutMs: 30_000 },
  )
}

async function endDaemon(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  const child = daemon
  daemon = null
  if (child === null || child.exitCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill(signal)
  await ended
}

async function save({ client }: SocketClient, revision: number): Promise<void> {
  const saved = await client.registry.save({
    registry: 'services',
    text: formatServiceRegistry(servicesOf(revision)),
    baseNumber: revision - 1,
  })
  expect(saved).toMatchObject({ status: 'saved', revision: { number: revision } })
}

/** All nodes are at the newest revision, and nothing is under way. */
async function allInStep({ client }: SocketClient): Promise<void> {
  await waitFor(
    'every node at the newest revision',
    async () => {
      const nodes = await client.nodes.list({ filter: '' })
      const behind = nodes.filter(
        ({ status, plans }) =>
          status !== 'active' || plans.some(({ observed, desiredRevision }) => observed?.revision !== desiredRevision),
      )
      const open = (await client.rollouts.list({ limit: 100 })).filter(({ finishedAt }) => finishedAt === null)
      if (behind.length === 0 && open.length === 0) return true
      const why = behind.map(({ name, status, statusReason }) => `${name} ${status} ${statusReason?.sentence ?? ''}`)
      throw new Error([...why, ...open.map(({ id, status }) => `${id} ${status}`)].join('; '))
    },
    { timeoutMs: 60_000, intervalMs: 50 },
  )
}

describe('kill -9 of the daemon in the middle of a rollout', () => {
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'ls-rollout-crash-'))
    await writeFile(join(home, 'config.yaml'), 'unreachableProbeIntervalMs: 500\nretryDelayMs: 100\n')
    const status = await cli<DemoStatus>('demo', 'up', '--nodes', String(nodeCount))
    files = status.nodes.map(({ directory }) => join(directory, 'home/etc-hosts/hosts'))
    for (const file of files) {
      await run('mkdir', ['-p', join(file, '..')])
      await writeFile(file, foreign)
    }
    const connection = await startDaemon()
    await connection.client.plans.remove({ plan: 'demo-site' })
    await connection.client.plans.apply({
      plans: [
        {
          name: 'hosts',
          kind: 'hosts',
          selector: '*',
          spec: { file: '~/etc-hosts/hosts', hosts: settings, sudo: 'never' },
        },
      ] as never,
    })
    await connection.client.rollouts.setSettings({ canary: { kind: 'count', count: 1 }, maxParallel: 2 })
    await connection.close()
    await endDaemon('SIGTERM')
  }, 120_000)

  afterAll(async () => {
    await endDaemon('SIGTERM')
    await cli('demo', 'down')
    await rm(home, { recursive: true, force: true })
  }, 120_000)

  it(
    `S1.7 S1.28 S1.40 S1F.1 ${rounds} rounds: every node has the newest revision, whole, and was asked for once (seed ${seed})`,
    async () => {
      const random = randomFrom(seed)
      let revision = 0
      for (let round = 1; round <= rounds; round += 1) {
        const first = await startDaemon()
        revision += 1
        await save(first, revision)
        if (round % 3 === 0) {
          // A second change while the first is on its way.
          revision += 1
          await pause(random() * 100)
          await save(first, revision)
        }
        // A random moment is what is tested.
        await pause(random() * 500)
        await endDaemon('SIGKILL')
        await first.close().catch(() => undefined)
        const whole = Array.from({ length: revision + 1 }, (_, number) => contentOf(number))
        for (const file of files) expect(whole, `round ${round}: ${file}`).toContain(await readFile(file, 'utf8'))

        const second = await startDaemon()
        await allInStep(second)
        for (const file of files) {
          expect(await readFile(file, 'utf8'), `round ${round}: ${file}`).toBe(contentOf(revision))
          expect(await readdir(join(file, '..'))).toEqual(['hosts'])
        }
        for (const { id } of await second.client.rollouts.list({ limit: 5 })) {
          const { runs } = await second.client.rollouts.get({ id })
          expect(new Set(runs.map(({ nodeId }) => nodeId)).size, `round ${round}`).toBe(runs.length)
        }
        await second.close()
        await endDaemon('SIGTERM')
      }
      const fleet = await cli<{ locked: boolean; activeRunId: string | null }[]>('nodes', 'list')
      expect(fleet.filter((node) => node.locked || node.activeRunId !== null)).toEqual([])
      expect(await cli<{ intact: boolean }>('audit', 'verify')).toMatchObject({ intact: true })
    },
    rounds * 60_000 + 60_000,
  )
})
