import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { SpooledReport } from '../../../src/agent/run/spool.ts'
import { treeDigest } from '../../support/treeDigest.ts'
import { waitFor } from '../../support/waitFor.ts'
import { type AgentRig, createAgentRig, ended, type RunAnswer } from './rig.ts'

describe('a control plane that is away, refuses, or hangs', () => {
  let rig: AgentRig
  beforeAll(async () => {
    rig = await createAgentRig()
    await rig.enroll()
    await rig.fill(20)
  })
  afterAll(() => rig.stop())
  afterEach(async () => {
    rig.controlPlane.faults = []
    await rig.configure()
  })

  const spool = async (): Promise<string[]> =>
    (await readdir(join(rig.state, 'spool'))).filter((name) => !name.startsWith('.'))
  const spooled = async (): Promise<SpooledReport[]> =>
    Promise.all(
      (await spool())
        .sort()
        .map(async (name) => SpooledReport.parse(JSON.parse(await readFile(join(rig.state, 'spool', name), 'utf8')))),
    )
  const known = (key: string) => rig.controlPlane.runs.get(key)

  it('S0.60 S0.88 an answer that was lost, and errors before it: the same key is sent again and gives the one run', async () => {
    rig.controlPlane.faults = [
      { path: '/registrations/', answer: 500, times: 1 },
      { path: '/registrations/', answer: 'lose-answer', times: 1 },
    ]
    await rig.configure({ control_plane: { registration_timeout_seconds: 30 } })
    const answer = await rig.agentJson<RunAnswer>('run', '--key', 'lost-answer-1')
    expect(answer).toMatchObject({ status: 'succeeded', reported: true })
    expect(known('lost-answer-1')).toMatchObject({ registrations: 2, run: { id: answer.runId, status: 'succeeded' } })
  })

  it('S0.83 S0.84 S0.85 S0.87 D8 never registered: nothing is touched, the run fails, and the report is sent by the next run, oldest first', async () => {
    const before = await treeDigest(rig.target)
    rig.controlPlane.faults = [{ path: '/registrations/', answer: 503 }]
    for (const key of ['away-run-1', 'away-run-2']) {
      const answer = await rig.agentJson<RunAnswer>('run', '--key', key)
      expect(answer).toMatchObject({ status: 'failed', state: 'FAILED', reported: false })
      expect(answer.failure?.code).toBe('GATEWAY_UNREACHABLE')
      expect(answer.problem).toContain('the report waits in')
      expect(answer.visits.map(({ state }) => state)).not.toContain('PRE_FLIGHT_CHECK')
    }
    expect(await treeDigest(rig.target)).toBe(before)
    expect((await spooled()).map(({ key, runId }) => `${key} ${runId}`)).toEqual(['away-run-1 null', 'away-run-2 null'])
    expect(await readdir(rig.directory)).not.toContain('sync-agent.lock')

    rig.controlPlane.faults = []
    const from = rig.controlPlane.requests.length
    await rig.agentJson('run', '--key', 'back-again-1')
    expect(await spool()).toEqual([])
    for (const key of ['away-run-1', 'away-run-2'])
      expect(known(key)?.run).toMatchObject({ status: 'failed', failure: { code: 'GATEWAY_UNREACHABLE' } })
    expect(known('away-run-1')?.log.toString()).toContain('== REGISTER_RUN')
    const registrations = rig.controlPlane.requests.slice(from).filter((request) => request.includes('/registrations/'))
    expect(registrations.map((request) => request.split('/').at(-1))).toEqual([
      'away-run-1',
      'away-run-2',
      'back-again-1',
    ])
  })

  it('D8 a report that gets 500, or no answer at all: the work is done, the report waits, and goes with the next heartbeat of serve', async () => {
    for (const answer of [500, 'hang'] as const) {
      const key = `report-${answer}-1`
      rig.controlPlane.faults = [{ path: '/state', answer }]
      const ran = await rig.agentJson<RunAnswer>('run', '--key', key)
      expect(ran).toMatchObject({ status: 'succeeded', reported: false })
      expect(await spool()).toHaveLength(1)
      rig.controlPlane.faults = []
      const server = rig.spawnAgent('serve')
      await waitFor('the report', () => known(key)?.run.status === 'succeeded', { timeoutMs: 30_000 })
      expect(known(key)?.run.id).toBe(ran.runId)
      expect(await ended(server, 'SIGTERM')).toBe(0)
      expect(await spool()).toEqual([])
    }
  })

  it('a report that is too large is sent in smaller pieces', async () => {
    rig.controlPlane.faults = [{ path: '/log', answer: 413, fromBytes: 1000 }]
    const log = await rig.agentJson<RunAnswer>('run', '--key', 'large-log-1')
    expect(log.status).toBe('succeeded')
    rig.controlPlane.faults = [{ path: '/state', answer: 413, times: 2 }]
    const state = await rig.agentJson<RunAnswer>('run', '--key', 'large-state-1')
    expect(state).toMatchObject({ status: 'succeeded', reported: true })
    expect(known('large-state-1')?.run.status).toBe('succeeded')
  })

  it('a report that gets 401 is kept, and the message says to enroll again', async () => {
    rig.controlPlane.faults = [{ path: '/state', answer: 401 }]
    const answer = await rig.agentJson<RunAnswer>('run', '--key', 'refused-report-1')
    expect(answer).toMatchObject({ status: 'succeeded', reported: false })
    expect(answer.problem).toContain('enroll again')
    expect(await spool()).toHaveLength(1)
    rig.controlPlane.faults = []
    await rig.agentJson('run')
    expect(known('refused-report-1')?.run.status).toBe('succeeded')
  })

  it('a control plane that is too old or too new says to upgrade, and the run fails at once', async () => {
    rig.controlPlane.faults = [{ path: '/registrations/', answer: 426 }]
    await rig.configure({ control_plane: { registration_timeout_seconds: 600 } })
    const answer = await rig.agentJson<RunAnswer>('run', '--key', 'other-version-1')
    expect(answer.failure?.code).toBe('AGENT_VERSION_UNSUPPORTED')
    expect(answer.failure?.sentence).toContain('upgrade the older of the two')
    rig.controlPlane.faults = []
    await rig.agentJson('run')
  })

  it('S0.45 no certificate and nobody to issue one: tried three times, then failed', async () => {
    const fresh = await createAgentRig()
    await fresh.enroll()
    fresh.controlPlane.faults = [{ path: '/ssh-certificate', answer: 500 }]
    const answer = await fresh.agentJson<RunAnswer>('run', '--key', 'no-certificate-1')
    expect(answer).toMatchObject({ status: 'failed', reported: true })
    expect(answer.visits.filter(({ state }) => state === 'ENSURE_CERT')).toHaveLength(3)
    expect(answer.visits.map(({ state }) => state)).not.toContain('ACQUIRE_LOCK')
    await fresh.stop()
  })

  it('S0.45 no new certificate, but the old one still serves: the run works and warns', async () => {
    await rig.configure({ ssh: { min_valid_seconds: 57_000 } })
    rig.controlPlane.faults = [{ path: '/ssh-certificate', answer: 500 }]
    const answer = await rig.agentJson<RunAnswer>('run')
    expect(answer.status).toBe('succeeded')
    expect(answer.warnings.map(({ code }) => code)).toEqual(['CERTIFICATE_NOT_RENEWED'])
  })

  it('somebody cancels in the console: the transfer is cut and the run is canceled', async () => {
    rig.controlPlane.cancelRequestedBy = 'operator@console'
    const answer = await rig.agentJson<RunAnswer>('run', '--key', 'canceled-run-1')
    rig.controlPlane.cancelRequestedBy = null
    expect(answer.status).toBe('canceled')
    expect(known('canceled-run-1')?.run.status).toBe('canceled')
    expect(await readdir(rig.directory)).not.toContain('sync-agent.lock')
  })
})
