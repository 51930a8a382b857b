import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { computeTile } from '../../../src/core/fleet/health.ts'
import { createRunRig, type RunRig, writeTree } from '../../support/runRig.ts'
import { freePort, sshdMissing } from '../../support/sshd.ts'
import { waitFor } from '../../support/waitFor.ts'

describe.skipIf(sshdMissing !== null)(
  `when things go wrong${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`,
  () => {
    let rig: RunRig
    let source: string

    beforeAll(async () => {
      rig = await createRunRig()
      source = join(rig.local, 'source')
      await writeTree(source, { a: '1', b: '2' })
    })
    afterAll(() => rig.dispose())

    it('D13 an unreachable node ends at once, pending and not failed, without using up tries', async () => {
      const node = await rig.addNode({ port: await freePort() })
      await rig.plan({ push: { source, target: join(rig.remote, 'nowhere') } })
      const run = await rig.run({ node: node.name })
      expect(run).toMatchObject({ status: 'failed', failure: { code: 'CONNECTION_REFUSED' }, tries: 1 })
      const seen = await rig.freshNode(node.id)
      expect(seen).toMatchObject({
        status: 'pending_sync',
        consecutiveFailures: 0,
        reachability: { status: 'unreachable' },
        activeRunId: null,
      })
      expect(computeTile(seen, Date.now())).toMatchObject({ fill: 'unreachable', short: 'connection refused' })
      await rig.store.transact((transaction) => transaction.removeNode(node.id))
    })

    it('S1.74 an ordinary failure is tried three times in all, then the files are named (U34)', async () => {
      const target = join(rig.remote, 'blocked')
      // A directory that is not empty stands where a file has to go: exit code 23, even for root.
      await writeTree(target, { 'b/in-the-way': 'x' })
      await rig.plan({ push: { source, target } })
      const run = await rig.run()
      expect(run).toMatchObject({ status: 'failed', failure: { code: 'TRANSFER_INCOMPLETE' }, tries: 3, proof: null })
      expect(run.attempts.map((attempt) => attempt.status)).toEqual(['failed', 'failed', 'failed'])
      expect(run.failure?.evidence.join('\n')).toContain('b')
      expect(await rig.freshNode()).toMatchObject({ status: 'pending_sync', consecutiveFailures: 1, locked: false })
    })

    it('a source that keeps changing is never green (SOURCE_CHANGED)', async () => {
      const restless = join(rig.local, 'restless')
      await writeTree(restless, Object.fromEntries(Array.from({ length: 50 }, (_unused, index) => [`f${index}`, 'x'])))
      const writer = spawn('sh', ['-c', 'while :; do date +%N > "$0/f7"; done', restless], { stdio: 'ignore' })
      try {
        await rig.plan({
          push: { source: restless, target: join(rig.remote, 'restless') },
          verify: { mode: 'sample', files: 5 },
        })
        const run = await rig.run()
        expect(run).toMatchObject({ status: 'failed', failure: { code: 'SOURCE_CHANGED' }, tries: 3, proof: null })
        expect(run.failure?.evidence).toContain('f7')
      } finally {
        writer.kill('SIGKILL')
        await new Promise((resolve) => writer.once('exit', resolve))
      }
    })

    it('a dead rsync on the node in the middle of a transfer is tried again under the same run', async () => {
      const big = join(rig.local, 'big')
      await mkdir(big)
      await writeFile(join(big, 'file'), randomBytes(3 * 1024 * 1024))
      await rig.plan({ push: { source: big, target: join(rig.remote, 'big') }, bandwidthKiBps: 1024 })
      const queued = await rig.push()
      const pid = await waitFor('rsync on the node', async () => {
        for (const name of await readdir('/proc')) {
          const environment = await readFile(`/proc/${name}/environ`, 'latin1').catch(() => '')
          const command = await readFile(`/proc/${name}/cmdline`, 'latin1').catch(() => '')
          if (environment.includes(`LOCKSTEP_RUN=${queued.id}`) && command.startsWith('rsync\0--server'))
            return Number(name)
        }
        return null
      })
      process.kill(pid, 'SIGKILL')
      const run = await rig.until(queued.id)
      expect(run.failure?.evidence ?? []).toEqual([])
      expect(run).toMatchObject({ id: queued.id, status: 'succeeded', tries: 2 })
      expect(run.visits.filter((visit) => visit.state === 'PUSH_SYNC').map((visit) => visit.outcome)).toEqual([
        'retry',
        'done',
      ])
      expect(await readFile(join(rig.remote, 'big', 'file'))).toEqual(await readFile(join(big, 'file')))
      expect(await readdir(join(rig.remote, 'big'))).toEqual(['file'])
    })

    it('a target that cannot be made says why, before anything is sent (S0.63)', async () => {
      await rig.plan({ push: { source, target: '/sys/lockstep-test/deep' } })
      const run = await rig.run()
      expect(run).toMatchObject({ status: 'failed', tries: 1 })
      expect(['REMOTE_READ_ONLY', 'REMOTE_PERMISSION_DENIED']).toContain(run.failure?.code)
      expect(run.visits.map((visit) => visit.state)).not.toContain('PUSH_SYNC')
    })

    it('a plan that is removed while its run waits fails it with a clear cause', async () => {
      const plan = await rig.plan({ push: { source, target: join(rig.remote, 'x') } }, 'short-lived')
      const other = rig.makeService()
      await rig.service.stop()
      const { runs } = await other.push({
        idempotencyKey: 'removed-plan' as never,
        plans: ['short-lived'],
        targets: { kind: 'all' },
        trigger: 'operator',
        requestedBy: 't',
      })
      await rig.store.transact((transaction) => transaction.removePlan(plan.id))
      await rig.service.start()
      const [run] = runs
      if (run === undefined) throw new Error('no run')
      expect(await rig.until(run.id)).toMatchObject({ status: 'failed', failure: { code: 'NOT_FOUND' } })
    })
  },
)

describe.skipIf(sshdMissing !== null)('a node that lacks something', () => {
  it('without rsync says so before anything is sent (S0.61)', async () => {
    const bin = await mkdtemp(join(tmpdir(), 'ls-bin-'))
    // Everything the checks need, and no rsync.
    for (const name of [
      'sh',
      'dd',
      'head',
      'tr',
      'mkdir',
      'find',
      'wc',
      'df',
      'awk',
      'ls',
      'touch',
      'cat',
      'ps',
      'date',
    ]) {
      await symlink(
        execFileSync('sh', ['-c', `command -v ${name}`])
          .toString()
          .trim(),
        join(bin, name),
      )
    }
    const rig = await createRunRig({
      extraConfig: [`ForceCommand PATH=${bin}; export PATH; eval "$SSH_ORIGINAL_COMMAND"`],
    })
    try {
      await writeTree(join(rig.local, 's'), { a: '1' })
      await rig.plan({ push: { source: join(rig.local, 's'), target: join(rig.remote, 't') } })
      const run = await rig.run()
      expect(run).toMatchObject({ status: 'failed', failure: { code: 'REMOTE_PROGRAM_MISSING' }, tries: 1 })
    } finally {
      await rig.dispose()
      await rm(bin, { recursive: true })
    }
  })

  it('with a login shell that prints text is told apart from a broken rsync', async () => {
    const rig = await createRunRig({
      extraConfig: ['ForceCommand echo "welcome to this machine"; eval "$SSH_ORIGINAL_COMMAND"'],
    })
    try {
      await writeTree(join(rig.local, 's'), { a: '1' })
      await rig.plan({ push: { source: join(rig.local, 's'), target: join(rig.remote, 't') } })
      const run = await rig.run()
      expect(run).toMatchObject({ status: 'failed', failure: { code: 'SHELL_REFUSED' } })
      expect(run.failure?.evidence).toContain('welcome to this machine')
    } finally {
      await rig.dispose()
    }
  })
})
