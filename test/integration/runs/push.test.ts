import { existsSync, watch, writeFileSync } from 'node:fs'
import {
  chmod,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { computeTile } from '../../../src/core/fleet/health.ts'
import { createRunRig, type RunRig, writeTree } from '../../support/runRig.ts'
import { sshdMissing } from '../../support/sshd.ts'

/** Everything below a directory as text: types, modes, times, contents. Names as bytes: they need not be UTF-8. */
async function describeTree(directory: string, base = ''): Promise<string[]> {
  const lines: string[] = []
  const at = (relative: string): Buffer =>
    Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(relative, 'latin1')])
  for (const name of (await readdir(at(base), { encoding: 'latin1' })).sort()) {
    const relative = base === '' ? name : `${base}/${name}`
    const stats = await lstat(at(relative))
    const mode = (stats.mode & 0o777).toString(8)
    if (stats.isDirectory()) lines.push(`d ${mode} ${relative}`, ...(await describeTree(directory, relative)))
    else if (stats.isSymbolicLink()) lines.push(`l ${relative} -> ${await readlink(at(relative))}`)
    else
      lines.push(
        `f ${mode} ${Math.floor(stats.mtimeMs / 1000)} ${relative} ${(await readFile(at(relative))).toString('hex')}`,
      )
  }
  return lines
}

describe.skipIf(sshdMissing !== null)(
  `pushing a tree to a real node${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`,
  () => {
    let rig: RunRig
    let source: string
    let target: string
    let number = 0

    beforeAll(async () => {
      rig = await createRunRig()
    })
    afterAll(() => rig.dispose())

    beforeEach(async () => {
      number += 1
      source = join(rig.local, `source ${number}`)
      target = join(rig.remote, `target ${number}`)
      await mkdir(source)
    })

    it('S0.41 goes through all states, and the tile turns green by what was read back', async () => {
      await writeTree(source, { 'a.txt': 'one', 'sub/b.txt': 'two', 'empty/.keep': '' })
      await symlink('a.txt', join(source, 'link'))
      await chmod(join(source, 'a.txt'), 0o750)
      const plan = await rig.plan({ push: { source, target } })
      const run = await rig.run()
      expect([run.failure?.sentence, run.status]).toEqual([undefined, 'succeeded'])
      expect(run.visits.map((visit) => `${visit.state} ${visit.outcome}`)).toEqual([
        'INIT done',
        'ENSURE_CERT done',
        'ACQUIRE_LOCK done',
        'REGISTER_RUN done',
        'PRE_FLIGHT_CHECK done',
        'PUSH_SYNC done',
        'PULL_SYNC skipped',
        'VERIFY done',
        'REPORT done',
        'FINALIZE done',
      ])
      expect(await describeTree(target)).toEqual(await describeTree(source))
      expect(run.proof).toMatchObject({ filesVerified: 4 })
      expect(run.summary).toMatchObject({ filesTransferred: 3, filesDeleted: 0 })
      const node = await rig.freshNode()
      expect(node).toMatchObject({ status: 'active', activeRunId: null, locked: false, consecutiveFailures: 0 })
      expect(node.plans.find((state) => state.planId === plan.id)?.observed).toMatchObject({
        revision: plan.revision,
        digest: run.proof?.digest,
        runId: run.id,
      })
      expect(node.certificate).toMatchObject({ serial: run.certificateSerial })
      expect(node.certificate?.acceptedAt).not.toBeNull()
      expect(computeTile(node, Date.now()).fill).toBe('in-step')
      expect(await rig.store.listLocks()).toEqual([])
      const log = await rig.log(run.id)
      expect(log).toContain('$ rsync ')
      expect(log).toContain('a.txt')
      expect(run.logBytes).toBeGreaterThan(0)
    })

    it('D14 a second push transfers nothing and is verified again', async () => {
      await writeTree(source, { a: '1', 'b/c': '2' })
      await rig.plan({ push: { source, target } })
      const first = await rig.run()
      const second = await rig.run()
      expect(second).toMatchObject({
        status: 'succeeded',
        summary: { filesTransferred: 0 },
        proof: { filesVerified: 2, digest: first.proof?.digest },
      })
      expect(second.id).not.toBe(first.id)
    })

    it('delivers hostile names and never runs them', async () => {
      const names = [
        '-rf',
        '--delete',
        '; touch pwned',
        '$(touch pwned)',
        '`touch pwned`',
        'a b',
        'quo"te',
        "ap'os",
        'new\nline',
        'tab\there',
        'back\\slash',
        'hash\\#012',
        'ünï ☃ 漢',
        '*',
        '?',
        '[a]',
        '!bang',
        '{a,b}',
        '~',
        'x -> y',
        'trailing ',
        ' leading',
        '\u0001ctl',
        `${'n'.repeat(250)}.txt`,
        '.hidden',
        'cr\rname',
        '%s%n',
        '-',
      ]
      await writeTree(source, Object.fromEntries(names.map((name, index) => [name, `content ${index}`])))
      await writeTree(source, { 'dir; touch pwned/$(id)/f': 'deep' })
      await writeFile(Buffer.concat([Buffer.from(`${source}/`), Buffer.from([0x66, 0xff, 0xfe])]), 'not utf-8')
      await symlink('new\nline', join(source, 'link -> to'))
      const hostileTarget = join(rig.remote, `-t "$(touch pwned)" 'q'; touch pwned\nline ${number}`)
      await rig.plan({ push: { source, target: hostileTarget }, verify: { mode: 'full' } })
      const run = await rig.run()
      expect([run.failure, run.status]).toEqual([null, 'succeeded'])
      expect(run.proof?.filesVerified).toBe(names.length + 3)
      expect(await describeTree(hostileTarget)).toEqual(await describeTree(source))
      for (const directory of [rig.remote, join(rig.remote, 'home'), rig.local, process.cwd()])
        expect(await readdir(directory)).not.toContain('pwned')
    })

    it('D17 ~ is the home directory of the login user over there, never ours', async () => {
      await writeTree(source, { a: '1' })
      await rig.plan({ push: { source, target: `~/th timmy ${number}/deep` } })
      const run = await rig.run()
      expect([run.failure, run.status]).toEqual([null, 'succeeded'])
      expect(await readFile(join(rig.remote, 'home', `th timmy ${number}`, 'deep', 'a'), 'utf8')).toBe('1')
    })

    it('excludes are values, never options, and mean the same for verifying', async () => {
      await writeTree(source, {
        keep: '1',
        '!': 'kept out',
        'x.log': 'kept out',
        '+ y': 'kept out',
        '--delete': 'kept out',
        'cache/z': 'kept out',
      })
      await rig.plan({
        push: { source, target },
        excludes: ['!', '*.log', '+ y', '--delete', 'cache/'],
        verify: { mode: 'full' },
      })
      const run = await rig.run()
      expect(run).toMatchObject({ status: 'succeeded', proof: { filesVerified: 1 } })
      expect(await readdir(target)).toEqual(['keep'])
    })

    it('without delete nothing over there is ever removed', async () => {
      await writeTree(source, { a: '1' })
      await writeTree(target, { precious: 'kept' })
      await rig.plan({ push: { source, target } })
      expect((await rig.run()).status).toBe('succeeded')
      expect(await readFile(join(target, 'precious'), 'utf8')).toBe('kept')
    })

    it('S0.73 an empty push is green only by what the node says of its directory', async () => {
      await rig.plan({ push: { source, target } })
      const run = await rig.run()
      expect(run).toMatchObject({ status: 'succeeded', proof: { filesVerified: 0 } })
      await writeTree(target, { theirs: 'x' })
      const halted = await rig.run()
      await rig.service.approve(halted.id, 'source-empty', 'ann')
      const again = await rig.until(halted.id)
      expect(again.status).toBe('succeeded')
      expect(again.proof?.digest).not.toBe(run.proof?.digest)
    })

    it('with delete the target ends byte-identical, and excluded files stay', async () => {
      await writeTree(source, { a: '1', b: '2' })
      await writeTree(target, { old: 'gone', 'dir/old2': 'gone', 'keep.log': 'excluded' })
      await rig.plan({ push: { source, target }, delete: true, excludes: ['*.log'] })
      const run = await rig.run()
      expect(run).toMatchObject({ status: 'succeeded', summary: { filesDeleted: 2 } })
      expect((await readdir(target)).sort()).toEqual(['a', 'b', 'keep.log'])
    })

    it('S0.75 a file that keeps coming back after a push that deletes is not green, though no sample names it', async () => {
      await writeTree(source, { a: '1' })
      await writeTree(target, { a: '1', intruder: 'x' })
      // With excludes no count can tell.
      await rig.plan({
        push: { source, target },
        delete: true,
        excludes: ['*.log'],
        verify: { mode: 'sample', files: 1 },
      })
      const intruder = join(target, 'intruder')
      const watcher = watch(target, () => {
        if (!existsSync(intruder)) writeFileSync(intruder, 'back again')
      })
      try {
        expect(await rig.run()).toMatchObject({
          status: 'failed',
          failure: { code: 'VERIFY_MISMATCH', evidence: ['intruder'] },
        })
      } finally {
        watcher.close()
      }
    })

    it('a push that deletes and finds nothing to do asks rsync once and reads the files back', async () => {
      await writeTree(source, { a: '1', 'b/c': '2' })
      for (const mode of [{ mode: 'sample', files: 1 }, { mode: 'full' }] as const) {
        await rig.plan({ push: { source, target }, delete: true, verify: mode })
        const first = await rig.run()
        expect(first.status).toBe('succeeded')
        if (mode.mode === 'sample') expect(await rig.log(first.id)).toContain('last dry run')
        const run = await rig.run()
        expect(run).toMatchObject({
          status: 'succeeded',
          summary: { filesTotal: 2, filesTransferred: 0, filesDeleted: 0 },
          proof: { filesVerified: mode.mode === 'full' ? 2 : 1 },
        })
        const log = await rig.log(run.id)
        expect(log).toContain('no second rsync')
        expect(log).not.toContain('$ rsync ')
        expect(log).not.toContain('last dry run')
      }
      await writeTree(source, { a: '2' })
      expect(await rig.run()).toMatchObject({ status: 'succeeded', summary: { filesTransferred: 1 } })
      expect(await readFile(join(target, 'a'), 'utf8')).toBe('2')
    })

    it('a pull that deletes and finds nothing to do still reads every file back', async () => {
      const from = join(rig.remote, `from ${number}`)
      await writeTree(from, { a: '1', 'b/c': '2' })
      await rig.plan({
        pull: { source: from, target: join(rig.local, `into ${number}`) },
        delete: true,
        verify: { mode: 'full' },
      })
      expect(await rig.run()).toMatchObject({ status: 'succeeded', proof: { filesVerified: 2 } })
      const again = await rig.run()
      expect(again).toMatchObject({ status: 'succeeded', proof: { filesVerified: 2 } })
      expect(await rig.log(again.id)).toContain('no second rsync')
    })

    it('U35 F76 an empty source halts before anything is lost, and goes on only when a person says so', async () => {
      await writeTree(target, { precious: 'x' })
      await rig.plan({ push: { source, target }, delete: true })
      const halted = await rig.run()
      expect(halted).toMatchObject({ status: 'halted', halt: { reason: 'source-empty' } })
      expect(await readdir(target)).toEqual(['precious'])
      const node = await rig.freshNode()
      expect(node).toMatchObject({ haltedRunId: halted.id, activeRunId: null, locked: false })
      expect(computeTile(node, Date.now()).fill).toBe('halted')
      await expect(rig.service.approve(halted.id, 'mass-delete', 'ann')).rejects.toMatchObject({
        code: 'PRECONDITION_FAILED',
      })
      await rig.service.approve(halted.id, 'source-empty', 'ann')
      const done = await rig.until(halted.id)
      expect(done).toMatchObject({
        id: halted.id,
        status: 'succeeded',
        approvals: [{ reason: 'source-empty', by: 'ann' }],
      })
      expect(await readdir(target)).toEqual([])
      expect((await rig.freshNode()).haltedRunId).toBeNull()
    })

    it('N9 a mass delete halts with its preview; approved, exactly that is done', async () => {
      await writeTree(source, { keep: '1' })
      await writeTree(target, {
        keep: '1',
        ...Object.fromEntries(Array.from({ length: 30 }, (_unused, index) => [`old ${index}`, 'x'])),
      })
      await rig.plan({ push: { source, target }, delete: true })
      const halted = await rig.run()
      expect(halted).toMatchObject({
        status: 'halted',
        halt: { reason: 'mass-delete', deletePreview: { filesDeleted: 30 } },
      })
      expect(halted.halt?.deletePreview?.sample).toContain('old 7')
      expect(await readdir(target)).toHaveLength(31)
      await rig.service.approve(halted.id, 'mass-delete', 'ann')
      expect(await rig.until(halted.id)).toMatchObject({ status: 'succeeded', summary: { filesDeleted: 30 } })
      expect(await readdir(target)).toEqual(['keep'])
    })

    it('a halted run gives way to a later run of the same plan that succeeds', async () => {
      await writeTree(target, { precious: 'x' })
      await rig.plan({ push: { source, target } })
      const halted = await rig.run()
      expect(halted.status).toBe('halted')
      await writeTree(source, { precious: 'new' })
      expect((await rig.run()).status).toBe('succeeded')
      expect(await rig.store.getRun(halted.id)).toMatchObject({ status: 'canceled' })
      expect((await rig.freshNode()).haltedRunId).toBeNull()
    })

    it('S0.69 a file as source is refused', async () => {
      await writeTree(source, { file: 'x' })
      await rig.plan({ push: { source: join(source, 'file'), target } })
      expect(await rig.run()).toMatchObject({
        status: 'failed',
        failure: { code: 'SOURCE_NOT_A_DIRECTORY' },
        attempts: [{ status: 'failed' }],
      })
    })

    it('S0.61 a missing source and a file as target are refused in the pre-flight check', async () => {
      await rig.plan({ push: { source: join(source, 'nowhere'), target } })
      expect(await rig.run()).toMatchObject({ status: 'failed', state: 'FAILED', failure: { code: 'SOURCE_MISSING' } })
      await writeTree(source, { a: '1' })
      await writeFile(target, 'a file')
      await rig.plan({ push: { source, target } })
      expect(await rig.run()).toMatchObject({ status: 'failed', failure: { code: 'REMOTE_PATH_INVALID' } })
      expect(await readFile(target, 'utf8')).toBe('a file')
    })

    it('refuses a target that is a link to the home directory or the root', async () => {
      await writeTree(source, { a: '1' })
      await symlink('/', target)
      await rig.plan({ push: { source, target }, delete: true })
      expect(await rig.run()).toMatchObject({ status: 'failed', failure: { code: 'REMOTE_PATH_INVALID' } })
    })

    it('content that differs under an equal size and time is found, sent again and then proven', async () => {
      await writeTree(source, { a: 'good', b: 'fine' })
      await rig.plan({ push: { source, target } })
      await rig.run()
      const { atime, mtime } = await stat(join(source, 'a'))
      await writeFile(join(target, 'a'), 'evil')
      await utimes(join(target, 'a'), atime, mtime)
      const run = await rig.run()
      expect(run).toMatchObject({ status: 'succeeded', tries: 2 })
      expect(run.attempts[0]?.diagnosis).toMatchObject({ code: 'VERIFY_MISMATCH', evidence: ['a'] })
      expect(run.warnings).toContainEqual(expect.objectContaining({ code: 'CONTENT_DIFFERED' }))
      expect(await readFile(join(target, 'a'), 'utf8')).toBe('good')
    })

    it('reports progress, the last value always', async () => {
      await writeTree(
        source,
        Object.fromEntries(Array.from({ length: 20 }, (_unused, index) => [`f${index}`, 'x'.repeat(100_000)])),
      )
      await rig.plan({ push: { source, target } })
      const run = await rig.run()
      const last = rig.progress.filter((entry) => entry.runId === run.id).at(-1)?.progress
      expect(last).toMatchObject({ bytes: 2_000_000, direction: 'push' })
    })

    it('D12 three failed cycles in a row make an error, one success clears it', async () => {
      await rig.plan({ push: { source: join(source, 'nowhere'), target } })
      for (const [failures, status] of [
        [1, 'pending_sync'],
        [2, 'pending_sync'],
        [3, 'error'],
      ] as const) {
        await rig.run()
        expect(await rig.freshNode()).toMatchObject({ status, consecutiveFailures: failures })
      }
      await rm(source, { recursive: true })
      await mkdir(source)
      await writeTree(source, { a: '1' })
      await rig.plan({ push: { source, target } })
      const queued = await rig.push()
      expect((await rig.until(queued.id)).status).toBe('succeeded')
      expect(await rig.freshNode()).toMatchObject({ status: 'active', consecutiveFailures: 0, statusReason: null })
    })

    it('pulls back into a directory of the node (S0.72)', async () => {
      await writeTree(source, { a: '1' })
      await writeTree(join(rig.remote, `logs ${number}`), { 'x y': 'from the node', 'd/z\n': 'deep' })
      const copies = join(rig.local, `copies ${number}`, '{node}')
      await rig.plan({
        push: { source, target },
        pull: { source: join(rig.remote, `logs ${number}`), target: copies },
        verify: { mode: 'full' },
      })
      const run = await rig.run()
      expect([run.failure, run.status]).toEqual([null, 'succeeded'])
      expect(run.proof?.filesVerified).toBe(3)
      expect(await describeTree(copies.replace('{node}', rig.node.name))).toEqual(
        await describeTree(join(rig.remote, `logs ${number}`)),
      )
    })
  },
)
