import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FleetNode } from '../../../../src/shared/model/node.ts'
import type { CommitHash } from '../../../../src/shared/model/repository.ts'
import type { Run } from '../../../../src/shared/model/run.ts'
import {
  createRepositoryRig,
  type FakeFile,
  type RepositoryRig,
  sentinelOf,
  treeOf,
} from '../../../support/repositoryRig.ts'
import { sshdMissing } from '../../../support/sshd.ts'
import { startTcpProxy, type TcpProxy } from '../../../support/tcpProxy.ts'
import { waitFor } from '../../../support/waitFor.ts'

const seed = Number(process.env.CUT_SEED ?? Date.now() % 1_000_000)
const cuts = Number(process.env.CUTS ?? 50)

/** A small linear congruential generator: a failed cut can be had again with CUT_SEED. */
function randomFrom(start: number): () => number {
  let state = start
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
    return state / 4_294_967_296
  }
}

/** No process of these runs is left on the node, which is this machine. */
async function isQuiet(runIds: readonly string[]): Promise<boolean> {
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const environment = await readFile(`/proc/${name}/environ`, 'latin1').catch(() => '')
    if (runIds.some((id) => environment.includes(`LOCKSTEP_RUN=${id}`))) return false
  }
  return true
}

describe.skipIf(sshdMissing !== null)(
  `connections cut while a commit is delivered${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`,
  () => {
    let rig: RepositoryRig
    let proxy: TcpProxy
    let node: FleetNode
    const files: Record<string, FakeFile> = {}
    const trees = new Map<CommitHash, ReadonlyMap<string, string>>()
    const chance = randomFrom(seed)
    let commits = 0

    beforeAll(async () => {
      rig = await createRepositoryRig()
      proxy = await startTcpProxy(rig.rig.sshd)
      node = await rig.rig.addNode({ name: 'behind', address: proxy.address, port: proxy.port })
      for (let index = 0; index < 120; index += 1) files[`d${index % 9}/f${index}`] = randomBytes(3_000).toString('hex')
    })
    afterAll(async () => {
      await rig.dispose()
      await proxy.stop()
    })

    /** Two thirds of the files change, some go and some come. */
    const commit = async (): Promise<CommitHash> => {
      commits += 1
      for (const name of Object.keys(files)) if (chance() < 0.6) files[name] = randomBytes(3_000).toString('hex')
      for (const name of Object.keys(files).slice(0, 5)) delete files[name]
      for (let index = 0; index < 5; index += 1) files[`d${index}/new-${commits}-${index}`] = `${commits}`
      const made = await rig.repository.commit(files)
      trees.set(made, await treeOf(rig.repository.directoryOf(made)))
      return made
    }

    /** The one rule: where a sentinel stands, the tree is the one that it names. */
    const expectNoLie = async (directory: string): Promise<void> => {
      const said = await sentinelOf(directory)
      if (said === null) return
      const tree = trees.get(said.trim() as CommitHash)
      expect(tree, `the sentinel names ${said}`).toBeDefined()
      expect(await treeOf(directory), `the tree under ${said}`).toEqual(tree)
    }

    const cutRun = async (plan: string, bytes: number, directory: () => Promise<string[]>): Promise<Run> => {
      await proxy.set('pass')
      const run = await rig.push(plan, { node })
      proxy.cutAfter(bytes)
      const ended = await rig.rig.until(run.id)
      await waitFor('nothing of the run on the node', () => isQuiet([run.id]))
      for (const each of await directory()) await expectNoLie(each)
      await proxy.set('pass')
      return ended
    }

    const bytesOf = async (plan: string): Promise<number> => {
      const before = proxy.bytes
      const run = await rig.run(plan, { node })
      expect([run.failure, run.status]).toEqual([null, 'succeeded'])
      return proxy.bytes - before
    }

    const expectWhole = async (directory: string): Promise<void> => {
      expect(await sentinelOf(directory)).toBe(`${rig.repository.head}\n`)
      await expectNoLie(directory)
    }

    it('D16 at every tenth of a first transfer: no sentinel over a part of a tree, and the next run completes it', async () => {
      const deleteLimits = { maxShare: 1, freeFiles: 1_000 }
      await commit()
      const total = await bytesOf(await rig.plan(join(rig.rig.remote, 'measured'), { deleteLimits }))
      for (let tenth = 0; tenth <= 10; tenth += 1) {
        const target = join(rig.rig.remote, `tenth-${tenth}`)
        const plan = await rig.plan(target, { deleteLimits })
        const cut = await cutRun(plan, Math.round((total * tenth) / 10), async () => [target])
        if (tenth < 9) expect(cut.status, `cut at ${tenth} tenths`).toBe('failed')
        if (cut.status === 'failed') expect(await sentinelOf(target).catch(() => null)).toBeNull()
        const next = await rig.run(plan, { node })
        expect([next.failure, next.status]).toEqual([null, 'succeeded'])
        await expectWhole(target)
      }
    }, 300_000)

    it(
      `D16 ${cuts} cuts at random points of an update: never a sentinel over another tree (seed ${seed})`,
      async () => {
        const random = randomFrom(seed)
        const target = join(rig.rig.remote, 'updated')
        const plan = await rig.plan(target, { deleteLimits: { maxShare: 1, freeFiles: 1_000 } })
        await commit()
        await rig.run(plan, { node })
        await commit()
        const total = await bytesOf(plan)
        const outcomes: string[] = []
        for (let cut = 1; cut <= cuts; cut += 1) {
          await commit()
          const run = await cutRun(plan, Math.round(random() * total * 1.05), async () => [target])
          outcomes.push(`${run.status} in ${run.visits.at(-2)?.state ?? '-'}`)
          // Every other time the next commit comes over what the cut one left.
          if (random() < 0.5) await commit()
          const next = await rig.run(plan, { node })
          expect([next.failure, next.status], `cut ${cut}`).toEqual([null, 'succeeded'])
          await expectWhole(target)
        }
        // What was cut was cut in the middle of something, most of the time.
        expect(outcomes.filter((outcome) => outcome.startsWith('failed')).length).toBeGreaterThan(cuts / 2)
      },
      cuts * 20_000,
    )

    it('D16 cuts while a release is made: current points at a whole tree at any time', async () => {
      const random = randomFrom(seed + 1)
      const target = join(rig.rig.remote, 'releases-cut')
      const plan = await rig.plan(target, { strategy: { kind: 'release', keep: 3 } })
      await commit()
      await rig.run(plan, { node })
      await commit()
      const total = await bytesOf(plan)
      const whole = async (): Promise<string[]> => {
        const names = await readdir(join(target, 'releases'))
        return [join(target, 'current'), ...names.map((name) => join(target, 'releases', name))]
      }
      for (let cut = 1; cut <= Math.ceil(cuts / 3); cut += 1) {
        await commit()
        await cutRun(plan, Math.round(random() * total * 1.05), whole)
        expect(await sentinelOf(join(target, 'current'))).not.toBeNull()
        const next = await rig.run(plan, { node })
        expect([next.failure, next.status], `cut ${cut}`).toEqual([null, 'succeeded'])
        await expectWhole(join(target, 'current'))
      }
      expect((await readdir(join(target, 'releases'))).length).toBe(3)
    }, 600_000)
  },
)
