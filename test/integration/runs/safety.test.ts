import { chmod, mkdir, readFile, rm, stat, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { computeTile } from '../../../src/core/fleet/health.ts'
import type { PlanExecutor } from '../../../src/engine/runs/executor.ts'
import { createRunRig, type RunRig, writeTree } from '../../support/runRig.ts'
import { sshdMissing } from '../../support/sshd.ts'

describe.skipIf(sshdMissing !== null)(
  `what must never be green or lost${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`,
  () => {
    let rig: RunRig

    beforeAll(async () => {
      rig = await createRunRig()
    })
    afterAll(() => rig.dispose())

    const fillNow = async (): Promise<string> => computeTile(await rig.freshNode(), Date.now()).fill

    it('a plan whose files another plan has deleted is not green any more', async () => {
      const outer = join(rig.local, 'outer')
      const inner = join(rig.local, 'inner')
      const target = join(rig.remote, 'nested')
      await writeTree(outer, { a: '1' })
      await writeTree(inner, { b: '2' })
      await rig.plan({ push: { source: outer, target }, delete: true }, 'outer')
      await rig.plan({ push: { source: inner, target: join(target, 'inner') } }, 'inner')
      expect(await rig.run({ plan: 'outer' })).toMatchObject({ status: 'succeeded' })
      expect(await rig.run({ plan: 'inner' })).toMatchObject({ status: 'succeeded' })
      expect(await rig.run({ plan: 'outer' })).toMatchObject({ status: 'succeeded', summary: { filesDeleted: 1 } })
      expect(await fillNow()).toBe('pending')
    })

    it('U35 deletes grown since a person approved them ask again', async () => {
      const source = join(rig.local, 'few')
      const target = join(rig.remote, 'many')
      const files = (from: number, to: number): Record<string, string> =>
        Object.fromEntries(Array.from({ length: to - from }, (_, index) => [`f${from + index}`, 'x']))
      await writeTree(source, { keep: '1' })
      await writeTree(target, files(0, 20))
      await rig.plan({ push: { source, target }, delete: true }, 'shrink')
      const halted = await rig.run({ plan: 'shrink' })
      expect(halted).toMatchObject({ status: 'halted', halt: { deletePreview: { filesDeleted: 20 } } })
      await writeTree(target, files(20, 40))
      await rig.service.approve(halted.id, 'mass-delete', 'tester')
      const again = await rig.until(
        halted.id,
        (run) => run.halt?.deletePreview?.filesDeleted === 40 || run.status === 'succeeded',
      )
      expect(again).toMatchObject({ status: 'halted' })
      expect(await readFile(join(target, 'f0'), 'utf8')).toBe('x')
      await rig.service.approve(halted.id, 'mass-delete', 'tester')
      expect(await rig.until(halted.id, (run) => run.status === 'succeeded')).toMatchObject({ status: 'succeeded' })
    })

    it('U35 a target that holds the home directory of the login user is refused', async () => {
      const source = join(rig.local, 'whole')
      await writeTree(source, { a: '1' })
      await mkdir(join(rig.remote, 'home'), { recursive: true })
      await rig.plan({ push: { source, target: rig.remote } }, 'around home')
      expect(await rig.run({ plan: 'around home' })).toMatchObject({
        status: 'failed',
        failure: { code: 'REMOTE_PATH_INVALID' },
      })
    })

    it('N9 directories of a node do not dilute the share of files that a pull deletes here', async () => {
      const from = join(rig.remote, 'diluting')
      const into = join(rig.local, 'diluted')
      for (let index = 0; index < 60; index += 1) {
        await mkdir(join(from, `d${index}`), { recursive: true })
        await mkdir(join(into, `d${index}`), { recursive: true })
      }
      await writeTree(from, { kept: '1' })
      await writeTree(into, Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`old${index}`, 'x'])))
      await rig.plan({ pull: { source: from, target: into }, delete: true }, 'diluted')
      expect(await rig.run({ plan: 'diluted' })).toMatchObject({
        status: 'halted',
        halt: { reason: 'mass-delete', deletePreview: { filesDeleted: 12, filesOnTarget: 12 } },
      })
      expect(await readFile(join(into, 'old0'), 'utf8')).toBe('x')
    })

    it('N9 directories do not dilute the share of files that a push deletes either', async () => {
      const from = join(rig.local, 'thinned')
      const into = join(rig.remote, 'thinned')
      const directories = Array.from({ length: 60 }, (_, index) => `d${index}`)
      for (const root of [from, into]) {
        for (const name of directories) await mkdir(join(root, name), { recursive: true })
      }
      await writeTree(from, { kept: '1' })
      const old = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`old${index}`, 'x']))
      await writeTree(into, { kept: '1', ...old })
      await rig.plan({ push: { source: from, target: into }, delete: true }, 'thinned')
      expect(await rig.run({ plan: 'thinned' })).toMatchObject({
        status: 'halted',
        halt: { reason: 'mass-delete', deletePreview: { filesDeleted: 12, filesOnTarget: 13 } },
      })
      expect(await readFile(join(into, 'old0'), 'utf8')).toBe('x')
    })

    it('a program that is pulled does not run as its owner here', async () => {
      const from = join(rig.remote, 'programs')
      const into = join(rig.local, 'programs')
      await writeTree(from, { tool: '#!/bin/sh', 'dir/x': '1' })
      await chmod(join(from, 'tool'), 0o6755)
      await chmod(join(from, 'dir'), 0o2755)
      await rig.plan({ pull: { source: from, target: into }, verify: { mode: 'full' }, delete: true }, 'programs')
      for (let round = 0; round < 2; round += 1) {
        const run = await rig.run({ plan: 'programs' })
        expect([run.failure, run.status, run.tries]).toEqual([null, 'succeeded', 1])
        expect((await stat(join(into, 'tool'))).mode & 0o7777).toBe(0o755)
        expect((await stat(join(into, 'dir'))).mode & 0o7777).toBe(0o755)
      }
    })

    it('a second node never overwrites the copy that was pulled from the first', async () => {
      const logs = join(rig.remote, 'logs')
      const copy = join(rig.local, 'copy')
      await writeTree(logs, { a: '1' })
      await rig.plan({ pull: { source: logs, target: copy } }, 'shared copy')
      expect(await rig.run({ plan: 'shared copy' })).toMatchObject({ status: 'succeeded' })
      await rm(join(logs, 'a'))
      await writeTree(logs, { b: '2' })
      const second = await rig.addNode({ name: 'second' })
      expect(await rig.run({ plan: 'shared copy', node: second.name })).toMatchObject({
        status: 'failed',
        failure: { code: 'PRECONDITION_FAILED' },
      })
      expect(await readFile(join(copy, 'a'), 'utf8')).toBe('1')
    })

    it('S0.46 two runs never write one local directory at once, whatever nodes they are for', async () => {
      const from = join(rig.remote, 'pulled by two')
      const copies = join(rig.local, 'pulled by two')
      await writeTree(from, { big: 'x'.repeat(128 * 1024) })
      const other = await rig.addNode({ name: 'other' })
      await mkdir(join(copies, rig.node.name), { recursive: true })
      await symlink(rig.node.name, join(copies, other.name))
      const target = join(copies, '{node}')
      await rig.plan({ pull: { source: from, target }, bandwidthKiBps: 64 }, 'pulled by two')
      const first = await rig.push({ plan: 'pulled by two' })
      await rig.until(first.id, (run) => run.state === 'PULL_SYNC')
      const second = await rig.push({ plan: 'pulled by two', node: other.name })
      const [ended, waited] = await Promise.all([rig.until(first.id), rig.until(second.id)])
      expect([ended.status, waited.status]).toEqual(['succeeded', 'succeeded'])
      const locked = waited.visits.find((visit) => visit.state === 'ACQUIRE_LOCK')
      expect(locked?.leftAt).toBeGreaterThanOrEqual(ended.finishedAt ?? Number.POSITIVE_INFINITY)
      expect(await rig.log(waited.id)).toContain('waiting: ')
      expect(await rig.store.listLocks()).toEqual([])
    })

    it('S0.46 a directory that two plans spell in two ways is locked once', async () => {
      const { user, name } = rig.node
      const home = user === 'root' ? '/root' : `/home/${user}`
      const from = join(rig.remote, 'home', 'spelled')
      await writeTree(from, { big: 'x'.repeat(128 * 1024) })
      await rig.plan(
        { pull: { source: '~/spelled', target: join(rig.local, 'spelled/{node}') }, bandwidthKiBps: 64 },
        'below home',
      )
      await rig.plan({ pull: { source: `${home}/spelled`, target: join(rig.local, 'absolute/{node}') } }, 'absolute')
      const first = await rig.push({ plan: 'below home', node: name })
      await rig.until(first.id, (run) => run.state === 'PULL_SYNC')
      const second = await rig.push({ plan: 'absolute', node: name })
      const [ended, waited] = await Promise.all([rig.until(first.id), rig.until(second.id)])
      expect(ended.status).toBe('succeeded')
      const locked = waited.visits.find((visit) => visit.state === 'ACQUIRE_LOCK')
      expect(locked?.leftAt).toBeGreaterThanOrEqual(ended.finishedAt ?? Number.POSITIVE_INFINITY)
      expect(await rig.log(waited.id)).toContain('waiting: ~/spelled is locked')
      expect(await rig.store.listLocks()).toEqual([])
    })

    it('S1.77 a proof is void when another plan has written there, also where it spells the place another way', async () => {
      const home = rig.node.user === 'root' ? '/root' : `/home/${rig.node.user}`
      const source = join(rig.local, 'two ways')
      await writeTree(source, { a: '1' })
      await rig.plan({ push: { source, target: '~/two-ways' } }, 'below home')
      await rig.plan({ push: { source, target: `${home}/two-ways/inner` } }, 'absolute')
      await rig.plan({ push: { source, target: `${home}/two-ways2` } }, 'beside')
      await rig.service.stop()
      const service = rig.makeService(rig.store, { executors: { tree: pretendingExecutor } })
      await service.start()
      const reasonOf = async (planName: string) =>
        (await rig.freshNode()).plans.find((each) => each.planName === planName)?.driftReason?.short ?? null
      for (const plan of ['below home', 'beside'])
        expect(await rig.run({ plan }, service)).toMatchObject({ status: 'succeeded' })
      expect(await reasonOf('below home')).toBeNull()
      expect(await rig.run({ plan: 'absolute' }, service)).toMatchObject({ status: 'succeeded' })
      expect(await reasonOf('below home')).toBe('overwritten by plan')
      expect(await reasonOf('beside')).toBeNull()
      await service.stop()
    })
  },
)

/** Says that it has sent a file and read it back, and touches nothing: for places that a test must not write to. */
const pretendingExecutor: PlanExecutor<unknown> = {
  createMemory: () => null,
  lockTargets: async () => [],
  preflight: async () => ({ kind: 'done' }),
  push: async () => ({
    kind: 'done',
    patch: {
      summary: {
        filesTotal: 1,
        filesTransferred: 1,
        filesDeleted: 0,
        bytesTotal: 1,
        bytesTransferred: 1,
        durationMs: 0,
      },
    },
  }),
  pull: async () => ({ kind: 'skipped' }),
  verify: async ({ run }) => ({
    kind: 'done',
    patch: {
      proof: {
        digest: 'a'.repeat(64),
        filesVerified: 1,
        verify: { mode: 'full' },
        verifiedAt: Date.now(),
        certificateSerial: run.certificateSerial,
      },
    },
  }),
  cleanUp: async () => undefined,
  stop: async () => null,
}
