import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { treeDigest } from '../../support/treeDigest.ts'
import { type AgentRig, createAgentRig, type RunAnswer } from './rig.ts'

const way = [
  'INIT',
  'ENSURE_CERT',
  'ACQUIRE_LOCK',
  'REGISTER_RUN',
  'PRE_FLIGHT_CHECK',
  'PUSH_SYNC',
  'PULL_SYNC',
  'VERIFY',
  'REPORT',
  'FINALIZE',
]

describe('a run of the agent against a storage that takes certificates alone', () => {
  let rig: AgentRig
  beforeAll(async () => {
    rig = await createAgentRig({ fromSource: true })
    await rig.enroll()
    await rig.fill(1000)
  })
  afterAll(() => rig.stop())

  it('S0.40 S0.41 S0.43 S0.68 S0.76 S0.77 S0.78 S0.80 S0.87 D10 pushes 1,000 files through the states in their order and reports them', async () => {
    const answer = await rig.agentJson<RunAnswer>('run', '--key', 'first-run-1')
    expect(answer.failure).toBeNull()
    expect(answer).toMatchObject({ status: 'succeeded', reported: true })
    expect(answer.visits.map(({ state }) => state)).toEqual(way)
    expect(answer.proof).toMatchObject({ filesVerified: 1000, verify: { mode: 'agent', compared: 'checksum' } })
    expect(answer.summary).toMatchObject({ filesTotal: 1000, filesTransferred: 1000 })
    expect(await treeDigest(rig.target)).toBe(await treeDigest(rig.source))

    const known = rig.controlPlane.runById(answer.runId)
    expect(known?.run).toMatchObject({ status: 'succeeded', proof: { filesVerified: 1000 } })
    expect(known?.run.visits.map(({ state }) => state)).toEqual(way)
    expect(known?.run.summary?.durationMs).toBeGreaterThan(0)
    expect(known?.run.summary?.bytesTransferred).toBeGreaterThan(0)
    const log = await readFile(join(rig.config, 'logs', 'runs', 'first-run-1.log'), 'utf8')
    expect(known?.log.toString()).toBe(log)
    for (const state of way) expect(log).toContain(`== ${state} `)
  })

  it('S0.60 S0.88 the same key again is the same run, and nothing is sent', async () => {
    const before = rig.controlPlane.runs.size
    const answer = await rig.agentJson<RunAnswer>('run', '--key', 'first-run-1')
    expect(answer.runId).toBe([...rig.controlPlane.runs.values()][0]?.run.id)
    expect(answer.status).toBe('succeeded')
    expect(rig.controlPlane.runs.size).toBe(before)
    expect(rig.controlPlane.runs.get('first-run-1')?.registrations).toBe(2)
  })

  it('S0.79 S0.81 leaves no lock, no journal and no temporary file behind', async () => {
    expect(await readdir(rig.directory)).not.toContain('sync-agent.lock')
    expect(await readdir(join(rig.state, 'runs'))).toEqual([])
    expect(await readdir(join(rig.state, 'spool'))).toEqual([])
    expect((await readdir(rig.directory)).filter((name) => name.startsWith('sync-agent.lock'))).toEqual([])
  })

  it('S0.26 S0.38 keeps its certificate while more than min_valid_seconds are left, and gets a new one under them', async () => {
    const asked = () => rig.controlPlane.requests.filter((request) => request.endsWith('/ssh-certificate')).length
    const before = asked()
    await rig.agentJson('run')
    expect(asked()).toBe(before)
    await rig.configure({ ssh: { min_valid_seconds: 10_800 } })
    await rig.agentJson('run')
    expect(asked()).toBe(before + 1)
    await rig.configure()
  })
})
