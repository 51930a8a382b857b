import { spawnSync } from 'node:child_process'
import { appendFile, chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { withSection } from '../../../src/core/sshd/managedBlock.ts'
import { createStorageService } from '../../../src/engine/fleet/storageService.ts'
import type { SshPool } from '../../../src/engine/ports.ts'
import { changeSshd } from '../../../src/engine/sshd/change.ts'
import { inspectSshd } from '../../../src/engine/sshd/inspect.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { createLogging } from '../../../src/platform/logger.ts'
import { StorageSettings } from '../../../src/shared/model/storage.ts'
import { createRunRig, type RigOptions, type RunRig } from '../../support/runRig.ts'
import { sshdMissing } from '../../support/sshd.ts'
import { waitFor } from '../../support/waitFor.ts'

const title = `bad worlds of an sshd change${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`
const asRoot = process.getuid?.() === 0

describe.skipIf(sshdMissing !== null)(title, () => {
  const rigs: RunRig[] = []
  const mounts: string[] = []
  const rigWith = async (options: RigOptions = {}): Promise<RunRig> => {
    const rig = await createRunRig(options)
    rigs.push(rig)
    return rig
  }
  const path = (rig: RunRig, name: string): string => join(rig.sshd.directory, name)
  const config = (rig: RunRig): Promise<string> => readFile(path(rig, 'sshd_config'), 'utf8')
  /** While sshd reads its configuration again it listens to nobody, and the node may do that by itself at any moment. */
  const letsUsIn = (rig: RunRig) =>
    waitFor('sshd lets us in', () => rig.pool.login(rig.node, { timeoutMs: 10_000, fresh: true }))
  const left = async (rig: RunRig): Promise<string[]> =>
    (await readdir(rig.sshd.directory)).filter((name) => name.startsWith('.lockstep-'))
  const changeNode = async (rig: RunRig, sshd: object): Promise<void> => {
    const node = await rig.freshNode()
    await rig.store.transact((transaction) => transaction.saveNode({ ...node, sshd: { ...node.sshd, ...sshd } }))
  }
  /** @returns false where this system does not let us */
  const mountAt = (directory: string, options: string): boolean => {
    const done = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'lockstep-test', directory])
    if (done.status === 0) mounts.push(directory)
    return done.status === 0
  }

  afterEach(async () => {
    for (const directory of mounts.splice(0)) spawnSync('umount', ['-l', directory])
    await Promise.all(rigs.splice(0).map((rig) => rig.dispose()))
  })

  it('S0.25 what sshd -t refuses never counts, and its reason is shown', async () => {
    const rig = await rigWith()
    const picky = path(rig, 'picky-sshd')
    const script = `#!/bin/sh\nif [ "$1" = -t ] && grep -q RevokedKeys "$3"; then echo "line 4: not on my machine" >&2; exit 255; fi\nexec /usr/sbin/sshd "$@"\n`
    await writeFile(picky, script, { mode: 0o755 })
    await changeNode(rig, { program: picky })
    const before = await config(rig)
    await rig.planOf('krl')
    const run = await rig.run({ plan: 'krl' })
    expect(run).toMatchObject({ status: 'failed', failure: { code: 'SSHD_CONFIG_REFUSED' } })
    expect(run.failure?.sentence).toContain('not on my machine')
    expect(await config(rig)).toBe(before)
    expect(await left(rig)).toEqual([])
    await letsUsIn(rig)
  })

  it('an sshd that does not come back to a reload gets its old configuration back', async () => {
    const rig = await rigWith()
    await changeNode(rig, { reload: { kind: 'pid-file', file: path(rig, 'other-pid') } })
    // Somebody who ignores SIGHUP: nothing is ever read again.
    const deaf = spawnSync('sh', [
      '-c',
      `(trap '' HUP; exec sleep 60) >/dev/null 2>&1 & echo $! > ${path(rig, 'other-pid')}`,
    ])
    expect(deaf.status).toBe(0)
    const before = await config(rig)
    await rig.planOf('krl')
    const run = await rig.run({ plan: 'krl' })
    expect(run).toMatchObject({ status: 'failed', failure: { code: 'SSHD_CONFIG_REFUSED' } })
    expect(await config(rig)).toBe(before)
    await letsUsIn(rig)
    process.kill(Number(await readFile(path(rig, 'other-pid'), 'utf8')), 'SIGKILL')
  }, 180_000)

  it('S0.25 works through sudo, which forgets the environment of the login', async () => {
    const rig = await rigWith()
    const bin = join(rig.directory, 'bin')
    await mkdir(bin)
    await writeFile(join(bin, 'id'), '#!/bin/sh\necho 1000\n', { mode: 0o755 })
    const sudo = `#!/bin/sh\n[ "$1" = -n ] || exit 1\nshift\necho sudo >>${rig.directory}/used\nexec env -i PATH=/usr/bin:/bin "$@"\n`
    await writeFile(join(bin, 'sudo'), sudo, { mode: 0o755 })
    const text = await config(rig)
    await writeFile(
      path(rig, 'sshd_config'),
      text.replace('SetEnv SHLVL=5', `SetEnv PATH=${bin}:/usr/bin:/bin SHLVL=5`),
    )
    process.kill(Number(await readFile(path(rig, 'pid'), 'utf8')), 'SIGHUP')
    await waitFor('the new sshd', async () => {
      rig.pool.drop(rig.node.id)
      return Buffer.from((await rig.pool.exec(rig.node, 'id -u', { timeoutMs: 5_000 })).stdout).toString() === '1000\n'
    })
    await rig.planOf('krl')
    expect((await rig.run({ plan: 'krl' })).failure).toBeNull()
    expect(await readFile(join(rig.directory, 'used'), 'utf8')).toContain('sudo\nsudo\n')
  })

  it('names a pid file that means nobody, before anything is written', async () => {
    const rig = await rigWith()
    await changeNode(rig, { reload: { kind: 'pid-file', file: path(rig, 'no-such-pid') } })
    await rig.planOf('krl')
    const run = await rig.run({ plan: 'krl' })
    expect(run).toMatchObject({ status: 'failed', failure: { short: 'no way to reload' } })
    expect(run.visits.some(({ state }) => state === 'PUSH_SYNC')).toBe(false)
  })

  it('a shell that prints text of its own, and forged answers, are not believed', async () => {
    const noise = 'printf "hello\\nlockstep-00000000000000000000000000000000 valid 796573\\nno line end"'
    const rig = await rigWith({ extraConfig: [`ForceCommand ${noise}; sh -c "$SSH_ORIGINAL_COMMAND"`] })
    await rig.planOf('krl')
    // What the shell prints goes before the time, too: the pool cannot measure the clock, and says nothing of it.
    const run = await rig.run({ plan: 'krl' })
    expect(run.failure).toBeNull()
  })

  it.skipIf(!asRoot)('a full disk and a read-only one change nothing (skipped without root)', async () => {
    const rig = await rigWith()
    const directory = path(rig, 'etc')
    await mkdir(directory)
    if (!mountAt(directory, 'size=4m,mode=0755')) return console.warn('skipped: mounts are not permitted here')
    await writeFile(join(directory, 'sshd_config'), await config(rig))
    await changeNode(rig, { configFile: join(directory, 'sshd_config') })
    await expect(writeFile(join(directory, 'filler'), Buffer.alloc(8 * 1024 * 1024))).rejects.toThrow('ENOSPC')
    const before = await readFile(join(directory, 'sshd_config'), 'utf8')
    await rig.planOf('krl', { file: join(directory, 'lockstep.krl') })
    expect(await rig.run({ plan: 'krl' })).toMatchObject({ status: 'failed', failure: { code: 'REMOTE_DISK_FULL' } })
    await rm(join(directory, 'filler'))
    expect(spawnSync('mount', ['-o', 'remount,ro', directory]).status).toBe(0)
    expect(await rig.run({ plan: 'krl' })).toMatchObject({ status: 'failed', failure: { code: 'REMOTE_READ_ONLY' } })
    expect(await readFile(join(directory, 'sshd_config'), 'utf8')).toBe(before)
    expect((await readdir(directory)).sort()).toEqual(['sshd_config'])
    await letsUsIn(rig)
  })

  it('a change that a killed engine left undecided is decided by the next run, and not taken back under it', async () => {
    const rig = await rigWith()
    const before = await inspectSshd(rig.pool, rig.node, {
      files: { list: path(rig, 'lockstep.krl') },
      timeoutMs: 20_000,
    })
    const { bytes } = await rig.pki.revocations.current()
    const file = before.files.get('list')
    if (file === undefined) throw new Error('not asked')
    const text = withSection(before.config.content ?? '', 'krl', [`RevokedKeys ${file.path}`])
    const never = changeSshd(
      rig.pool,
      rig.node,
      {
        files: [{ before: file, content: bytes }],
        config: { before: before.config, content: Buffer.from(text) },
        reload: false,
        label: 'krl',
      },
      { confirmWithinMs: 6_000, timeoutMs: 20_000, prove: () => new Promise(() => undefined), log: () => undefined },
    )
    never.catch(() => undefined)
    await waitFor('the change', async () => (await config(rig)) === text)
    await rig.planOf('krl')
    const run = await rig.run({ plan: 'krl' })
    expect(run.failure).toBeNull()
    expect(await rig.log(run.id)).toContain('left undecided')
    // Its watchdog is gone once it has seen the decision.
    await waitFor('the end of the watchdog', () => {
      const alive = spawnSync('pgrep', ['-f', `${rig.sshd.directory}/lockstep-backup/.*/watchdog.sh`])
      return alive.status === 1
    })
    expect(await config(rig)).toBe(text)
    await letsUsIn(rig)
  })

  it('F55 a deleted list locks everybody out; an open connection repairs it, and without one it is said plainly', async () => {
    const rig = await rigWith()
    await rig.planOf('krl')
    expect((await rig.run({ plan: 'krl' })).failure).toBeNull()
    await rm(path(rig, 'lockstep.krl'))
    const identity = await rig.trust.identities.ensure(rig.node, 'automation')
    const attempt = () => rig.loginProbe.attempt(rig.node, identity, { timeoutMs: 10_000 })
    expect((await attempt()).status).toBe('refused')
    const repaired = await rig.run({ plan: 'krl' })
    expect(repaired.failure).toBeNull()
    expect((await attempt()).status).toBe('accepted')

    await rm(path(rig, 'lockstep.krl'))
    rig.pool.drop(rig.node.id)
    const lost = await rig.run({ plan: 'krl' })
    expect(lost).toMatchObject({ status: 'failed', failure: { code: 'PRINCIPAL_NOT_LISTED' } })
  })

  it('F56 another list wins over ours by Match: nothing turns green', async () => {
    const rig = await rigWith()
    expect(spawnSync('ssh-keygen', ['-k', '-f', path(rig, 'empty')]).status).toBe(0)
    await appendFile(
      path(rig, 'sshd_config'),
      `Match LocalPort ${rig.sshd.port}\n  RevokedKeys ${path(rig, 'empty')}\n`,
    )
    await rig.planOf('krl')
    const run = await rig.run({ plan: 'krl' })
    expect(run).toMatchObject({ status: 'failed', failure: { short: 'another setting wins' } })
    expect((await rig.freshNode()).krl).toBeNull()
  })

  it('F56 an sshd that only claims to obey lets the revoked certificate in, and that is seen', async () => {
    const rig = await rigWith()
    expect(spawnSync('ssh-keygen', ['-k', '-f', path(rig, 'empty')]).status).toBe(0)
    await appendFile(path(rig, 'sshd_config'), `Match User *\n  RevokedKeys ${path(rig, 'empty')}\n`)
    const liar = path(rig, 'lying-sshd')
    const script = `#!/bin/sh\nif [ "$1" = -T ]; then echo "revokedkeys ${path(rig, 'lockstep.krl')}"; exit 0; fi\nexec /usr/sbin/sshd "$@"\n`
    await writeFile(liar, script, { mode: 0o755 })
    await changeNode(rig, { program: liar })
    await rig.planOf('krl')
    const run = await rig.run({ plan: 'krl' })
    expect(run).toMatchObject({ status: 'failed', failure: { code: 'REVOCATION_NOT_PROVEN' } })
    const node = await rig.freshNode()
    expect(node.krl).toBeNull()
    expect(node.status).not.toBe('active')
  })

  it('a connection cut at any call leaves the old state or the new one, and an sshd that lets us in', async () => {
    const wanted = StorageSettings.parse({ user: 'root', breakGlass: { kind: 'console', note: 'KVM' } })
    for (let cut = 1; cut <= 9; cut += 1) {
      const rig = await rigWith()
      let calls = 0
      const cutting: SshPool = {
        ...rig.pool,
        login: (node, options) => rig.pool.login(node, options),
        exec: (node, command, options) => {
          calls += 1
          const running = rig.pool.exec(node, command, options)
          if (calls !== cut + 3) return running
          // As if this machine had died the moment the command was on its way; nobody of us ever confirms.
          setImmediate(() => rig.pool.drop(node.id))
          return running.then(() => Promise.reject(new Error('we are dead')))
        },
      }
      const storage = createStorageService({
        store: rig.store,
        clock: systemClock,
        sshPool: cutting,
        identities: rig.trust.identities,
        authorities: rig.pki.authorities,
        probes: rig.pki.probes,
        loginProbe: rig.loginProbe,
        logger: createLogging({ level: 'fatal', sinks: [] }).logger,
        confirmWithinMs: 1_000,
      })
      const before = await config(rig)
      const { digest } = await storage.preview(rig.node.name, wanted)
      const outcome = await storage.apply(rig.node.name, wanted, { previewDigest: digest, operator: 'x' }).then(
        () => 'applied',
        () => 'failed',
      )
      const after = await waitFor('a state that stays', async () => {
        const pending = (await readdir(path(rig, 'lockstep-backup')).catch(() => [])).map(async (name) =>
          readdir(join(path(rig, 'lockstep-backup'), name)).then((found) => found.includes('decided')),
        )
        const decided = (await Promise.all(pending)).every((done) => done)
        return decided ? await config(rig) : null
      })
      const complete = after === before || (await readFile(path(rig, 'ca/trusted_user_ca.pub'), 'utf8')) !== ''
      expect({ cut, outcome, complete }).toMatchObject({ cut, complete: true })
      if (outcome === 'failed' && (await rig.freshNode()).storage !== null) throw new Error('saved what is not proven')
      await letsUsIn(rig)
      if (calls < cut + 3) break
    }
  }, 180_000)

  it.skipIf(!asRoot)(
    'D4 a storage user of its own logs in with principal sync-agent (skipped without root)',
    async () => {
      const rig = await rigWith()
      await chmod(rig.sshd.directory, 0o755)
      await mkdir(path(rig, 'by-user'))
      await writeFile(path(rig, 'by-user/root'), 'sync-agent\n')
      const text = await config(rig)
      await writeFile(
        path(rig, 'sshd_config'),
        text.replace(/AuthorizedPrincipalsFile .*/, 'AuthorizedPrincipalsFile %h/.principals'),
      )
      const storage = createStorageService({
        store: rig.store,
        clock: systemClock,
        sshPool: rig.pool,
        identities: rig.trust.identities,
        authorities: rig.pki.authorities,
        probes: rig.pki.probes,
        loginProbe: rig.loginProbe,
        logger: createLogging({ level: 'fatal', sinks: [] }).logger,
      })
      const wanted = StorageSettings.parse({ user: 'games', breakGlass: { kind: 'console', note: 'KVM' } })
      const preview = await storage.preview(rig.node.name, wanted)
      expect(preview.blockers).toEqual([])
      expect(preview.warnings.join('\n')).toContain('%h/.principals')
      const node = await storage.apply(rig.node.name, wanted, { previewDigest: preview.digest, operator: 'x' })
      const identity = await rig.trust.identities.ensure(node, 'automation')
      const as = (user: string) => rig.loginProbe.attempt(node, identity, { timeoutMs: 10_000, user })
      expect((await as('games')).status).toBe('accepted')
      expect((await as('backup')).status).toBe('refused')
    },
  )

  it('U10 clock skew both ways is a blocker with the measured seconds', async () => {
    const rig = await rigWith()
    const wanted = StorageSettings.parse({ user: 'root', breakGlass: { kind: 'console', note: 'KVM' } })
    for (const [clockSkewMs, code, words] of [
      [-90_000, 'CERTIFICATE_NOT_YET_VALID', '90 s behind'],
      [7_200_000, 'CERTIFICATE_EXPIRED', '7200 s ahead'],
    ] as const) {
      const storage = createStorageService({
        store: rig.store,
        clock: systemClock,
        sshPool: {
          ...rig.pool,
          exec: (...all) => rig.pool.exec(...all),
          login: async (...all) => ({ ...(await rig.pool.login(...all)), clockSkewMs }),
        },
        identities: rig.trust.identities,
        authorities: rig.pki.authorities,
        probes: rig.pki.probes,
        loginProbe: rig.loginProbe,
        logger: createLogging({ level: 'fatal', sinks: [] }).logger,
      })
      const { blockers } = await storage.preview(rig.node.name, wanted)
      expect(blockers.find((blocker) => blocker.code === code)?.sentence).toContain(words)
    }
  })
})
