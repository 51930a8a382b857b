import { spawnSync } from 'node:child_process'
import { appendFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { createStorageService, type StorageService } from '../../../src/engine/fleet/storageService.ts'
import type { LoginProbe } from '../../../src/engine/ports.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { createLogging } from '../../../src/platform/logger.ts'
import { StorageSettings } from '../../../src/shared/model/storage.ts'
import { createRunRig, type RigOptions, type RunRig } from '../../support/runRig.ts'
import { sshdMissing } from '../../support/sshd.ts'
import { createTrust } from '../../support/trust.ts'
import { waitFor } from '../../support/waitFor.ts'

const title = `storage set-up${sshdMissing === null ? '' : ` (skipped: ${sshdMissing})`}`

describe.skipIf(sshdMissing !== null)(title, () => {
  const rigs: RunRig[] = []
  const me = userInfo().username
  const byConsole = { kind: 'console', note: 'the KVM of rack 4' } as const

  interface Storage extends RunRig {
    readonly storage: StorageService
  }
  const rigWith = async (
    options: RigOptions & {
      readonly loginProbe?: (real: LoginProbe) => LoginProbe
      readonly confirmWithinMs?: number
    } = {},
  ): Promise<Storage> => {
    const rig = await createRunRig(options)
    rigs.push(rig)
    const storage = createStorageService({
      store: rig.store,
      clock: systemClock,
      sshPool: rig.pool,
      identities: rig.trust.identities,
      authorities: rig.pki.authorities,
      probes: rig.pki.probes,
      loginProbe: options.loginProbe?.(rig.loginProbe) ?? rig.loginProbe,
      logger: createLogging({ level: 'fatal', sinks: [] }).logger,
      ...(options.confirmWithinMs === undefined ? {} : { confirmWithinMs: options.confirmWithinMs }),
    })
    return { ...rig, storage }
  }
  const settings = (changes: object = {}): StorageSettings =>
    StorageSettings.parse({ user: me, breakGlass: byConsole, ...changes })
  const files = async (rig: RunRig): Promise<Record<string, string>> => {
    const names = ['sshd_config', 'principals', join('ca', 'trusted_user_ca.pub')]
    const read = names.map(async (name) => [
      name,
      await readFile(join(rig.sshd.directory, name), 'utf8').catch(() => ''),
    ])
    return Object.fromEntries(await Promise.all(read))
  }
  const apply = async (rig: Storage, wanted = settings()) => {
    const { digest } = await rig.storage.preview(rig.node.name, wanted)
    return rig.storage.apply(rig.node.name, wanted, { previewDigest: digest, operator: 'anna@here' })
  }
  const audit = async (rig: RunRig): Promise<string[]> =>
    (await rig.store.listAudit({ limit: 100 }))
      .map(({ action }) => action)
      .filter((action) => action.startsWith('storage.'))

  afterEach(async () => {
    await Promise.all(rigs.splice(0).map((rig) => rig.dispose()))
  })

  it('S0.21 S0.22 S0.23 S0.24 S0.25 S0.39 shows the exact change, applies it, and undoes it to the byte', async () => {
    const rig = await rigWith()
    const before = await files(rig)
    const wanted = settings()
    const preview = await rig.storage.preview(rig.node.name, wanted)
    expect(preview.blockers).toEqual([])
    expect(await files(rig)).toEqual(before)
    const config = preview.changes.find(({ path }) => path.endsWith('sshd_config'))
    for (const line of [
      'PubkeyAuthentication yes',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'AuthorizedKeysFile none',
      'AuthorizedKeysCommand none',
      `TrustedUserCAKeys ${join(rig.sshd.directory, 'ca', 'trusted_user_ca.pub')}`,
    ])
      expect(config?.diff).toContain(`\n+${line}\n`)
    expect(preview.changes.find(({ path }) => path.endsWith('trusted_user_ca.pub'))).toMatchObject({ isNew: true })
    expect(preview.commands.join('\n')).toMatch(/sshd -t -f .*\nkill -HUP/)

    const node = await apply(rig)
    expect(node.storage).toMatchObject({ appliedBy: 'anna@here', settings: wanted })
    const after = await files(rig)
    expect(after.sshd_config?.endsWith(before.sshd_config ?? '-')).toBe(true)
    expect(await rig.storage.preview(rig.node.name, wanted)).toMatchObject({ alreadyApplied: true, changes: [] })

    const undone = await rig.storage.undo(rig.node.name, 'anna@here')
    expect(undone.storage).toBeNull()
    expect((await files(rig)).sshd_config).toBe(before.sshd_config)
    expect((await rig.pool.login(undone, { timeoutMs: 10_000, fresh: true })).nodeId).toBe(undone.id)
    expect(await audit(rig)).toEqual(['storage.undone', 'storage.undo', 'storage.applied', 'storage.apply'])
  })

  it('D4 adds the principal to the file of the storage user where the node has a file for each, and keeps what is in it', async () => {
    const rig = await rigWith({ sshd: { principals: ['sync-agent', 'somebody'] } })
    const path = join(rig.sshd.directory, 'sshd_config')
    const text = await readFile(path, 'utf8')
    await writeFile(
      path,
      text.replace(/AuthorizedPrincipalsFile .*/, `AuthorizedPrincipalsFile ${rig.sshd.directory}/by-user/%u`),
    )
    await mkdir(join(rig.sshd.directory, 'by-user'))
    await writeFile(join(rig.sshd.directory, 'by-user', me), 'old-principal')
    const preview = await rig.storage.preview(rig.node.name, settings())
    const file = preview.changes.find(({ path: changed }) => changed.endsWith(`by-user/${me}`))
    expect(file?.diff).toContain('+sync-agent\n')
    expect(file?.diff).toContain('old-principal')

    await writeFile(join(rig.sshd.directory, 'by-user', me), 'old-principal\n'.repeat(100_000))
    const tooLarge = await rig.storage.preview(rig.node.name, settings())
    expect(tooLarge.blockers).toMatchObject([{ code: 'REMOTE_PERMISSION_DENIED', short: 'file not readable' }])
  })

  it('D38 names the way back in, and warns of keys that let nobody in any more', async () => {
    const rig = await rigWith()
    const { warnings } = await rig.storage.preview(rig.node.name, settings())
    expect(warnings.join('\n')).toContain('the KVM of rack 4')
    const second = await createTrust()
    const preview = await rig.storage.preview(
      rig.node.name,
      settings({ breakGlass: { kind: 'second-authority', publicKey: second.publicKey } }),
    )
    expect(preview.warnings.join('\n')).toContain('second authority')
    expect(preview.changes.find(({ path }) => path.endsWith('trusted_user_ca.pub'))?.diff).toContain(
      second.publicKey.split(' ')[1],
    )
    await second.stop()
  })

  it('D38 a certificate of the second authority gets in, also after the trusted keys were delivered again', async () => {
    const rig = await rigWith()
    const second = await createTrust()
    await apply(rig, settings({ breakGlass: { kind: 'second-authority', publicKey: second.publicKey } }))
    await rig.planOf('trust')
    expect((await rig.run({ plan: 'trust' })).failure).toBeNull()
    const node = await rig.freshNode()
    const identity = await second.identities.ensure(node, 'automation')
    expect(await rig.loginProbe.attempt(node, identity, { timeoutMs: 10_000 })).toEqual({ status: 'accepted' })
    await second.stop()
  })

  it('refuses what was not previewed', async () => {
    const rig = await rigWith()
    const { digest } = await rig.storage.preview(rig.node.name, settings())
    await appendFile(join(rig.sshd.directory, 'sshd_config'), '# somebody was here\n')
    const before = await files(rig)
    await expect(
      rig.storage.apply(rig.node.name, settings(), { previewDigest: digest, operator: 'x' }),
    ).rejects.toMatchObject({ code: 'CONFLICT' })
    expect(await files(rig)).toEqual(before)
  })

  it('puts everything back through the open session when the fresh login fails', async () => {
    let fail = false
    const rig = await rigWith({
      loginProbe: (real) => ({
        ...real,
        attempt: (node, identity, options) =>
          // A user that sshd does not know is refused, as anybody under a wrong rule would be.
          real.attempt(node, identity, fail ? { ...options, user: 'nobody-at-all' } : options),
      }),
    })
    fail = true
    const before = await files(rig)
    await expect(apply(rig)).rejects.toMatchObject({ code: 'LOGIN_NOT_PROVEN', message: /put back/ })
    expect(await files(rig)).toEqual(before)
    expect((await rig.freshNode()).storage).toBeNull()
    expect(await audit(rig)).toEqual(['storage.apply-failed', 'storage.apply'])
    expect((await rig.pool.login(rig.node, { timeoutMs: 10_000, fresh: true })).nodeId).toBe(rig.node.id)
  })

  it('the node puts everything back by itself when nobody confirms in time', async () => {
    let release = (): void => undefined
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const rig = await rigWith({
      confirmWithinMs: 1_000,
      loginProbe: (real) => ({
        ...real,
        attempt: async (node, identity, options) => {
          await held
          return real.attempt(node, identity, options)
        },
      }),
    })
    const before = await files(rig)
    const applied = apply(rig).catch((error: unknown) => error)
    const path = join(rig.sshd.directory, 'sshd_config')
    await waitFor('the change', async () => (await readFile(path, 'utf8')) !== before.sshd_config)
    await waitFor('the watchdog', async () => (await readFile(path, 'utf8')) === before.sshd_config)
    release()
    expect(await applied).toMatchObject({ code: 'LOGIN_NOT_PROVEN', message: /by itself/ })
    expect((await rig.pool.login(rig.node, { timeoutMs: 10_000, fresh: true })).nodeId).toBe(rig.node.id)
  })

  it('an override by Match is taken back', async () => {
    const rig = await rigWith()
    const path = join(rig.sshd.directory, 'sshd_config')
    await appendFile(path, 'Match User *\n  AuthorizedKeysFile .ssh/authorized_keys\n')
    const before = await files(rig)
    await expect(apply(rig)).rejects.toMatchObject({ code: 'LOGIN_NOT_PROVEN', message: /another AuthorizedKeysFile/ })
    expect(await files(rig)).toEqual(before)
  })

  it('names what stands in the way: no such user, a user kept out, a broken configuration', async () => {
    const rig = await rigWith()
    const missing = await rig.storage.preview(rig.node.name, settings({ user: 'nosuchuser' }))
    expect(missing.blockers.map(({ sentence }) => sentence).join()).toContain('useradd')
    await appendFile(join(rig.sshd.directory, 'sshd_config'), `DenyUsers ${me}x\nDenyUsers backup*\n`)
    const denied = await rig.storage.preview(rig.node.name, settings({ user: 'backup' }))
    expect(denied.blockers.map(({ short }) => short)).toContain('user kept out')
    await appendFile(join(rig.sshd.directory, 'sshd_config'), 'Nonsense\n')
    const broken = await rig.storage.preview(rig.node.name, settings())
    expect(broken.blockers.map(({ code }) => code)).toContain('SSHD_CONFIG_REFUSED')
    await expect(apply(rig)).rejects.toMatchObject({ code: 'SSHD_CONFIG_REFUSED' })
  })

  it('sudo that asks for a password is a blocker with the line that helps', async () => {
    const rig = await rigWith()
    const bin = join(rig.directory, 'bin')
    await mkdir(bin)
    await writeFile(join(bin, 'id'), '#!/bin/sh\necho 1000\n', { mode: 0o755 })
    await writeFile(join(bin, 'sudo'), '#!/bin/sh\necho "sudo: a password is required" >&2\nexit 1\n', { mode: 0o755 })
    const path = join(rig.sshd.directory, 'sshd_config')
    const text = await readFile(path, 'utf8')
    await writeFile(path, text.replace('SetEnv SHLVL=5', `SetEnv PATH=${bin}:/usr/bin:/bin SHLVL=5`))
    const hup = spawnSync('sh', ['-c', `kill -HUP $(cat ${join(rig.sshd.directory, 'pid')})`])
    expect(hup.status).toBe(0)
    rig.pool.drop(rig.node.id)
    const preview = await waitFor('the new sshd', async () => {
      rig.pool.drop(rig.node.id)
      const seen = await rig.storage.preview(rig.node.name, settings())
      return seen.blockers.length > 0 ? seen : null
    })
    expect(preview.blockers[0]).toMatchObject({ code: 'SUDO_REFUSED' })
    expect(preview.blockers[0]?.sentence).toContain(`${me} ALL=(root) NOPASSWD: /bin/sh`)
    expect(preview.blockers[0]?.evidence).toContain('sudo: a password is required')
  })

  it('leaves no temporary file behind', async () => {
    const rig = await rigWith()
    await apply(rig)
    const left = (await readdir(rig.sshd.directory, { recursive: true })).filter((name) => name.includes('.lockstep-'))
    expect(left).toEqual([])
  })
})
