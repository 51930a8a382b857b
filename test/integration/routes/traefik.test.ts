import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startTraefikStandIn, type TraefikStandInOptions } from '../../../src/demo/traefikStandIn.ts'
import { RoutesSettings } from '../../../src/shared/model/registry.ts'
import { aService } from '../../fakes/aRegistry.ts'
import { createDeliveryRig, type DeliveryRig } from '../../support/deliveryRig.ts'
import { sshdMissing } from '../../support/sshd.ts'

const settings = RoutesSettings.parse({ domain: 'example.com' })
const services = [aService(), aService({ name: 'Wiki für alle', subdomain: 'wiki' })]

describe.skipIf(sshdMissing !== null)('Traefik as the proof of routes', () => {
  let rig: DeliveryRig
  let config: string
  const cleanUps: (() => Promise<unknown>)[] = []

  beforeAll(async () => {
    rig = await createDeliveryRig()
    config = join(rig.home, 'traefik/config')
  })
  afterAll(() => rig?.dispose())
  beforeEach(async () => {
    await rm(join(rig.home, 'traefik'), { recursive: true, force: true })
    await mkdir(config, { recursive: true })
    await rig.registry(services)
  })
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
  })

  async function api(options: Partial<TraefikStandInOptions> = {}): Promise<string> {
    const traefik = await startTraefikStandIn({ directoryOf: () => config, address: '127.0.0.1', port: 0, ...options })
    cleanUps.push(() => traefik.stop())
    return `http://127.0.0.1:${traefik.port}`
  }

  /** A process that has this name for the kernel, and ends with its test. */
  async function processCalled(name: string): Promise<number> {
    const program = join(rig.programs, name)
    await copyFile('/bin/sleep', program)
    const child = spawn(program, ['600'], { stdio: 'ignore' })
    await once(child, 'spawn')
    cleanUps.push(async () => {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
      await rm(program, { force: true })
    })
    return child.pid as number
  }

  const withApi = (url: string) => ({ routes: settings, traefik: { kind: 'none' }, api: url })

  it('S1.47 S1.76 waits until Traefik lists our routers, which takes it a moment, and counts them', async () => {
    const run = await rig.deliver('routes', withApi(await api({ noticeAfterMs: 700 })))
    expect(run).toMatchObject({ status: 'succeeded', failure: null })
    expect(run.proof?.verify).toEqual({ mode: 'routes', traefik: 'unchecked', routers: 2 })
  })

  it('S1.76 routes that Traefik goes on serving after they were removed are not green', async () => {
    const url = await api()
    expect(await rig.deliver('routes', withApi(url))).toMatchObject({ status: 'succeeded' })
    // Another file of the same directory still has one of them.
    await writeFile(
      join(config, 'old.yml'),
      'http:\n  routers:\n    lockstep-old:\n      rule: "Host(`old.example.com`)"\n      entryPoints: ["web"]\n      service: s\n  services:\n    s: {}\n',
    )
    await rig.registry([aService()])
    const run = await rig.deliver('routes', withApi(url))
    expect(run).toMatchObject({ status: 'failed', failure: { code: 'TRAEFIK_NOT_LISTING' } })
    expect(run.failure?.sentence).toContain('1 that were removed are still served')
    expect(run.failure?.evidence).toEqual(['surplus lockstep-old@file'])
    expect((await rig.state()).status).toBe('pending_sync')
  })

  it('S1.76 S1.107 a Traefik that watches another directory takes nothing, and is not green', async () => {
    const elsewhere = join(rig.home, 'elsewhere')
    await mkdir(elsewhere, { recursive: true })
    const run = await rig.deliver('routes', withApi(await api({ directoryOf: () => elsewhere })))
    expect(run).toMatchObject({ status: 'failed', failure: { code: 'TRAEFIK_NOT_LISTING' } })
    expect(run.failure?.sentence).toContain('2 routers are missing')
  })

  it('S1.76 a router that Traefik switched off by an error is not green, and its words are kept', async () => {
    const run = await rig.deliver('routes', {
      ...withApi(await api()),
      routes: { ...settings, entryPoints: ['nowhere'] },
    })
    expect(run).toMatchObject({ status: 'failed', failure: { code: 'TRAEFIK_NOT_LISTING' } })
    expect(run.failure?.evidence[0]).toContain('no valid entryPoint')
  })

  it('S1.76 an API that does not answer is not green', async () => {
    const url = await api()
    for (const cleanUp of cleanUps.splice(0)) await cleanUp()
    const run = await rig.deliver('routes', withApi(url))
    expect(run).toMatchObject({ status: 'failed', failure: { code: 'TRAEFIK_NOT_LISTING' } })
    expect(run.failure?.sentence).toContain('its API does not answer')
  })

  it('S1.47 works with wget where there is no curl, and says so where there is neither', async () => {
    const url = await api()
    const [bin, tools] = [
      join(rig.programs, 'bin'),
      [
        'sh',
        'cat',
        'dd',
        'tr',
        'awk',
        'sleep',
        'sha256sum',
        'od',
        'head',
        'wget',
        'id',
        'mv',
        'rm',
        'sync',
        'cp',
        'wc',
        'date',
        'mkdir',
        'readlink',
        'flock',
        'sed',
        'ls',
      ],
    ]
    await mkdir(bin, { recursive: true })
    for (const tool of tools) await symlink(`/usr/bin/${tool}`, join(bin, tool)).catch(() => undefined)
    const minimal = await createDeliveryRig({ session: `PATH=${bin}; exec sh -c "$SSH_ORIGINAL_COMMAND"` })
    cleanUps.push(() => minimal.dispose())
    await minimal.registry(services)
    const spec = { ...withApi(url), file: join(config, 'mynodeone-routes.yml') }
    expect(await minimal.deliver('routes', spec)).toMatchObject({ status: 'succeeded', failure: null })
    await rm(join(bin, 'wget'))
    expect(await minimal.deliver('routes', spec)).toMatchObject({
      status: 'failed',
      failure: { code: 'REMOTE_PROGRAM_MISSING', short: 'no curl and no wget' },
    })
  })

  it('S1.47 sees a process by its name, and that it has ended', async () => {
    const spec = { routes: settings, traefik: { kind: 'process', name: 'traefik-test-1' } }
    await processCalled('traefik-test-1')
    expect(await rig.deliver('routes', spec)).toMatchObject({
      status: 'succeeded',
      proof: { verify: { traefik: 'running' } },
    })
    for (const cleanUp of cleanUps.splice(0)) await cleanUp()
    const run = await rig.again('routes')
    expect(run).toMatchObject({ status: 'failed', failure: { code: 'TRAEFIK_NOT_RUNNING' } })
    expect(run.failure?.sentence).toContain('no process is called traefik-test-1')
  })

  it('S1.47 believes a process id only when it is a Traefik', async () => {
    const pidFile = join(rig.home, 'traefik/traefik.pid')
    const spec = { routes: settings, traefik: { kind: 'pid-file', file: pidFile } }
    await writeFile(pidFile, `${await processCalled('traefik-test-2')}\n`)
    expect(await rig.deliver('routes', spec)).toMatchObject({ status: 'succeeded' })
    const failureWith = async (content: string): Promise<string | undefined> => {
      await writeFile(pidFile, content)
      return (await rig.again('routes')).failure?.sentence
    }
    expect(await failureWith(`${process.pid}\n`)).toMatch(/process \d+ is \S+/)
    expect(await failureWith('none\n')).toContain('holds no process id')
    expect(await failureWith('')).toContain('is not there or empty')
    expect(await failureWith('4194304\n')).toContain('process 4194304 has ended')
  })

  it('S1.45 S1.107 restarts a Traefik that does not watch, when something changed, and when it is not known whether it did', async () => {
    const restarts = join(rig.programs, 'restarts')
    await writeFile(restarts, '')
    const docker = (exitCode: number) =>
      rig.program(
        'docker',
        `case "$*" in "compose version") ;; "compose restart") pwd >>${restarts}; echo "no such service" >&2; exit ${exitCode};; *) echo running;; esac`,
      )
    const count = async () => (await readFile(restarts, 'utf8')).split('\n').length - 1
    const spec = { routes: settings, reload: { kind: 'compose-restart' } }
    await docker(0)
    expect(await rig.deliver('routes', spec)).toMatchObject({ status: 'succeeded' })
    expect(await count()).toBe(1)
    expect(await readFile(restarts, 'utf8')).toContain(join(rig.home, 'traefik'))
    expect(await rig.again('routes')).toMatchObject({ status: 'succeeded', warnings: [] })
    expect(await count()).toBe(1)
    await rig.registry([aService()])
    await docker(1)
    const failed = await rig.deliver('routes', spec)
    expect(failed).toMatchObject({ status: 'failed', failure: { code: 'REMOTE_COMMAND_FAILED' } })
    expect(failed.failure?.sentence).toContain('no such service')
    const tried = await count()
    // The new file lies there, and the Traefik that runs has not read it.
    await docker(0)
    const run = await rig.again('routes')
    expect(run).toMatchObject({ status: 'succeeded' })
    expect(await count()).toBe(tried + 1)
  })
})
