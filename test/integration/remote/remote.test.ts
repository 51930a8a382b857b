import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { hostname, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { AuditEntry } from '../../../src/shared/model/audit.ts'
import { DemoStatus } from '../../../src/shared/model/demo.ts'
import { FleetNode } from '../../../src/shared/model/node.ts'
import { waitFor } from '../../support/waitFor.ts'
import { type CliOptions, type Daemon, json, makeHome, refused, runCli, serveDaemon } from '../cli/harness.ts'
import { makeKey, type RemoteRig, startRemoteRig } from './rig.ts'

/** A home of the operator's laptop, where nothing is. */
let laptop: string
/** The home of the control plane. */
let control: string
let removeHomes: () => Promise<void>
let rig: RemoteRig
let daemon: Daemon
/** Where local ends of tunnels are made; empty when all of them are gone. */
let temporary: string

beforeAll(async () => {
  const [first, second] = [await makeHome(), await makeHome()]
  laptop = first.home
  control = second.home
  temporary = await mkdtemp(join(tmpdir(), 'ls-t-'))
  removeHomes = async () => {
    await first.remove()
    await second.remove()
    await rm(temporary, { recursive: true, force: true })
  }
  rig = await startRemoteRig([`SetEnv SHLVL=5 LOCKSTEP_HOME=${control}`])
  daemon = await serveDaemon(control, ['--demo', '--nodes', '2'])
})
afterAll(async () => {
  await runCli(control, ['demo', 'down'])
  await daemon.stop()
  await rig.dispose()
  await removeHomes()
})

const options = (more: CliOptions = {}): CliOptions => ({
  ...more,
  env: { ...rig.environment, TMPDIR: temporary, ...more.env },
})
const there = (...args: string[]): string[] => ['--host', 'control', '--remote-home', control, ...args]
const remote = <T extends z.ZodType>(schema: T, ...args: string[]) => json(laptop, there(...args), schema, options())
const no = (args: readonly string[], more: CliOptions = {}) => refused(laptop, args, options(more))

/** Programs whose environment says that they belong to this test file and use this directory for their sockets. */
function tunnels(): string[] {
  const mark = `TMPDIR=${temporary}`
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
        return environment.includes(mark) && readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('ssh')
      } catch {
        return false
      }
    })
}

const nothingLeft = () => waitFor('the tunnel to be gone', () => tunnels().length === 0)

describe('a control plane on another machine', () => {
  it('S1.92 S1.102 every command reaches it over ssh: the answer is the one of its own machine', async () => {
    const nodes = await remote(z.array(FleetNode), 'nodes', 'list')
    expect(nodes.map(({ name }) => name)).toEqual(
      (await json(control, ['nodes', 'list'], z.array(FleetNode))).map(({ name }) => name),
    )
    const status = await remote(z.object({ home: z.string(), host: z.string(), owner: z.string() }), 'status')
    expect(status).toMatchObject({ home: control, host: 'daemon', owner: 'daemon' })
    const pushed = await runCli(laptop, there('push', '--all', '--wait'), options())
    expect(pushed).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/succeeded\.\n$/) })
    await nothingLeft()
    expect(await readdir(temporary)).toEqual([])
    // Nothing was made where the operator sits.
    expect(await readdir(laptop)).toEqual([])
  })

  it('two operators share one truth: both see what either does, and the log names them beside the login they had', async () => {
    const audit = z.object({ entries: z.array(AuditEntry) }).or(z.array(AuditEntry))
    const [first, second] = await Promise.all([
      remote(FleetNode, 'nodes', 'update', 'edge-fra-1', '--label', 'seen=one'),
      remote(FleetNode, 'nodes', 'update', 'ada-laptop', '--label', 'seen=two'),
    ])
    expect([first.labels.seen, second.labels.seen]).toEqual(['one', 'two'])
    const nodes = await json(control, ['nodes', 'list'], z.array(FleetNode))
    expect(nodes.map(({ labels }) => labels.seen).sort()).toEqual(['one', 'two'])
    await remote(z.unknown(), 'cert', 'renew', 'edge-fra-1')
    const entries = await remote(audit, 'audit', 'list')
    const actors = (Array.isArray(entries) ? entries : entries.entries).map(({ actor }) => actor)
    const me = `${userInfo().username}@${hostname()}`
    expect(actors).toContain(`${me} as ${me}`)
  })

  it('S1F.4 finds it in the usual places when none is named, and says so when there is none', async () => {
    const found = await json(laptop, ['--host', 'control', 'status'], z.object({ home: z.string() }), options())
    expect(found.home).toBe(control)
    const { exitCode, error } = await no(['--host', 'control', '--remote-home', `${control}/elsewhere`, 'status'])
    expect(exitCode).toBe(5)
    expect(error).toMatchObject({ code: 'CONTROL_PLANE_UNREACHABLE', data: { host: 'control', reason: 'no-daemon' } })
    expect(error.message).toMatch(/lockstep serve.*--remote-home/)
    await nothingLeft()
  })

  it('commands about the machine itself are not sent away', async () => {
    for (const command of [['serve'], ['open-link'], ['service', 'status'], ['doctor'], ['demo', 'status']])
      expect(await no(there(...command))).toMatchObject({ exitCode: 2, error: { code: 'INVALID_INPUT' } })
    for (const host of ['-oProxyCommand=x', 'a b', 'user@', 'host:0', 'host:70000', '$(id)'])
      expect(await no([`--host=${host}`, 'status'])).toMatchObject({ exitCode: 2, error: { code: 'INVALID_INPUT' } })
    expect((await runCli(laptop, there('doctor', 'edge-fra-1'), options())).exitCode).toBe(0)
  })
})

describe('what can be wrong on the way', () => {
  it('S1.92 a host key that changed, or was never seen, is never taken over, whatever is configured', async () => {
    const other = await makeKey(join(rig.directory, 'other-host'))
    for (const trusted of [[other], []]) {
      await rig.trust(trusted)
      await rig.configure({ StrictHostKeyChecking: 'accept-new' })
      const { error, exitCode } = await no(there('status'))
      expect(exitCode).toBe(5)
      expect(error).toMatchObject({ code: 'CONTROL_PLANE_UNREACHABLE', data: { reason: 'host-key' } })
      expect(error.message).toContain('Nothing was sent.')
      // And it was not written down.
      const known = readFileSync(join(rig.directory, 'known_hosts'), 'utf8')
      for (const key of rig.sshd.hostKeys) expect(known).not.toContain(key.split(' ')[1] ?? key)
    }
    await rig.trust(rig.sshd.hostKeys)
    await rig.configure({})
  })

  it('names a refused key, a closed port, an unknown name and a missing ssh, each with the next step', async () => {
    await makeKey(join(rig.directory, 'stranger'))
    const reasonOf = async (changes: Record<string, string>) => {
      await rig.configure(changes)
      const { error } = await no(there('status'))
      expect(error.code).toBe('CONTROL_PLANE_UNREACHABLE')
      return error.data?.reason
    }
    expect(await reasonOf({ IdentityFile: join(rig.directory, 'stranger') })).toBe('key-refused')
    expect(await reasonOf({ Port: '1' })).toBe('unreachable')
    expect(await reasonOf({ HostName: 'no-such-name.invalid' })).toBe('name-unknown')
    await rig.configure({})
    const { error } = await no(there('status'), { env: { PATH: laptop } })
    expect(error).toMatchObject({ code: 'CONTROL_PLANE_UNREACHABLE', data: { reason: 'ssh-missing' } })
  })

  it('an sshd that forwards no sockets, and a socket of a daemon that is gone, are told apart', async () => {
    const strict = await startRemoteRig(['AllowStreamLocalForwarding no'])
    try {
      const env = { ...strict.environment, TMPDIR: temporary }
      const { error } = await refused(laptop, there('status'), { env })
      expect(error).toMatchObject({ data: { reason: 'forwarding-refused' } })
      expect(error.message).toContain('AllowStreamLocalForwarding')
    } finally {
      await strict.dispose()
    }
    const killed = await makeHome()
    const shortLived = await serveDaemon(killed.home)
    await shortLived.stop('SIGKILL')
    const { error } = await no(['--host', 'control', '--remote-home', killed.home, 'status'])
    expect(error).toMatchObject({ data: { reason: 'no-daemon' } })
    await killed.remove()
  })

  it('whoever listens there and is no Lockstep of our version is named, and gets no request', async () => {
    const asked: string[] = []
    for (const [answer, says] of [
      ['{"program":"lockstep","version":"99.1.0","home":"/x","runsAs":"a@b"}', /There it is 99\.1\.0, here /],
      ['<html>', /another version of Lockstep/],
    ] as const) {
      const home = await mkdtemp(join(tmpdir(), 'ls-odd-'))
      const server = await oddServer(home, answer, asked)
      const { error } = await no(['--host', 'control', '--remote-home', home, 'status'])
      expect(error).toMatchObject({ data: { reason: 'other-version' } })
      expect(error.message).toMatch(says)
      await new Promise((resolve) => server.close(resolve))
      await rm(home, { recursive: true })
    }
    expect(asked).toEqual(['GET /hello HTTP/1.1', 'GET /hello HTTP/1.1'])
  })
})

/** Answers every request with this body, and notes what was asked. */
async function oddServer(home: string, body: string, asked: string[]): Promise<Server> {
  const { mkdir } = await import('node:fs/promises')
  await mkdir(join(home, 'run'))
  const server = createServer((socket) => {
    socket.once('data', (data) => {
      asked.push(data.toString('latin1').split('\r\n')[0] ?? '')
      socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`)
    })
  })
  await new Promise<void>((resolve) => server.listen(join(home, 'run/engine.sock'), resolve))
  return server
}

describe('the end of the way', () => {
  /** A push that is under way for as long as nobody heals the node. */
  const pushSlowly = async (onStart: CliOptions['onStart'] = () => undefined) => {
    await json(control, ['demo', 'fault', 'edge-fra-1', 'slow'], DemoStatus)
    return runCli(laptop, there('push', 'edge-fra-1', '--wait', '--json'), { ...options(), onStart })
  }
  const heal = () => json(control, ['demo', 'heal', 'edge-fra-1'], DemoStatus)
  const running = () =>
    waitFor('a run under way', async () => {
      const { runs } = await json(control, ['runs', 'list', '--status', 'running'], Runs)
      return runs.length > 0 && runs
    })

  it('ssh ends with a command that is killed, however hard, and the run goes on', async () => {
    const killed = Promise.withResolvers<Runs['runs']>()
    const answer = await pushSlowly((child) => {
      running().then((runs) => {
        expect(tunnels()).not.toEqual([])
        child.kill('SIGKILL')
        killed.resolve(runs)
      }, killed.reject)
    })
    expect(answer.exitCode).toBeNull()
    await nothingLeft()
    await heal()
    const [run] = await killed.promise
    await settled(run?.id ?? '')
  })

  it('S0.88 a push that waits finds its own runs again when the connection is cut in the middle', async () => {
    const cut = Promise.withResolvers<Runs['runs']>()
    const pushed = await pushSlowly(() => {
      running()
        .then(async (runs) => {
          const gone = tunnels()
          for (const pid of gone) process.kill(Number(pid), 'SIGKILL')
          await waitFor('another way', () => tunnels().some((pid) => !gone.includes(pid)))
          await heal()
          cut.resolve(runs)
        })
        .catch(cut.reject)
    })
    const before = await cut.promise
    expect(pushed, pushed.stderr).toMatchObject({ exitCode: 0 })
    const { runs } = Runs.parse(JSON.parse(pushed.stdout))
    expect(runs.map(({ id }) => id)).toEqual(expect.arrayContaining(before.map(({ id }) => id)))
    await nothingLeft()
  })
})

const Runs = z.object({ runs: z.array(z.object({ id: z.string(), status: z.string() })) })
type Runs = z.infer<typeof Runs>

const settled = (runId: string) =>
  waitFor('the run to end', async () => {
    const { runs } = await json(control, ['runs', 'list'], Runs)
    return runs.find(({ id }) => id === runId)?.status === 'succeeded'
  })
