import { execFile } from 'node:child_process'
import { hash } from 'node:crypto'
import {
  appendFile,
  chown,
  lchown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { placeDelivery } from '../../../src/agent/deliveries/place.ts'
import { hostsBegin } from '../../../src/core/registry/hostsBlock.ts'
import { renderRoutes } from '../../../src/core/registry/routes.ts'
import { writeFileAtomic } from '../../../src/platform/atomicFile.ts'
import { agentApiPaths } from '../../../src/shared/agentApi/index.ts'
import { Plan, PlanInput } from '../../../src/shared/model/plan.ts'
import { aNode } from '../../fakes/aNode.ts'
import { startTestEngine, type TestEngine } from '../../support/engine.ts'
import { aHeartbeat, type EnrolledAgent, type GatewayRig, startGateway } from '../../support/gatewayRig.ts'

const id = (last: number): string => `01900000-0000-7000-8000-${String(last).padStart(12, '0')}`
const plan = Plan.parse({
  id: id(5),
  name: 'names',
  kind: 'hosts',
  selector: 'name:laptop-01',
  spec: { hosts: { domain: 'example.com' } },
  revision: 3,
  digest: 'a'.repeat(64),
  createdAt: 0,
  updatedAt: 0,
})
const services = JSON.stringify({ demo: { subdomain: 'demo', ip: '100.64.0.7', port: 80, public: true } })
const isRoot = process.getuid?.() === 0
const routes = { domain: 'example.com', entryPoints: ['websecure'], tls: true, certResolver: null }
const lines = '100.64.0.7\tdemo.example.com # lockstep\n'

describe('what agents fetch, at the gateway', () => {
  let rig: GatewayRig
  let agent: EnrolledAgent

  beforeEach(async () => {
    rig = await startGateway()
    agent = await rig.enroll('laptop-01')
    await rig.store.transact(async (transaction) => {
      await transaction.savePlan(plan)
      await transaction.insertRevision({
        revision: {
          registry: 'services',
          number: 1,
          digest: 'b'.repeat(64),
          author: 'x',
          at: 0,
          comment: '',
          source: { kind: 'console' },
          entries: 1,
        },
        text: services,
      })
    })
  })
  afterEach(() => rig.dispose())

  const beat = (pulls?: readonly string[]) =>
    rig.call('POST', agentApiPaths.heartbeat, {
      identity: agent,
      body: aHeartbeat(pulls === undefined ? {} : { pulls }),
    })
  const fetched = async () => (await rig.call('GET', agentApiPaths.deliveries, { identity: agent })).body.deliveries
  const report = (key: string, outcome: unknown, change: Record<string, unknown> = {}) =>
    rig.call('PUT', agentApiPaths.delivery(key), {
      identity: agent,
      body: { planId: plan.id, revision: 3, startedAt: 1_000, finishedAt: 2_000, outcome, ...change },
    })
  const node = async () => (await rig.store.findNodeByName('laptop-01')) ?? aNode()
  const digest = hash('sha256', lines, 'hex')

  it('S1F.5 a node is reached by what its agent says it fetches, and by nothing else', async () => {
    await beat()
    expect(await fetched()).toEqual([])
    expect((await node()).plans.map(({ planName }) => planName)).not.toContain('names')
    await beat(['hosts'])
    expect(await fetched()).toEqual([
      { planId: plan.id, planName: 'names', kind: 'hosts', revision: 3, text: lines, digest },
    ])
    expect((await node()).plans.find(({ planName }) => planName === 'names')).toMatchObject({ observed: null })
    await beat(['routes'])
    expect(await fetched()).toEqual([])
  })

  it('S1F.5 what was read back becomes a run with its states, and the node is as wanted; same key, same run', async () => {
    await beat(['hosts'])
    const first = await report('fetch-key-1', { status: 'verified', digest, written: true })
    expect(first.status).toBe(201)
    const again = await report('fetch-key-1', { status: 'verified', digest, written: true })
    expect(again).toMatchObject({ status: 200, body: { runId: first.body.runId } })
    const run = await rig.store.getRun(first.body.runId)
    expect(run).toMatchObject({ status: 'succeeded', trigger: 'agent', planKind: 'hosts', planRevision: 3 })
    expect(run?.visits.map(({ state, outcome }) => `${state} ${outcome}`)).toEqual([
      'INIT done',
      'ENSURE_CERT skipped',
      'ACQUIRE_LOCK skipped',
      'REGISTER_RUN done',
      'PRE_FLIGHT_CHECK skipped',
      'PUSH_SYNC skipped',
      'PULL_SYNC done',
      'VERIFY done',
      'REPORT done',
      'FINALIZE done',
    ])
    const state = (await node()).plans.find(({ planName }) => planName === 'names')
    expect(state?.observed).toMatchObject({ revision: 3, digest })
  })

  it('S1F.5 times that cannot be are brought to ones that can: nobody else has to show them', async () => {
    await beat(['hosts'])
    const never = Number.MIN_SAFE_INTEGER
    const outcome = { status: 'verified', digest, written: true }
    const { body } = await report('fetch-key-0', outcome, { startedAt: never, finishedAt: never })
    const run = await rig.store.getRun(body.runId)
    expect(run).toMatchObject({ status: 'succeeded', createdAt: 0, startedAt: 0, finishedAt: 0 })
  })

  it('S1.76 another digest than what was given is a failure, never green', async () => {
    await beat(['hosts'])
    const { body } = await report('fetch-key-2', { status: 'verified', digest: 'c'.repeat(64), written: true })
    expect(await rig.store.getRun(body.runId)).toMatchObject({
      status: 'failed',
      failure: { code: 'VERIFY_MISMATCH' },
    })
    expect((await node()).plans.find(({ planName }) => planName === 'names')?.observed).toBeNull()
  })

  it('S1.75 what went wrong on the machine is told with its words', async () => {
    await beat(['hosts'])
    const outcome = { status: 'failed', code: 'LOCAL_DISK_FULL', message: 'no space left' }
    const { body } = await report('fetch-key-3', outcome)
    const run = await rig.store.getRun(body.runId)
    expect(run).toMatchObject({ status: 'failed', failure: { code: 'LOCAL_DISK_FULL' } })
    expect(run?.failure?.sentence).toContain('no space left')
    expect(await node()).toMatchObject({ status: 'pending_sync' })
  })

  it('S1F.5 an older revision is refused: the agent fetches again', async () => {
    await beat(['hosts'])
    const outcome = { status: 'verified', digest, written: true }
    expect(await report('fetch-key-4', outcome, { revision: 2 })).toMatchObject({ status: 409 })
    expect(await report('fetch-key-5', outcome, { planId: id(77) })).toMatchObject({ status: 409 })
  })

  it('a key of another agent is a conflict, and a revoked agent fetches nothing', async () => {
    await beat(['hosts'])
    await report('fetch-key-6', { status: 'verified', digest, written: true })
    const other = await rig.enroll('laptop-02')
    await rig.store.transact((transaction) => transaction.savePlan({ ...plan, selector: 'name:laptop-0*' }))
    await rig.call('POST', agentApiPaths.heartbeat, { identity: other, body: aHeartbeat({ pulls: ['hosts'] }) })
    const stolen = await rig.call('PUT', agentApiPaths.delivery('fetch-key-6'), {
      identity: other,
      body: {
        planId: plan.id,
        revision: 3,
        startedAt: 1,
        finishedAt: 2,
        outcome: { status: 'verified', digest, written: false },
      },
    })
    expect(stolen.status).toBe(409)
    await rig.side.agents.revoke(agent.agentId, 'lost', 'ann@desk')
    const refused = await rig.call('GET', agentApiPaths.deliveries, { identity: agent }).catch(() => ({ status: 401 }))
    expect(refused.status).toBe(401)
  })
})

describe('a delivery put into its place', () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ls-place-'))
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))

  it('S1.54 S1.60 keeps every byte of others, and writes nothing when all is there', async () => {
    const file = join(directory, 'hosts')
    const others = Buffer.from([...Buffer.from('127.0.0.1 localhost\r\n# caf'), 0xe9, 0x0d, 0x0a])
    await writeFile(file, others)
    const first = await placeDelivery({ kind: 'hosts', text: lines }, file)
    expect(first).toEqual({ digest: hash('sha256', lines, 'hex'), written: true })
    expect((await readFile(file)).subarray(0, others.length)).toEqual(others)
    expect(await placeDelivery({ kind: 'hosts', text: lines }, file)).toMatchObject({ written: false })
    await placeDelivery({ kind: 'hosts', text: '' }, file)
    expect(await readFile(file)).toEqual(others)
  })

  it('replaces what a symbolic link points to, not the link', async () => {
    const file = join(directory, 'real.yml')
    await writeFile(file, 'old')
    await symlink(file, join(directory, 'link.yml'))
    await placeDelivery({ kind: 'routes', text: 'http: {}\n' }, join(directory, 'link.yml'))
    expect(await readFile(file, 'utf8')).toBe('http: {}\n')
  })

  it('a file of routes that was never ours is kept under another name, once; one of ours is not', async () => {
    const file = join(directory, 'routes.yml')
    await writeFile(file, 'http:\n  middlewares: {}\n', { mode: 0o640 })
    await placeDelivery({ kind: 'routes', text: renderRoutes([], routes) }, file)
    const kept = (await readdir(directory)).filter((name) => name.includes('before-lockstep'))
    expect(kept).toHaveLength(1)
    expect(await readFile(join(directory, kept[0] ?? ''), 'utf8')).toBe('http:\n  middlewares: {}\n')
    await placeDelivery({ kind: 'routes', text: 'http: {}\n' }, file)
    expect((await readdir(directory)).filter((name) => name.includes('before-lockstep'))).toEqual(kept)
    expect((await stat(file)).mode & 0o777).toBe(0o640)
  })

  it.runIf(isRoot)('as root: the file stays with its owner, and a link of another user is not followed', async () => {
    const file = join(directory, 'routes.yml')
    await writeFile(file, renderRoutes([], routes))
    await chown(file, 65_534, 65_534)
    await placeDelivery({ kind: 'routes', text: 'http: {}\n' }, file)
    expect(await stat(file)).toMatchObject({ uid: 65_534, gid: 65_534 })
    const precious = join(directory, 'precious')
    await writeFile(precious, 'root:x:0:0')
    const trap = join(directory, 'trap.yml')
    await symlink(precious, trap)
    await lchown(trap, 65_534, 65_534)
    await expect(placeDelivery({ kind: 'routes', text: 'x' }, trap)).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    expect(await readFile(precious, 'utf8')).toBe('root:x:0:0')
  })

  it.runIf(isRoot)('as root: no link on the way is followed that another user could have put there', async () => {
    const at = (...parts: string[]): string => join(directory, ...parts)
    await mkdir(at('private/etc'), { recursive: true })
    await mkdir(at('eve'))
    await writeFile(at('private/etc/routes.yml'), 'precious')
    await symlink('../private/etc', at('eve/conf'))
    await lchown(at('eve/conf'), 65_534, 65_534)
    await chown(at('eve'), 65_534, 65_534)
    await symlink('eve', at('to-eve'))
    await symlink('eve/conf/routes.yml', at('file-through-eve'))
    for (const trap of ['eve/conf/routes.yml', 'to-eve/conf/routes.yml', 'file-through-eve'])
      await expect(placeDelivery({ kind: 'routes', text: 'http: {}\n' }, at(trap)), trap).rejects.toMatchObject({
        code: 'INVALID_INPUT',
      })
    expect(await readFile(at('private/etc/routes.yml'), 'utf8')).toBe('precious')
    await mkdir(at('private/deep/down'), { recursive: true })
    await symlink('private/deep/down', at('down'))
    await symlink('../up.yml', at('private/deep/down/link.yml'))
    await placeDelivery({ kind: 'routes', text: 'http: {}\n' }, at('down/link.yml'))
    expect(await readFile(at('private/deep/up.yml'), 'utf8')).toBe('http: {}\n')
    // As /etc that leads to private/etc.
    await symlink('private/etc', at('etc'))
    await placeDelivery({ kind: 'routes', text: renderRoutes([], routes) }, at('etc/routes.yml'))
    expect(await readFile(at('private/etc/routes.yml'), 'utf8')).toBe(renderRoutes([], routes))
  })

  it.runIf(isRoot)(
    'a bind mount is written in place; without room for the new text the old one stays whole',
    async () => {
      const [disk, file] = [join(directory, 'disk'), join(directory, 'hosts')]
      await mkdir(disk)
      await writeFile(file, '')
      const others = '127.0.0.1 localhost\n'.repeat(200)
      const mount = (...args: string[]) => promisify(execFile)('mount', args)
      await mount('-t', 'tmpfs', '-o', 'size=8k', 'tmpfs', disk)
      await writeFile(join(disk, 'hosts'), others)
      await mount('--bind', join(disk, 'hosts'), file)
      try {
        await placeDelivery({ kind: 'hosts', text: lines }, file)
        expect(await readFile(file, 'utf8')).toContain(lines)
        const before = await readFile(file, 'utf8')
        const tooMuch = Array.from({ length: 500 }, (_, index) => lines.replace('demo', `demo-${index}`)).join('')
        await expect(placeDelivery({ kind: 'hosts', text: tooMuch }, file)).rejects.toMatchObject({
          code: 'LOCAL_DISK_FULL',
        })
        expect(await readFile(file, 'utf8')).toBe(before)
      } finally {
        await promisify(execFile)('umount', [file])
        await promisify(execFile)('umount', [disk])
      }
    },
  )

  it('S1.54 a hosts file that is not there is refused with words, and not made of our lines alone', async () => {
    const file = join(directory, 'hosts')
    await expect(placeDelivery({ kind: 'hosts', text: lines }, file)).rejects.toMatchObject({
      code: 'REMOTE_PATH_INVALID',
      message: expect.stringContaining(`${file} is not there`),
    })
    expect(await readdir(directory)).toEqual([])
    await placeDelivery({ kind: 'routes', text: 'http: {}\n' }, join(directory, 'routes.yml'))
    expect(await readdir(directory)).toEqual(['routes.yml'])
  })

  /** Somebody else writes between our look at the file and our replacing it, so many times. */
  const disturbed = (times: number, write: (round: number) => Promise<void>): typeof writeFileAtomic => {
    let round = 0
    return async (...order) => {
      round += 1
      if (round <= times) await write(round)
      return writeFileAtomic(...order)
    }
  }

  it('S1.60 what somebody else writes into the hosts file meanwhile is kept, beside our lines', async () => {
    const file = join(directory, 'hosts')
    await writeFile(file, '127.0.0.1 localhost\n')
    const theirs = disturbed(2, (time) => appendFile(file, `10.0.0.${time} theirs-${time}\n`))
    expect(await placeDelivery({ kind: 'hosts', text: lines }, file, theirs)).toMatchObject({ written: true })
    const text = await readFile(file, 'utf8')
    for (const line of ['127.0.0.1 localhost', '10.0.0.1 theirs-1', '10.0.0.2 theirs-2', lines.trim()])
      expect(text).toContain(line)
    expect(await readdir(directory)).toEqual(['hosts'])
  })

  it('S1.60 a file that keeps changing is left alone, and said so', async () => {
    const file = join(directory, 'hosts')
    await writeFile(file, '127.0.0.1 localhost\n')
    const theirs = disturbed(99, (time) => writeFile(file, `127.0.0.1 localhost ${time}\n`))
    await expect(placeDelivery({ kind: 'hosts', text: lines }, file, theirs)).rejects.toMatchObject({
      code: 'REMOTE_FILE_CHANGED',
    })
    expect(await readFile(file, 'utf8')).toBe('127.0.0.1 localhost 5\n')
    expect(await readdir(directory)).toEqual(['hosts'])
  })

  it('S1.60 a file of routes that appears meanwhile is not written over unseen', async () => {
    const file = join(directory, 'routes.yml')
    const theirs = disturbed(1, () => writeFile(file, 'http:\n  middlewares: {}\n'))
    await placeDelivery({ kind: 'routes', text: renderRoutes([], routes) }, file, theirs)
    const kept = (await readdir(directory)).filter((name) => name.includes('before-lockstep'))
    expect(await readFile(join(directory, kept[0] ?? 'none'), 'utf8')).toBe('http:\n  middlewares: {}\n')
  })

  it('a damaged hosts file and a directory are refused with words, untouched', async () => {
    const file = join(directory, 'hosts')
    await writeFile(file, 'a\0b')
    await expect(placeDelivery({ kind: 'hosts', text: lines }, file)).rejects.toMatchObject({
      code: 'HOSTS_FILE_UNREADABLE',
    })
    expect(await readFile(file, 'utf8')).toBe('a\0b')
    await mkdir(join(directory, 'd'))
    await expect(placeDelivery({ kind: 'routes', text: 'x' }, join(directory, 'd'))).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    })
  })
})

describe('the real agent fetches', () => {
  let engine: TestEngine
  let directory: string
  const entry = join(import.meta.dirname, '../../../src/agent/main.ts')
  const run = (...args: string[]) =>
    new Promise<{ exitCode: number | null; stdout: string; stderr: string }>((resolve) => {
      const child = execFile(
        process.execPath,
        [entry, ...args, '--config', join(directory, 'etc')],
        { encoding: 'utf8' },
        (_error, stdout, stderr) => resolve({ exitCode: child.exitCode, stdout, stderr }),
      )
    })

  beforeAll(async () => {
    engine = await startTestEngine()
    directory = await mkdtemp(join(tmpdir(), 'ls-fetch-'))
    await mkdir(join(directory, 'etc'))
    await writeFile(join(directory, 'hosts'), '127.0.0.1 localhost\n')
    const file = {
      storage: { host: 'storage.invalid' },
      sync: { push: [{ source: directory, target: '/data' }] },
      deliveries: { hosts: join(directory, 'hosts') },
      lock_file: join(directory, 'lock'),
      state_directory: join(directory, 'state'),
    }
    await writeFile(join(directory, 'etc', 'agent.yaml'), stringify(file))
    await engine.client.gateway.enable({ address: '127.0.0.1', port: 0, names: ['127.0.0.1'] })
    const { secret } = await engine.client.agents.createJoinToken({ nodeName: 'laptop-09', lifetimeSeconds: 600 })
    await writeFile(join(directory, 'join'), secret)
    const enrolled = await run('enroll', '--join-file', join(directory, 'join'))
    if (enrolled.exitCode !== 0) throw new Error(enrolled.stderr)
  })
  afterAll(async () => {
    await engine.dispose()
    await rm(directory, { recursive: true, force: true })
  })

  it('S1.1 S1F.5 D11 a machine that nobody logs in to has the registry in its hosts file, and the console knows', async () => {
    await engine.client.plans.apply({
      plans: [
        PlanInput.parse({
          name: 'names',
          kind: 'hosts',
          selector: 'name:laptop-09',
          spec: { hosts: { domain: 'example.com' } },
        }),
      ],
    })
    await engine.client.registry.save({ registry: 'services', text: services, baseNumber: 0, comment: '' })
    const first = await run('fetch')
    expect(first).toMatchObject({ exitCode: 0 })
    expect(first.stdout).toContain('written and read back')
    expect(await readFile(join(directory, 'hosts'), 'utf8')).toBe(
      `127.0.0.1 localhost\n${hostsBegin}\n${lines}# lockstep hosts: end\n`,
    )
    const { plans } = await engine.node('laptop-09')
    const state = plans.find(({ planName }) => planName === 'names')
    expect(state?.observed?.revision).toBe(state?.desiredRevision)
    expect((await engine.client.runs.list({ node: 'laptop-09', limit: 10 })).runs).toHaveLength(1)

    expect((await run('fetch')).stdout).toContain('as it was')
    expect((await engine.client.runs.list({ node: 'laptop-09', limit: 10 })).runs).toHaveLength(1)

    const changed = services.replace('100.64.0.7', '100.64.0.8')
    await engine.client.registry.save({ registry: 'services', text: changed, baseNumber: 1, comment: '' })
    expect((await run('fetch')).exitCode).toBe(0)
    expect(await readFile(join(directory, 'hosts'), 'utf8')).toContain('100.64.0.8')
    const after = (await engine.node('laptop-09')).plans.find(({ planName }) => planName === 'names')
    expect(after?.observed?.revision).toBe(after?.desiredRevision)
    expect((await engine.client.runs.list({ node: 'laptop-09', limit: 10 })).runs).toHaveLength(2)
  })

  it('S1.83 S1F.5 a registry of many megabytes reaches it too', async () => {
    const label = (index: number): string => `s${index}-${'x'.repeat(50)}`
    const many = Object.fromEntries(
      Array.from({ length: 30_000 }, (_, index) => [
        label(index),
        { subdomain: label(index), ip: '100.64.0.7', port: 80, public: false },
      ]),
    )
    const newest = (await engine.client.registry.history({ registry: 'services', limit: 1 }))[0]?.number ?? 0
    const hosts = { domain: `${'d'.repeat(60)}.example.com`, shortNames: true }
    await engine.client.plans.apply({
      plans: [PlanInput.parse({ name: 'names', kind: 'hosts', selector: 'name:laptop-09', spec: { hosts } })],
    })
    await engine.client.registry.save({
      registry: 'services',
      text: JSON.stringify(many),
      baseNumber: newest,
      comment: '',
    })
    expect(await run('fetch')).toMatchObject({ exitCode: 0 })
    expect((await readFile(join(directory, 'hosts'))).length).toBeGreaterThan(4 * 1024 * 1024)
  })
})
