import { spawnSync } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { renderRoutes } from '../../../src/core/registry/routes.ts'
import { RoutesSettings } from '../../../src/shared/model/registry.ts'
import { aService } from '../../fakes/aRegistry.ts'
import { createDeliveryRig, type DeliveryRig, type DeliveryRigOptions } from '../../support/deliveryRig.ts'
import { writeTree } from '../../support/runRig.ts'
import { sshdMissing } from '../../support/sshd.ts'

const settings = RoutesSettings.parse({ domain: 'example.com' })
const services = [aService()]
const isRoot = process.getuid?.() === 0
const canMount = isRoot && spawnSync('unshare', ['-m', 'true']).status === 0
const asNobody = 'exec setpriv --reuid=65534 --regid=65534 --clear-groups sh -c "$SSH_ORIGINAL_COMMAND"'

describe.skipIf(sshdMissing !== null)('routes in bad worlds', () => {
  const cleanUps: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
  })

  async function world(options: DeliveryRigOptions = {}): Promise<{ rig: DeliveryRig; config: string; spec: object }> {
    const rig = await createDeliveryRig(options)
    cleanUps.push(() => rig.dispose())
    const config = join(rig.programs, 'config')
    await mkdir(config)
    await rig.registry(services)
    await rig.program('docker', 'echo running')
    return { rig, config, spec: { routes: settings, file: join(config, 'routes.yml') } }
  }

  it.skipIf(!canMount)('S1.75 a read-only file system is named, and the node waits', async () => {
    const { rig, spec } = await world({
      session: `exec unshare -m sh -c 'd=$(dirname "$0")/config; mount --bind "$d" "$d"; mount -o remount,ro,bind "$d"; exec sh -c "$SSH_ORIGINAL_COMMAND"' "$0"`,
    })
    expect(await rig.deliver('routes', spec)).toMatchObject({ status: 'failed', failure: { code: 'REMOTE_READ_ONLY' } })
    expect((await rig.state()).status).toBe('pending_sync')
  })

  it.skipIf(!canMount)('S1.75 a full disk is named', async () => {
    const { rig, spec } = await world({
      session: `exec unshare -m sh -c 'd=$(dirname "$0")/config; mount -t tmpfs -o size=16k none "$d"; dd if=/dev/zero of="$d/filler" bs=1k 2>/dev/null; exec sh -c "$SSH_ORIGINAL_COMMAND"' "$0"`,
    })
    expect(await rig.deliver('routes', spec)).toMatchObject({ status: 'failed', failure: { code: 'REMOTE_DISK_FULL' } })
  })

  it.skipIf(!isRoot)('a directory of somebody else is named, with what to do', async () => {
    const { rig, config, spec } = await world({ session: asNobody })
    await chmod(rig.directory, 0o755)
    const run = await rig.deliver('routes', spec)
    expect(run).toMatchObject({ status: 'failed', tries: 1, failure: { code: 'REMOTE_PERMISSION_DENIED' } })
    expect(run.failure?.sentence).toContain('chown')
    expect(await readdir(config)).toEqual([])
  })

  it.each([
    ['prints a banner', 'echo "Welcome"; echo "Last login: never"\nexec sh -c "$SSH_ORIGINAL_COMMAND"'],
    ['is busybox', 'exec busybox sh -c "$SSH_ORIGINAL_COMMAND"'],
    ['is bash', 'exec bash -c "$SSH_ORIGINAL_COMMAND"'],
  ])('works with a shell that %s, and the checks of Traefik too', async (_, session) => {
    const { rig, config, spec } = await world({ session })
    expect(await rig.deliver('routes', spec)).toMatchObject({ status: 'succeeded', failure: null })
    expect(await readFile(join(config, 'routes.yml'), 'utf8')).toBe(renderRoutes(services, settings))
    const stopped = await rig.deliver('routes', { ...spec, traefik: { kind: 'process', name: 'no-such-traefik' } })
    expect(stopped).toMatchObject({ status: 'failed', failure: { code: 'TRAEFIK_NOT_RUNNING' } })
  })

  it('what a node prints in the place of an answer proves nothing', async () => {
    const { rig, config, spec } = await world({
      session: 'echo "replaced 0000 renamed"; echo "same 0000"; echo "ran 0"; exec sh -c "$SSH_ORIGINAL_COMMAND"',
    })
    await rig.program('docker', 'echo running; echo exited')
    expect(await rig.deliver('routes', spec)).toMatchObject({
      status: 'failed',
      failure: { code: 'TRAEFIK_NOT_RUNNING' },
    })
    await rm(config, { recursive: true })
    expect(await rig.deliver('routes', spec)).toMatchObject({
      status: 'failed',
      failure: { code: 'REMOTE_PATH_INVALID' },
    })
  })

  it('10,000 services with names of every script reach a VPS in one file and are proven', async () => {
    const { rig, config, spec } = await world()
    const names = ['dienst', 'сервис', 'サービス', '💾', '{{ env "HOME" }}', 'a: b']
    const many = Array.from({ length: 10_000 }, (_, index) =>
      aService({ name: `${names[index % names.length]} ${index}`, subdomain: `s${index}` }),
    )
    await rig.registry(many)
    const run = await rig.deliver('routes', spec)
    expect(run).toMatchObject({ status: 'succeeded', failure: null })
    const text = await readFile(join(config, 'routes.yml'), 'utf8')
    expect(text).toBe(renderRoutes(many, settings))
    expect(run.summary?.bytesTotal).toBe(Buffer.byteLength(text))
    // The next look carries none of it.
    expect((await rig.again('routes')).summary?.bytesTransferred).toBeLessThan(10_000)
  })

  it('S1.65 S1.67 a node that failed is active again as soon as what was wrong is gone', async () => {
    const { rig, config, spec } = await world()
    await rm(config, { recursive: true })
    await rig.deliver('routes', spec)
    expect((await rig.state()).status).toBe('pending_sync')
    await mkdir(config)
    expect(await rig.again('routes')).toMatchObject({ status: 'succeeded', warnings: [] })
    expect(await rig.state()).toMatchObject({ status: 'active', statusReason: null })
  })

  it('a tree that is written around the routes voids their proof until they are read back again', async () => {
    const { rig, config, spec } = await world()
    await rig.deliver('routes', spec)
    const driftOf = async () => (await rig.state()).plans.find(({ planName }) => planName === 'routes')?.driftSince
    expect(await driftOf()).toBeNull()
    await writeTree(rig.local, { 'other.yml': 'http: {}\n' })
    await rig.plan({ push: { source: rig.local, target: config } })
    expect(await rig.run({ plan: 'site' })).toMatchObject({ status: 'succeeded' })
    expect(await driftOf()).not.toBeNull()
    expect(await rig.again('routes')).toMatchObject({ status: 'succeeded', warnings: [] })
    expect(await driftOf()).toBeNull()
  })

  it('S1.38 what a run of ours left without proof is not taken for the work of somebody else', async () => {
    const { rig, config, spec } = await world()
    await rig.deliver('routes', spec)
    await rig.program('docker', 'echo exited')
    await rig.registry([aService({ port: 81 })])
    expect(await rig.deliver('routes', spec)).toMatchObject({ status: 'failed' })
    await rig.program('docker', 'echo running')
    await rig.registry([aService({ port: 82 })])
    expect(await rig.deliver('routes', spec)).toMatchObject({ status: 'succeeded', warnings: [] })
    expect(await readFile(join(config, 'routes.yml'), 'utf8')).toContain(':82')
  })

  it('two plans for one file wait for each other', async () => {
    const { rig, config, spec } = await world()
    await rig.program('docker', `while [ -e ${config}/hold ]; do sleep 0.02; done; echo running`)
    await writeFile(join(config, 'hold'), '')
    await rig.planOf('routes', spec)
    const first = await rig.push({ plan: 'routes' })
    await rig.until(first.id, (run) => run.status === 'running' && run.state !== 'INIT')
    const locks = await rig.store.listLocks()
    expect(locks.map(({ target }) => target)).toEqual([join(config, 'routes.yml')])
    const second = await rig.push({ plan: 'routes' })
    await rig.until(second.id, (run) => run.notBefore !== null)
    await rm(join(config, 'hold'))
    expect(await rig.until(first.id)).toMatchObject({ status: 'succeeded' })
    expect(await rig.until(second.id)).toMatchObject({ status: 'succeeded' })
  })
})
