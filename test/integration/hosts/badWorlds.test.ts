import { spawnSync } from 'node:child_process'
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { renderHosts } from '../../../src/core/registry/hosts.ts'
import { hostsBegin, hostsEnd } from '../../../src/core/registry/hostsBlock.ts'
import { HostsSettings } from '../../../src/shared/model/registry.ts'
import { aService } from '../../fakes/aRegistry.ts'
import { createDeliveryRig, type DeliveryRig, type DeliveryRigOptions } from '../../support/deliveryRig.ts'
import { sshdMissing } from '../../support/sshd.ts'

const settings = HostsSettings.parse({ domain: 'example.com' })
const services = [aService()]
const foreign = '127.0.0.1 localhost\n'
const after = `${foreign}${hostsBegin}\n${renderHosts(services, settings)}${hostsEnd}\n`
const isRoot = process.getuid?.() === 0
const canMount = isRoot && spawnSync('unshare', ['-m', 'true']).status === 0

/** Sessions of somebody who is not root. */
const nobody = 65_534
const asNobody = `exec setpriv --reuid=${nobody} --regid=${nobody} --clear-groups sh -c "$SSH_ORIGINAL_COMMAND"`

describe.skipIf(sshdMissing !== null)('hosts in bad worlds', () => {
  const cleanUps: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
  })

  async function world(options: DeliveryRigOptions = {}): Promise<{ rig: DeliveryRig; file: string; spec: object }> {
    const rig = await createDeliveryRig(options)
    cleanUps.push(() => rig.dispose())
    const file = join(rig.programs, 'etc/hosts')
    await mkdir(join(rig.programs, 'etc'))
    await writeFile(file, foreign)
    await rig.registry(services)
    return { rig, file, spec: { file, hosts: settings, sudo: 'auto' } }
  }

  it.skipIf(!isRoot)('an immutable file is left alone, and the words say what it is', async (test) => {
    const { rig, file, spec } = await world()
    if (spawnSync('chattr', ['+i', file]).status !== 0) test.skip('this file system knows no immutable files')
    cleanUps.push(async () => spawnSync('chattr', ['-i', file]))
    const run = await rig.deliver('hosts', spec)
    expect(run).toMatchObject({ status: 'failed', tries: 1, failure: { code: 'REMOTE_FILE_IMMUTABLE' } })
    expect(run.failure?.sentence).toContain(`chattr -i ${file}`)
    expect(await readFile(file, 'latin1')).toBe(foreign)
    expect((await rig.state()).status).toBe('pending_sync')
  })

  it.skipIf(!canMount)('a bind-mounted file, which cannot be renamed over, is written in place', async () => {
    const session = `exec unshare -m sh -c 'mount --bind "$HOSTS_REAL" "$HOSTS_MOUNTED"; exec sh -c "$SSH_ORIGINAL_COMMAND"'`
    const directory = await mkdtemp(join(tmpdir(), 'ls-bind-'))
    cleanUps.push(() => rm(directory, { recursive: true, force: true }))
    const [real, mounted] = [join(directory, 'real'), join(directory, 'mounted')]
    const { rig, spec } = await world({
      session: `HOSTS_REAL=${real} HOSTS_MOUNTED=${mounted}\nexport HOSTS_REAL HOSTS_MOUNTED\n${session}`,
    })
    await writeFile(real, foreign)
    await writeFile(mounted, 'below the mount\n')
    const before = await stat(real)
    const run = await rig.deliver('hosts', { ...spec, file: mounted })
    expect(run).toMatchObject({ status: 'succeeded', failure: null })
    expect(await readFile(real, 'latin1')).toBe(after)
    expect((await stat(real)).ino).toBe(before.ino)
    expect(await readFile(mounted, 'latin1')).toBe('below the mount\n')
  })

  it.skipIf(!canMount)('S1.75 a read-only file system is named, and nothing is changed', async () => {
    const { rig, file, spec } = await world({
      session: `exec unshare -m sh -c 'd=$(dirname "$0")/etc; mount --bind "$d" "$d"; mount -o remount,ro,bind "$d"; exec sh -c "$SSH_ORIGINAL_COMMAND"' "$0"`,
    })
    const run = await rig.deliver('hosts', spec)
    expect(run).toMatchObject({ status: 'failed', failure: { code: 'REMOTE_READ_ONLY' } })
    expect(await readFile(file, 'latin1')).toBe(foreign)
  })

  it.skipIf(!canMount)('S1.75 a full disk is named, and the old file stays whole', async () => {
    const { rig, spec } = await world({
      session: `exec unshare -m sh -c 'd=$(dirname "$0")/etc; mount -t tmpfs -o size=32k none "$d"; printf "127.0.0.1 localhost\\n" >"$d/hosts"; dd if=/dev/zero of="$d/filler" bs=1k 2>/dev/null; exec sh -c "$SSH_ORIGINAL_COMMAND"' "$0"`,
    })
    await rig.registry(
      Array.from({ length: 100 }, (_, index) => aService({ name: `s${index}`, subdomain: `s${index}` })),
    )
    const run = await rig.deliver('hosts', spec)
    expect(run).toMatchObject({ status: 'failed', failure: { code: 'REMOTE_DISK_FULL' } })
  })

  it.skipIf(!isRoot)('without sudo it says which line permits it', async () => {
    const { rig, file, spec } = await world({ session: asNobody })
    await chmod(rig.directory, 0o755)
    await rig.program('sudo', 'echo "sudo: a password is required" >&2; exit 1')
    const run = await rig.deliver('hosts', spec)
    expect(run).toMatchObject({ status: 'failed', tries: 1, failure: { code: 'SUDO_REFUSED' } })
    expect(run.failure?.sentence).toContain('NOPASSWD')
    expect(run.failure?.evidence.join()).toContain('a password is required')
    const never = await rig.deliver('hosts', { ...spec, sudo: 'never' })
    expect(never).toMatchObject({ status: 'failed', failure: { code: 'REMOTE_PERMISSION_DENIED' } })
    expect(await readFile(file, 'latin1')).toBe(foreign)
  })

  it.skipIf(!isRoot)('S1.54 uses sudo where the login user may not write, and only there', async () => {
    const { rig, file, spec } = await world({ session: asNobody })
    await chmod(rig.directory, 0o755)
    // What sudo is to a login user: a program that changes who one is, for one group alone.
    const becomeRoot = join(rig.programs, 'become-root')
    await copyFile('/usr/bin/setpriv', becomeRoot)
    spawnSync('chown', [`0:${nobody}`, becomeRoot])
    await chmod(becomeRoot, 0o4750)
    await chmod(rig.programs, 0o755)
    const used = join(rig.programs, 'used')
    await writeFile(used, '')
    await chmod(used, 0o666)
    await rig.program(
      'sudo',
      `[ "$1" = -n ] || exit 1; shift; echo used >>${used}; exec ${becomeRoot} --reuid=0 --regid=0 --clear-groups "$@"`,
    )
    expect(await rig.deliver('hosts', spec)).toMatchObject({ status: 'succeeded', failure: null })
    expect(await readFile(file, 'latin1')).toBe(after)
    expect(await readFile(used, 'utf8')).not.toBe('')
    // A look needs no sudo, and neither does a file of the login user's own.
    await writeFile(used, '')
    expect(await rig.again('hosts')).toMatchObject({ status: 'succeeded' })
    expect(await readFile(used, 'utf8')).toBe('')
  })

  it.each([
    ['prints a banner', 'echo "Welcome to $(hostname)"; echo "Have a nice day"\nexec sh -c "$SSH_ORIGINAL_COMMAND"'],
    ['is busybox', 'exec busybox sh -c "$SSH_ORIGINAL_COMMAND"'],
    ['is bash', 'exec bash -c "$SSH_ORIGINAL_COMMAND"'],
    ['is dash', 'exec dash -c "$SSH_ORIGINAL_COMMAND"'],
  ])('works with a shell that %s', async (_, session) => {
    const { rig, file, spec } = await world({ session })
    expect(await rig.deliver('hosts', spec)).toMatchObject({ status: 'succeeded', failure: null })
    expect(await readFile(file, 'latin1')).toBe(after)
  })

  it('10,000 services reach a hosts file and are proven', async () => {
    const { rig, file, spec } = await world()
    const many = Array.from({ length: 10_000 }, (_, index) =>
      aService({ name: `dienst-${index}-ü`, subdomain: `s${index}`, ip: `100.64.${index >> 8}.${index & 255 || 1}` }),
    )
    await rig.registry(many)
    const run = await rig.deliver('hosts', spec)
    expect(run).toMatchObject({ status: 'succeeded', proof: { verify: { mode: 'hosts', entries: 10_000 } } })
    expect((await readFile(file, 'latin1')).split('\n').length).toBe(10_004)
  })
})
