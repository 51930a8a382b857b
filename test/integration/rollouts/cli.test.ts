import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Rollout, RolloutSettings } from '../../../src/shared/model/rollout.ts'
import type { Run } from '../../../src/shared/model/run.ts'

const cliEntry = join(import.meta.dirname, '../../../src/cli/main.ts')
let home: string

interface Said {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Without a daemon: the command does the work itself. */
function cli(...args: string[]): Promise<Said> {
  return new Promise((resolve) => {
    execFile(process.execPath, [cliEntry, ...args, '--home', home], { maxBuffer: 64 << 20 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    )
  })
}
const json = async <T>(...args: string[]): Promise<T> => JSON.parse((await cli(...args, '--json')).stdout) as T

describe('rollouts on the command line', () => {
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'ls-rollout-cli-'))
    expect((await cli('demo', 'up', '--nodes', '2')).code).toBe(0)
  }, 120_000)
  afterAll(async () => {
    await cli('demo', 'down')
    await rm(home, { recursive: true, force: true })
  }, 120_000)

  it('S1F.1 starts, waits for the end, and shows nodes by states; the same key is the same rollout', async () => {
    const start = ['rollouts', 'start', '--all', '--plan', 'demo-site', '--canary', '1', '--wait']
    const ended = await cli(...start, '--idempotency-key', 'rollout-of-a-test')
    expect(ended).toMatchObject({ code: 0, stdout: 'finished: 2 of 2 nodes verified\n' })
    const again = await json<Rollout>(...start, '--idempotency-key', 'rollout-of-a-test')
    const listed = await json<Rollout[]>('rollouts', 'list')
    expect(listed.map(({ id }) => id)).toEqual([again.id])
    const { rollout, runs } = await json<{ rollout: Rollout; runs: Run[] }>('rollouts', 'show', again.id)
    expect(rollout).toMatchObject({ status: 'finished', canaryEnd: 1, counts: { succeeded: 2 } })
    expect(runs).toHaveLength(2)
    const { stdout } = await cli('rollouts', 'show', again.id)
    expect(stdout).toMatch(/^NODE +PLAN +STATUS +INIT .* VERIFY +REPORT +FINALIZE +OUTCOME$/m)
    for (const run of runs) expect(stdout).toMatch(new RegExp(`^${run.nodeName} +demo-site +succeeded +ok`, 'm'))
  }, 120_000)

  it('S1F.1 says why nothing more can be done with one that is over, and 4', async () => {
    const [{ id } = { id: '' }] = await json<Rollout[]>('rollouts', 'list')
    for (const word of ['pause', 'resume', 'abort']) {
      const refused = await cli('rollouts', word, id)
      expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining('This rollout is finished') })
    }
    expect(await cli('rollouts', 'retry-failed', id)).toMatchObject({ code: 4 })
    expect(await cli('rollouts', 'show', '01900000-0000-7000-8000-000000000000')).toMatchObject({ code: 3 })
    expect(await cli('rollouts', 'show', '0190')).toMatchObject({ code: 3 })
    expect((await json<{ rollout: Rollout }>('rollouts', 'show', id.slice(0, 24))).rollout.id).toBe(id)
    expect(await cli('rollouts', 'pause', id.slice(0, 24))).toMatchObject({ code: 4 })
    expect(await cli('rollouts', 'show', 'not-an-id')).toMatchObject({ code: 2 })
  }, 120_000)

  it('S1.87 S1F.1 keeps how changes of the registry go out', async () => {
    const usual = await json<RolloutSettings>('rollouts', 'settings')
    expect(usual).toEqual({ canary: null, maxParallel: null, failureLimit: { kind: 'percent', percent: 25 } })
    await cli('rollouts', 'settings', '--canary', '5%', '--max-parallel', '50', '--failure-limit', 'none')
    expect(await json('rollouts', 'settings')).toEqual({
      canary: { kind: 'percent', percent: 5 },
      maxParallel: 50,
      failureLimit: null,
    })
    expect(await cli('rollouts', 'settings', '--canary', '0')).toMatchObject({ code: 2 })
  }, 120_000)
})
