import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DemoStatus } from '../../../src/shared/model/demo.ts'
import type { Run } from '../../../src/shared/model/run.ts'
import { treeDigest } from '../../support/treeDigest.ts'
import { waitFor } from '../../support/waitFor.ts'

const run = promisify(execFile)
const repository = join(import.meta.dirname, '../../..')
const cliEntry = join(repository, 'src/cli/main.ts')
const rounds = Number(process.env.CRASH_ROUNDS ?? 4)
const nodes = 8
const seed = Number(process.env.CRASH_SEED ?? Date.now() % 1_000_000)

/** A small linear congruential generator: a failed round can be had again with CRASH_SEED. */
function randomFrom(start: number): () => number {
  let state = start
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
    return state / 4_294_967_296
  }
}

let home: string
let daemon: ChildProcess | null = null

async function cli<T>(...args: string[]): Promise<T> {
  const { stdout } = await run(process.execPath, [cliEntry, ...args, '--home', home, '--json'], { maxBuffer: 64 << 20 })
  return JSON.parse(stdout) as T
}

async function startDaemon(): Promise<void> {
  const child = spawn(process.execPath, [cliEntry, 'serve', '--home', home, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (bytes: Buffer) => {
    output += bytes.toString()
  })
  child.stderr.on('data', (bytes: Buffer) => {
    output += bytes.toString()
  })
  daemon = child
  await waitFor(
    'the daemon to print its link',
    () => {
      if (child.exitCode !== null) throw new Error(`the daemon ended with ${child.exitCode}: ${output}`)
      return /http:\/\/127\.0\.0\.1:\d+/.test(output)
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

describe('kill -9 of the daemon in the middle of a push (S0.86, S0.88, F33)', () => {
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'ls-crash-'))
    await cli('demo', 'up', '--nodes', String(nodes))
  }, 120_000)

  afterAll(async () => {
    await endDaemon('SIGTERM')
    await cli('demo', 'down')
    await rm(home, { recursive: true, force: true })
  }, 120_000)

  it(
    `${rounds} rounds: every run ends under the id it had, nothing is left behind (seed ${seed})`,
    async () => {
      const random = randomFrom(seed)
      for (let round = 1; round <= rounds; round += 1) {
        const key = `crash-${seed}-${round}`
        await startDaemon()
        const { runs } = await cli<{ runs: Run[] }>('push', '--all', '--idempotency-key', key)
        expect(runs, `round ${round}`).toHaveLength(nodes)
        // The one wait by time in the suite, because a random moment is what is tested.
        await pause(random() * 1500)
        await endDaemon('SIGKILL')

        await startDaemon()
        const ids = runs.map((started) => started.id).sort()
        const again = await cli<{ runs: Run[] }>('push', '--all', '--wait', '--idempotency-key', key)
        expect(again.runs.map((finished) => finished.id).sort(), `round ${round}: the same runs`).toEqual(ids)
        expect(
          again.runs.map((finished) =>
            `${finished.nodeName} ${finished.status} ${finished.failure?.sentence ?? ''}`.trim(),
          ),
          `round ${round}`,
        ).toEqual(again.runs.map((finished) => `${finished.nodeName} succeeded`))
        await endDaemon('SIGTERM')
      }

      const audit = await cli<{ intact: boolean }>('audit', 'verify')
      expect(audit.intact).toBe(true)
      const fleet = await cli<{ locked: boolean; activeRunId: string | null; name: string }[]>('nodes', 'list')
      expect(fleet.filter((node) => node.locked || node.activeRunId !== null)).toEqual([])
      const demo = await cli<DemoStatus>('demo', 'status')
      const plans = await cli<{ spec: { push: { source: string; target: string } } }[]>('plans', 'list')
      const leg = plans[0]?.spec.push
      if (leg === undefined) throw new Error('the demo plan is gone')
      const wanted = await treeDigest(leg.source)
      for (const node of demo.nodes) {
        expect(await treeDigest(leg.target.replace(/^~/, join(node.directory, 'home'))), node.name).toBe(wanted)
      }
    },
    rounds * 60_000 + 60_000,
  )
})
