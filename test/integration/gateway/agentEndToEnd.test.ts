import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { knownHostName } from '../../../src/core/agent/sshConfig.ts'
import { runStates } from '../../../src/shared/model/run.ts'
import { startTestEngine, type TestEngine } from '../../support/engine.ts'
import { startSshd, type TestSshd } from '../../support/sshd.ts'
import { waitFor } from '../../support/waitFor.ts'

const entry = join(import.meta.dirname, '../../../src/agent/main.ts')

interface Answer {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

/** The agent from its sources, on a host that is a directory. */
class AgentHost {
  readonly directory: string
  readonly #children = new Set<ChildProcess>()

  constructor(directory: string) {
    this.directory = directory
  }

  at(name: string): string {
    return join(this.directory, name)
  }

  async configure(sshd: TestSshd, registrationSeconds = 20): Promise<void> {
    for (const name of ['etc', 'source', 'storage']) await mkdir(this.at(name), { recursive: true })
    const file = {
      storage: { host: sshd.address, port: sshd.port, user: sshd.user },
      sync: { push: [{ source: this.at('source'), target: this.at('storage') }] },
      lock_file: this.at('sync-agent.lock'),
      state_directory: this.at('state'),
      control_plane: { request_timeout_seconds: 20, registration_timeout_seconds: registrationSeconds },
    }
    await writeFile(join(this.at('etc'), 'agent.yaml'), stringify(file))
  }

  agent(...args: string[]): Promise<Answer> {
    return new Promise((resolve) => {
      const child = execFile(
        process.execPath,
        [entry, ...args, '--config', this.at('etc')],
        { maxBuffer: 16 << 20, encoding: 'utf8' },
        (_error, stdout, stderr) => resolve({ exitCode: child.exitCode, stdout, stderr }),
      )
    })
  }

  spawn(...args: string[]): ChildProcess {
    const child = spawn(process.execPath, [entry, ...args, '--config', this.at('etc')], { stdio: 'ignore' })
    this.#children.add(child)
    return child
  }

  async stop(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await gone
    }
    await rm(this.directory, { recursive: true, force: true })
  }
}

describe('the agent against the engine', () => {
  let engine: TestEngine
  let sshd: TestSshd
  let host: AgentHost
  let userAuthority: string

  beforeAll(async () => {
    engine = await startTestEngine()
    await engine.client.certificates.createAuthorities({ kinds: ['ssh-user'] })
    const authorities = await engine.client.certificates.authorities()
    userAuthority = authorities.find((authority) => authority.kind === 'ssh-user')?.publicKey ?? ''
    sshd = await startSshd({ trustedUserCa: userAuthority, principals: ['sync-agent'] })
    await engine.client.gateway.enable({ address: '127.0.0.1', port: 0, names: ['127.0.0.1'] })
    host = new AgentHost(await mkdtemp(join(tmpdir(), 'ls-agent-host-')))
    await host.configure(sshd)
    for (let index = 0; index < 1_000; index += 1) {
      const folder = join(host.at('source'), `d${index % 10}`)
      if (index < 10) await mkdir(folder)
      await writeFile(join(folder, `f${index}.txt`), `content ${index}\n`)
    }
  })

  afterAll(async () => {
    await host?.stop()
    await sshd?.stop()
    await engine?.dispose()
  })

  it('S0.27 S0.32 D10 enrolls with one command', async () => {
    const { command, secret } = await engine.client.agents.createJoinToken({ nodeName: 'agent-host' })
    expect(command).toBe(`printf %s '${secret}' | sudo lockstep-agent enroll --join-file -`)
    const answer = await host.agent('enroll', '--join', secret)
    expect([answer.exitCode, answer.stderr]).toEqual([0, ''])
    expect(await engine.client.agents.get({ agent: 'agent-host' })).toMatchObject({ status: 'active' })
    const known = sshd.hostKeys.map((key) => `${knownHostName(sshd.address, sshd.port)} ${key}\n`)
    await writeFile(join(host.at('etc'), 'ssh', 'known_hosts'), known.join(''))
    expect(engine.logLines.join('')).not.toContain(secret)
    const again = await host.agent('enroll', '--join', secret)
    expect(again.exitCode).not.toBe(0)
  })

  it('S0.39 S0.58 S0.59 S0.76 S0.77 S0.78 pushes 1,000 files to a storage that takes our certificates alone, and the run is in the console', async () => {
    const answer = await host.agent('run', '--key', 'end-to-end-1', '--json')
    expect(answer.stdout).not.toBe('')
    const told = JSON.parse(answer.stdout)
    expect(told).toMatchObject({ status: 'succeeded', reported: true, failure: null })

    const [run] = (await engine.client.runs.list({ node: 'agent-host', limit: 5 })).runs
    expect(run).toMatchObject({ id: told.runId, status: 'succeeded', trigger: 'agent', planKind: 'agent' })
    expect(run?.visits.map((visit) => visit.state)).toEqual(runStates.slice(0, 10))
    expect(run?.visits.every((visit) => visit.leftAt !== null && visit.leftAt >= visit.enteredAt)).toBe(true)
    expect(run?.summary).toMatchObject({ filesTotal: 1_000, filesTransferred: 1_000 })
    expect(run?.summary?.bytesTransferred).toBeGreaterThan(0)
    expect(run?.proof).toMatchObject({ filesVerified: 1_000, verify: { mode: 'agent', compared: 'checksum' } })
    const files = await readdir(host.at('storage'), { recursive: true })
    expect(files.filter((name) => name.endsWith('.txt'))).toHaveLength(1_000)

    const log = await engine.client.runs.log({ runId: told.runId, offset: 0, maxBytes: 262_144 })
    const text = Buffer.from(log.base64, 'base64').toString('utf8')
    for (const state of runStates.slice(0, 10)) expect(text).toContain(state)
    expect(log).toMatchObject({ complete: true, totalBytes: run?.logBytes })

    const node = await engine.node('agent-host')
    expect(node).toMatchObject({ status: 'active', activeRunId: null, reachability: { status: 'reachable' } })
    expect(node.plans[0]?.observed).toMatchObject({ revision: 1, runId: told.runId, digest: told.proof.digest })
    expect(node.certificate).toMatchObject({ serial: run?.certificateSerial, acceptedAt: expect.any(Number) })
    const issued = await engine.client.certificates.list({ node: 'agent-host', limit: 10 } as never)
    expect(JSON.stringify(issued)).toContain('"purpose":"agent"')
  })

  it('S0.60 S0.88 the same key again is the same run', async () => {
    const answer = JSON.parse((await host.agent('run', '--key', 'end-to-end-1', '--json')).stdout)
    const { runs } = await engine.client.runs.list({ node: 'agent-host', limit: 5 })
    expect(runs.map((run) => run.id)).toEqual([answer.runId])
  })

  it('nothing can be pushed to its node, and its plan is its own', async () => {
    const push = { idempotencyKey: 'push-to-an-agent', plans: [], targets: { kind: 'nodes', nodes: ['agent-host'] } }
    await expect(engine.client.runs.push(push as never)).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    await expect(engine.client.nodes.remove({ node: 'agent-host' })).rejects.toMatchObject({
      code: 'PRECONDITION_FAILED',
    })
  })

  it('D8 S0.87 a run that ended while the engine was away is told when it is back, under its key', async () => {
    const { port, settings } = await engine.client.gateway.status()
    await engine.client.gateway.enable({ ...(settings as NonNullable<typeof settings>), port: port ?? 0 })
    await writeFile(join(host.at('source'), 'new.txt'), 'new\n')
    await engine.client.gateway.disable()
    await host.configure(sshd, 2)
    const { stdout } = await host.agent('run', '--key', 'end-to-end-2', '--json')
    await host.configure(sshd)
    expect(JSON.parse(stdout)).toMatchObject({ status: 'failed', reported: false })
    engine = await engine.restart()
    await engine.client.gateway.enable({ address: '127.0.0.1', port: port ?? 0, names: ['127.0.0.1'] })
    const next = JSON.parse((await host.agent('run', '--key', 'end-to-end-3', '--json')).stdout)
    expect(next).toMatchObject({ status: 'succeeded', reported: true })
    const told = await waitFor('both runs', async () => {
      const { runs } = await engine.client.runs.list({ node: 'agent-host', limit: 5 })
      return runs.length === 3 && runs
    })
    expect(told.map((run) => [run.idempotencyKey, run.status])).toEqual(
      expect.arrayContaining([
        ['end-to-end-2', 'failed'],
        ['end-to-end-3', 'succeeded'],
      ]),
    )
  }, 120_000)

  it('a run that halted waits in the console and is approved on its host', async () => {
    await rename(host.at('source'), host.at('source.away'))
    await mkdir(host.at('source'))
    const halted = JSON.parse((await host.agent('run', '--key', 'end-to-end-halt', '--json')).stdout)
    expect(halted).toMatchObject({ status: 'halted', halt: { reason: 'source-empty' } })
    expect(await engine.client.runs.get({ runId: halted.runId })).toMatchObject({ status: 'halted', approvals: [] })
    expect((await engine.node('agent-host')).haltedRunId).toBe(halted.runId)
    const approval = engine.client.runs.approve({ runId: halted.runId, reason: 'source-empty' })
    await expect(approval).rejects.toMatchObject({ code: 'UNSUPPORTED', message: expect.stringContaining('--approve') })
    await rm(host.at('source'), { recursive: true })
    await rename(host.at('source.away'), host.at('source'))
    const next = JSON.parse((await host.agent('run', '--approve', 'source-empty', '--json')).stdout)
    expect(next).toMatchObject({ runId: halted.runId, status: 'succeeded' })
    const ended = await engine.client.runs.get({ runId: halted.runId })
    expect(ended).toMatchObject({ status: 'succeeded', approvals: [{ reason: 'source-empty' }] })
    expect(await engine.node('agent-host')).toMatchObject({ haltedRunId: null, status: 'active' })
  }, 120_000)

  it('a cancel from the console stops it, and a revoked agent gets nowhere', async () => {
    // A storage that lets the agent in and then does not answer: there is time to cancel.
    const slow = await startSshd({
      trustedUserCa: userAuthority,
      principals: ['sync-agent'],
      extraConfig: ['ForceCommand sleep 30'],
    })
    try {
      const known = [sshd, slow].flatMap((server) =>
        server.hostKeys.map((key) => `${knownHostName(server.address, server.port)} ${key}\n`),
      )
      await writeFile(join(host.at('etc'), 'ssh', 'known_hosts'), known.join(''))
      await host.configure(slow)
      const child = host.spawn('run', '--key', 'end-to-end-4')
      const run = await waitFor('the run', async () => {
        const [newest] = (await engine.client.runs.list({ node: 'agent-host', limit: 1 })).runs
        return newest?.idempotencyKey === 'end-to-end-4' && newest.state === 'PRE_FLIGHT_CHECK' && newest
      })
      expect(await engine.client.runs.cancel({ runId: run.id })).toMatchObject({ status: 'running' })
      await waitFor('its end', () => child.exitCode !== null, { timeoutMs: 60_000 })
      expect(await engine.client.runs.get({ runId: run.id })).toMatchObject({
        status: 'canceled',
        cancellation: { by: 'tester@here', stopConfirmed: true },
      })
    } finally {
      await slow.stop()
    }

    await engine.client.agents.revoke({ agent: 'agent-host', reason: 'end of the test' })
    const refused = await host.agent('run', '--key', 'end-to-end-5', '--json')
    expect(refused.exitCode).not.toBe(0)
    expect(`${refused.stdout}${refused.stderr}`).toMatch(/enroll/i)
    expect((await engine.client.runs.list({ node: 'agent-host', limit: 10 })).runs).toHaveLength(5)
  }, 120_000)
})
