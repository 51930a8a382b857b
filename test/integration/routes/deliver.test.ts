import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { renderRoutes } from '../../../src/core/registry/routes.ts'
import { RoutesSettings } from '../../../src/shared/model/registry.ts'
import type { Run } from '../../../src/shared/model/run.ts'
import { aService } from '../../fakes/aRegistry.ts'
import { createDeliveryRig, type DeliveryRig, writeRemote } from '../../support/deliveryRig.ts'
import { sshdMissing } from '../../support/sshd.ts'

const settings = RoutesSettings.parse({ domain: 'example.com' })
const spec = { routes: settings }
const services = [aService(), aService({ name: 'inner', subdomain: 'inner', public: false })]
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

const traefikRuns = 'echo running'
const traefikIsStopped = 'echo exited'
const noContainer = 'echo "Error response from daemon: No such container: traefik" >&2; exit 1'

describe.skipIf(sshdMissing !== null)('routes on a real node', () => {
  let rig: DeliveryRig
  let file: string

  beforeAll(async () => {
    rig = await createDeliveryRig()
    file = join(rig.home, 'traefik/config/mynodeone-routes.yml')
  })
  afterAll(() => rig?.dispose())

  beforeEach(async () => {
    await rm(join(rig.home, 'traefik'), { recursive: true, force: true })
    await mkdir(join(rig.home, 'traefik/config'), { recursive: true })
    await rig.program('docker', traefikRuns)
    await rig.registry(services)
  })

  const codes = (run: Run): string[] => run.warnings.map(({ code }) => code)

  it('S1.42 S1.43 S1.44 S1.45 S1.46 S1.47 S1.48 S1.50 S1.90 brings the public services to a VPS, and proves the file and Traefik', async () => {
    const run = await rig.deliver('routes', spec)
    expect(run).toMatchObject({ status: 'succeeded', failure: null })
    const text = renderRoutes(services, settings)
    expect(await readFile(file, 'utf8')).toBe(text)
    expect(text).not.toContain('inner')
    expect(run.proof).toMatchObject({
      digest: sha256(text),
      filesVerified: 1,
      verify: { mode: 'routes', traefik: 'running', routers: null },
      certificateSerial: run.certificateSerial,
    })
    expect(run.summary).toMatchObject({ filesTotal: 1, filesTransferred: 1, bytesTotal: Buffer.byteLength(text) })
    expect(run.summary?.bytesTransferred).toBeGreaterThan(text.length)
    const node = await rig.state()
    expect(node.status).toBe('active')
    expect(node.lastSyncAt).not.toBeNull()
    // Nothing but the file: no temporary ones (S1.44).
    expect(await readdir(join(rig.home, 'traefik/config'))).toEqual(['mynodeone-routes.yml'])
  })

  it('D14 S1.38 sends nothing that lies there already, and proves it all the same', async () => {
    await rig.deliver('routes', spec)
    const before = await stat(file)
    const run = await rig.again('routes')
    expect(run.status).toBe('succeeded')
    expect(run.visits.find(({ state }) => state === 'PUSH_SYNC')?.outcome).toBe('skipped')
    expect(run.summary).toMatchObject({ filesTransferred: 0 })
    expect(run.proof?.digest).toBe(sha256(renderRoutes(services, settings)))
    expect((await stat(file)).mtimeMs).toBe(before.mtimeMs)
    expect(run.warnings).toEqual([])
  })

  it('S1.26 S1.54 a service that is public no more loses its route, and the last one leaves an empty document', async () => {
    await rig.deliver('routes', spec)
    await rig.registry([aService({ public: false })])
    const run = await rig.deliver('routes', spec)
    expect(run.status).toBe('succeeded')
    expect(run.warnings).toEqual([])
    expect(await readFile(file, 'utf8')).toBe(renderRoutes([], settings))
  })

  it('S1.76 S1.77 S1.63 a Traefik that does not run is a failure with its reason, and the node waits for the next cycle', async () => {
    await rig.program('docker', traefikIsStopped)
    const run = await rig.deliver('routes', spec)
    expect(run).toMatchObject({ status: 'failed', state: 'FAILED', proof: null })
    expect(run.failure).toMatchObject({ code: 'TRAEFIK_NOT_RUNNING', short: 'Traefik not running' })
    expect(run.failure?.sentence).toContain('the container traefik is exited')
    expect(run.tries).toBe(1)
    const node = await rig.state()
    expect(node.status).toBe('pending_sync')
    expect(node.statusReason?.code).toBe('TRAEFIK_NOT_RUNNING')
    // The file is there: only Traefik is missing.
    expect(await readFile(file, 'utf8')).toBe(renderRoutes(services, settings))
  })

  it.each([
    ['there is no such container', noContainer, 'TRAEFIK_NOT_RUNNING', 'No such container'],
    [
      'docker may not be asked',
      'echo "permission denied while trying to connect to the Docker daemon socket" >&2; exit 1',
      'REMOTE_PERMISSION_DENIED',
      'may not ask docker',
    ],
    ['the container restarts again and again', 'echo restarting', 'TRAEFIK_NOT_RUNNING', 'is restarting'],
  ])('S1.47 S1.76 is not green when %s', async (_, script, code, words) => {
    await rig.program('docker', script)
    const run = await rig.deliver('routes', spec)
    expect(run).toMatchObject({ status: 'failed', failure: { code } })
    expect(run.failure?.sentence).toContain(words)
  })

  it('S1.47 says which program is missing when nobody can be asked about Traefik', async () => {
    const run = await rig.deliver('routes', { ...spec, traefik: { kind: 'container', runtime: 'podman' } })
    expect(run).toMatchObject({ status: 'failed', failure: { code: 'REMOTE_PROGRAM_MISSING', short: 'no podman' } })
  })

  it('S1.46 S1.50 without the configuration directory it says what to do, and makes none', async () => {
    await rm(join(rig.home, 'traefik'), { recursive: true })
    const run = await rig.deliver('routes', spec)
    expect(run).toMatchObject({ status: 'failed', failure: { code: 'REMOTE_PATH_INVALID' } })
    expect(run.failure?.sentence).toContain('Is Traefik installed there')
    await expect(stat(join(rig.home, 'traefik'))).rejects.toThrow()
  })

  it('S1.38 S1.107 a file that somebody changed is put right, and the run says what was changed', async () => {
    await rig.deliver('routes', spec)
    const text = await readFile(file, 'utf8')
    await writeFile(file, text.replace('demo.example.com', 'evil.example.com'))
    const run = await rig.again('routes')
    expect(run.status).toBe('succeeded')
    expect(codes(run)).toEqual(['REMOTE_FILE_CHANGED'])
    expect(run.warnings[0]?.message).toContain('changed by somebody else since')
    expect(run.warnings[0]?.evidence.join('\n')).toContain('evil.example.com')
    expect(await readFile(file, 'utf8')).toBe(text)
    expect((await rig.again('routes')).warnings).toEqual([])
  })

  it('S1.46 a file that somebody removed is there again, and the run says so', async () => {
    await rig.deliver('routes', spec)
    await rm(file)
    const run = await rig.again('routes')
    expect(run.status).toBe('succeeded')
    expect(run.warnings[0]?.message).toContain('removed by somebody else since')
    expect(await readFile(file, 'utf8')).toBe(renderRoutes(services, settings))
  })

  it('a file that was there before and was not ours is kept under another name', async () => {
    const rigOfItsOwn = await createDeliveryRig()
    try {
      await rigOfItsOwn.registry(services)
      await rigOfItsOwn.program('docker', traefikRuns)
      const theirs = join(rigOfItsOwn.home, 'traefik/config/mynodeone-routes.yml')
      await writeRemote(theirs, 'http:\n  middlewares: {}\n')
      const run = await rigOfItsOwn.deliver('routes', spec)
      expect(run.status).toBe('succeeded')
      const [kept] = (await readdir(join(rigOfItsOwn.home, 'traefik/config'))).filter((name) => name.includes('before'))
      expect(kept).toMatch(/^mynodeone-routes\.yml\.before-lockstep-[0-9a-f]{8}$/)
      expect(await readFile(join(rigOfItsOwn.home, 'traefik/config', kept ?? ''), 'utf8')).toBe(
        'http:\n  middlewares: {}\n',
      )
      expect(run.warnings[0]?.message).toContain(kept)
    } finally {
      await rigOfItsOwn.dispose()
    }
  })

  it('a copy of it that was cut is made anew before the file is replaced', async () => {
    const theirs = 'http:\n  routers: {}\n'
    const other = join(rig.home, 'traefik/config/other.yml')
    const kept = `${other}.before-lockstep-${sha256(theirs).slice(0, 8)}`
    await rig.deliver('routes', spec)
    await writeRemote(other, theirs)
    await writeRemote(kept, theirs.slice(0, 5))
    // The plan was proven, but for another file: what lies in the place of the new one is anybody's.
    const run = await rig.deliver('routes', { ...spec, file: '~/traefik/config/other.yml' })
    expect(run.status).toBe('succeeded')
    expect(await readFile(other, 'utf8')).toBe(renderRoutes(services, settings))
    expect(await readFile(kept, 'utf8')).toBe(theirs)
    expect(run.warnings.some(({ message }) => message.includes(kept.slice(kept.lastIndexOf('/'))))).toBe(true)
  })

  it('of lines without end as much is kept with the run as a person reads', async () => {
    await rig.deliver('routes', spec)
    await writeRemote(file, `# ${'x'.repeat(5_000_000)}\n`)
    const run = await rig.again('routes')
    expect(codes(run)).toContain('REMOTE_FILE_CHANGED')
    expect(JSON.stringify(run.warnings).length).toBeLessThan(50_000)
  })
})
