import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import PQueue from 'p-queue'
import { connectSocket, type SocketClient } from '../src/daemon/socketClient.ts'
import { exec } from '../src/platform/exec.ts'
import { homePaths } from '../src/platform/paths.ts'
import { waitFor } from '../test/support/waitFor.ts'
import { thisMachine } from './machine.ts'
import { type BenchOptions, type BenchReport, toRow } from './report.ts'

/** Built, as people run it: from source, Node itself needs another 100 MB to strip the types. */
const command = join(import.meta.dirname, '../bin/lockstep')
const defaultNodes = 200
const idleMs = 60_000
const targetRssMb = 130
const targetCpuPercent = 1

/**
 * A daemon with a warm connection to every node of a demo fleet: its memory, and its CPU over a minute in which nobody
 * asks anything. The peer column holds the target, since nothing comparable runs as one process.
 */
export async function run({ args }: BenchOptions): Promise<BenchReport> {
  const nodes = Number(args.find((word) => /^\d+$/.test(word)) ?? defaultNodes)
  const home = homePaths(await mkdtemp(join(tmpdir(), 'ls-idle-')))
  const daemon = startDaemon(home.home)
  try {
    const connection = await waitFor('the daemon on its socket', () => connectSocket(home), { timeoutMs: 30_000 })
    await connection.client.demo.up({ nodes })
    await warm(connection, nodes)
    await connection.close()
    // What the warm-up left to do (idle garbage, timers) is not what is measured.
    await pause(5_000)
    const before = await cpuMs(daemon)
    await pause(idleMs)
    const cpuPercent = (((await cpuMs(daemon)) - before) / idleMs) * 100
    const rssMb = await residentMb(daemon)
    const label = `daemon, ${nodes} warm connections`
    return {
      bench: 'idle',
      machine: thisMachine(),
      rows: [
        toRow({
          case: label,
          metric: 'resident memory',
          unit: 'MB',
          ours: [rssMb],
          peer: { name: 'target', samples: [targetRssMb] },
        }),
        toRow({
          case: label,
          metric: 'CPU of one core',
          unit: '%',
          ours: [cpuPercent],
          peer: { name: 'target', samples: [targetCpuPercent] },
        }),
      ],
    }
  } finally {
    await takeDown(home.home, daemon)
  }
}

function startDaemon(home: string): ChildProcess {
  // An hour between reconciles, as in production: what is left is the cost of being there.
  const args = ['serve', '--home', home, '--port', '0', '--demo', '--nodes', '1']
  return spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] })
}

/** Each login leaves its connection open in the pool. */
async function warm({ client }: SocketClient, count: number): Promise<void> {
  const nodes = await client.nodes.list({ filter: '' })
  // As many at once as the engine itself works on.
  const queue = new PQueue({ concurrency: 16 })
  const checked = await queue.addAll(nodes.map((node) => () => client.nodes.check({ node: node.id })))
  const reached = checked.filter((node) => node.reachability.status === 'reachable').length
  if (reached !== count) throw new Error(`${reached} of ${count} nodes answered`)
  await waitFor('all runs to end', async () => (await client.system.status()).counts.runsRunning === 0, {
    timeoutMs: 1_200_000,
  })
}

async function cpuMs({ pid }: ChildProcess): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticksPerSecond = 100
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond
}

async function residentMb({ pid }: ChildProcess): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) / 1024
}

async function takeDown(home: string, daemon: ChildProcess): Promise<void> {
  await exec({
    command,
    args: ['demo', 'down', '--home', home],
    okExitCodes: 'any',
    timeoutMs: 120_000,
  })
  const ended = new Promise((resolve) => daemon.once('exit', resolve))
  if (daemon.exitCode === null && daemon.kill('SIGTERM')) await ended
  await rm(home, { recursive: true, force: true })
}
