import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { splitPem } from '../../../src/agent/control/enrollment.ts'
import type { AgentStatus } from '../../../src/agent/status.ts'
import type { DoctorReport } from '../../../src/shared/model/diagnosis.ts'
import { waitFor } from '../../support/waitFor.ts'
import { strangeRoot } from './controlPlane.ts'
import { type AgentRig, createAgentRig, ended } from './rig.ts'

describe('an agent that stays', () => {
  let rig: AgentRig
  beforeAll(async () => {
    rig = await createAgentRig()
    await rig.enroll()
    await rig.fill(10)
  })
  afterAll(() => rig.stop())
  afterEach(async () => {
    rig.controlPlane.faults = []
    await rig.configure()
  })

  const sync = () => ({ push: [{ source: rig.source, target: rig.target }] })
  const succeeded = () => [...rig.controlPlane.runs.values()].filter(({ run }) => run.status === 'succeeded')

  it('S0.35 says that it lives and what it does, and trusts new roots once they are on disk', async () => {
    const extra = await strangeRoot()
    rig.controlPlane.moreRoots.push(extra)
    const server = rig.spawnAgent('serve')
    const heartbeat = await waitFor('a heartbeat', () => rig.controlPlane.heartbeats.at(-1), { timeoutMs: 30_000 })
    expect(heartbeat).toMatchObject({ activity: { status: 'idle', nextRunAt: null }, lock: null, spooledReports: 0 })
    expect(heartbeat.spec.push).toEqual(sync().push)
    await waitFor('both roots on disk', async () => {
      const roots = splitPem(await readFile(join(rig.config, 'control-plane', 'roots.pem'), 'utf8'))
      return roots.length === 2
    })
    expect(await ended(server, 'SIGTERM')).toBe(0)

    const again = rig.spawnAgent('serve')
    await waitFor('a heartbeat with both roots', () => rig.controlPlane.heartbeats.at(-1)?.trustedRoots.length === 2, {
      timeoutMs: 30_000,
    })
    expect(await ended(again, 'SIGTERM')).toBe(0)
    rig.controlPlane.moreRoots.length = 0
  })

  it('renews its client certificate when it is told to, and uses the new one', async () => {
    const before = await readFile(join(rig.config, 'control-plane', 'client.crt'), 'utf8')
    rig.controlPlane.renewClientCertificate = true
    const server = rig.spawnAgent('serve')
    await waitFor('the new certificate', async () => {
      return (await readFile(join(rig.config, 'control-plane', 'client.crt'), 'utf8')) !== before
    })
    expect(await ended(server, 'SIGTERM')).toBe(0)
    expect((await rig.agent('run')).exitCode).toBe(0)
  })

  it('runs by its schedule, and after sleep catches up once, however many times were missed', async () => {
    const runs = succeeded().length
    await rig.configure({ sync: { ...sync(), schedule: '0 4 * * *' } })
    const missed = { expression: '0 4 * * *', nextRunAt: Date.now() - 10 * 86_400_000 }
    await writeFile(join(rig.state, 'schedule.json'), JSON.stringify(missed))
    const server = rig.spawnAgent('serve')
    await waitFor('the run', () => succeeded().length > runs, { timeoutMs: 60_000 })
    const next = await waitFor('the next time', async () => {
      const state = JSON.parse(await readFile(join(rig.state, 'schedule.json'), 'utf8')) as { nextRunAt: number }
      return state.nextRunAt > Date.now() ? state.nextRunAt : null
    })
    expect(new Date(next).getHours()).toBe(4)
    expect(await ended(server, 'SIGTERM')).toBe(0)
    expect(succeeded()).toHaveLength(runs + 1)
    expect(succeeded().at(-1)?.run.requestedBy).toBe('schedule')
  })

  it('S0.86 told to stop in the middle of a run it gives the lock back, and goes on with the same run at the next start', async () => {
    rig.controlPlane.faults = [{ path: '/ssh-certificate', answer: 'hang' }]
    await rig.configure({ ssh: { min_valid_seconds: 57_000 }, control_plane: { request_timeout_seconds: 300 } })
    const child = rig.spawnAgent('run', '--key', 'stopped-run-1')
    await waitFor('the request that hangs', () => rig.controlPlane.requests.at(-1)?.endsWith('/ssh-certificate'))
    await ended(child, 'SIGTERM')
    const status = await rig.agentJson<AgentStatus>('status')
    expect(status).toMatchObject({ lock: null, runs: [{ key: 'stopped-run-1', status: 'queued' }] })
    rig.controlPlane.faults = []
    const runs = succeeded().length
    const server = rig.spawnAgent('serve')
    await waitFor('the run to go on', () => rig.controlPlane.runs.get('stopped-run-1')?.run.status === 'succeeded', {
      timeoutMs: 60_000,
    })
    expect(succeeded()).toHaveLength(runs + 1)
    expect(await ended(server, 'SIGTERM')).toBe(0)
  })

  it('starts nothing by schedule while a run is halted', async () => {
    const empty = join(rig.directory, 'empty')
    await mkdir(empty)
    const halting = { push: [{ source: empty, target: rig.target }], schedule: '0 4 * * *' }
    await rig.configure({ sync: halting })
    expect((await rig.agent('run', '--key', 'halted-by-hand')).exitCode).toBe(6)
    const runs = rig.controlPlane.runs.size
    await writeFile(join(rig.state, 'schedule.json'), JSON.stringify({ expression: '0 4 * * *', nextRunAt: 1 }))
    const server = rig.spawnAgent('serve')
    await waitFor('the word about it', async () =>
      (await readFile(join(rig.config, 'logs', 'agent.log'), 'utf8')).includes(
        'nothing is started while a run is halted',
      ),
    )
    expect(await ended(server, 'SIGTERM')).toBe(0)
    expect(rig.controlPlane.runs.size).toBe(runs)
    await rig.configure()
    expect((await rig.agent('run')).exitCode).toBe(0)
  })

  it('doctor finds nothing when all is well, and names the one cause when not', async () => {
    expect((await rig.agent('run')).exitCode).toBe(0)
    const well = await rig.agentJson<DoctorReport>('doctor')
    expect(well.diagnosis).toBeNull()
    expect(well.steps.map(({ name, status }) => `${name} ${status}`)).toEqual(
      [
        'configuration',
        'programs',
        'control plane',
        'key',
        'certificate',
        'lock',
        'sources',
        'storage name',
        'host key',
        'login',
      ].map((name) => `${name} ok`),
    )
    expect(well.steps.find(({ name }) => name === 'control plane')?.detail).toMatch(
      /its clock is \d+ s (behind|ahead of) ours/,
    )

    rig.controlPlane.clockSkewMs = 300_000
    const skewed = await rig.agentJson<DoctorReport>('doctor')
    rig.controlPlane.clockSkewMs = 0
    expect(skewed.steps.find(({ name }) => name === 'control plane')).toMatchObject({ status: 'warning' })
    expect(skewed.steps.find(({ name }) => name === 'control plane')?.detail).toMatch(
      /(299|300|301) s ahead of ours: set both clocks/,
    )

    await rig.configure({ sync: { push: [{ source: '/no/such/source', target: rig.target }] } })
    const ill = await rig.agentJson<DoctorReport>('doctor')
    expect(ill.diagnosis).toMatchObject({ code: 'SOURCE_MISSING' })
    expect((await rig.agent('doctor')).exitCode).toBe(1)
  })
})
