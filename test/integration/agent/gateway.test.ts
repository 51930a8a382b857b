import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runStates } from '../../../src/shared/model/run.ts'
import { type GatewayRig, operator, startGateway } from '../../support/gatewayRig.ts'
import { treeDigest } from '../../support/treeDigest.ts'
import { waitFor } from '../../support/waitFor.ts'
import { type AgentRig, createAgentRig, ended, type RunAnswer } from './rig.ts'

describe('the agent and the gateway of the engine', () => {
  let gateway: GatewayRig
  let rig: AgentRig

  beforeAll(async () => {
    gateway = await startGateway()
    const { publicKey } = await gateway.pki.authority.describe()
    rig = await createAgentRig({ sshd: { trustedUserCa: publicKey, principals: ['sync-agent'] } })
    await rig.enroll(await joinSecret())
    await rig.fill(1000)
  })
  afterAll(async () => {
    await rig.stop()
    await gateway.dispose()
  })

  const joinSecret = async (): Promise<string> =>
    (await gateway.side.agents.createJoinToken({ nodeName: 'agent-01', lifetimeSeconds: 3_600 }, operator)).secret
  const storedRun = async (id: string) => (await gateway.store.listRuns({ limit: 100 })).find((run) => run.id === id)
  const logOf = async (run: { id: string; logBytes: number }): Promise<string> => {
    const page = await gateway.logs.read(run.id as never, 0, 1 << 20)
    return Buffer.from(page).toString('utf8')
  }

  it('S0.58 S0.59 S0.76 S0.77 S0.78 pushes 1,000 files with a certificate of our authority, and the run is in the store whole', async () => {
    const answer = await rig.agentJson<RunAnswer>('run', '--key', 'real-gateway-1')
    expect(answer.failure).toBeNull()
    expect(answer).toMatchObject({ status: 'succeeded', reported: true, proof: { filesVerified: 1000 } })
    expect(await treeDigest(rig.target)).toBe(await treeDigest(rig.source))
    const run = await storedRun(answer.runId)
    expect(run).toMatchObject({ status: 'succeeded', state: 'FINALIZE', planKind: 'agent', proof: answer.proof })
    expect(run?.visits).toEqual(answer.visits)
    expect(run?.summary).toEqual(answer.summary)
    expect(run === undefined ? '' : await logOf(run)).toBe(
      await readFile(join(rig.config, 'logs', 'runs', 'real-gateway-1.log'), 'utf8'),
    )
  })

  it('S0.60 S0.88 the same key again is the same run', async () => {
    const [first] = await gateway.store.listRuns({ limit: 100 })
    const again = await rig.agentJson<RunAnswer>('run', '--key', 'real-gateway-1')
    expect(again).toMatchObject({ runId: first?.id, status: 'succeeded' })
    expect(await gateway.store.listRuns({ limit: 100 })).toHaveLength(1)
  })

  it('S0.84 D8 failed before it was registered, sent later: the store has the failure with its cause', async () => {
    await rig.configure({ lock_file: join(rig.directory, 'nowhere', 'lock') })
    const answer = await rig.agentJson<RunAnswer>('run', '--key', 'real-gateway-2')
    await rig.configure()
    expect(answer).toMatchObject({ status: 'failed', reported: true })
    const run = (await gateway.store.listRuns({ limit: 100 })).find((one) => one.idempotencyKey === 'real-gateway-2')
    expect(run).toMatchObject({ status: 'failed', state: 'FAILED', failure: { code: 'HOME_NOT_WRITABLE' } })
  })

  it('S0.86 S0.88 killed in the middle with its journal lost: the same key goes on with the same run', async () => {
    const killed = rig.spawnAgent('run', '--key', 'real-gateway-3')
    const registered = async () =>
      (await gateway.store.listRuns({ limit: 100 })).find(
        (run) => run.idempotencyKey === 'real-gateway-3' && run.visits.length > 4,
      )
    const before = await waitFor('a state in the store', registered)
    await ended(killed)
    await rm(join(rig.state, 'runs'), { recursive: true })
    const answer = await rig.agentJson<RunAnswer>('run', '--key', 'real-gateway-3')
    expect(answer).toMatchObject({ runId: before.id, status: 'succeeded', reported: true })
    const run = await storedRun(before.id)
    expect(run).toMatchObject({ status: 'succeeded' })
    expect(run?.attempts.map(({ status }) => status)).toEqual(['interrupted', 'succeeded'])
  })

  it('S0.86 S0.88 killed as soon as the store shows a state: the next start ends the same run, once for each key', async () => {
    const before = (await gateway.store.listRuns({ limit: 100 })).length
    const states = ['REGISTER_RUN', 'PRE_FLIGHT_CHECK', 'PUSH_SYNC', 'VERIFY', 'FINALIZE'] as const
    for (const state of states) {
      const key = `killed-in-${state}`
      const known = async () => (await gateway.store.listRuns({ limit: 100 })).find((run) => run.idempotencyKey === key)
      const child = rig.spawnAgent('run', '--key', key)
      const seen = await waitFor(state, async () => {
        const run = await known()
        return run !== undefined && runStates.indexOf(run.state) >= runStates.indexOf(state) ? run : null
      })
      await ended(child)
      const answer = await rig.agentJson<RunAnswer>('run', '--key', key)
      expect(answer, state).toMatchObject({ runId: seen.id, status: 'succeeded', reported: true })
      expect(await known(), state).toMatchObject({ id: seen.id, status: 'succeeded' })
    }
    expect(await gateway.store.listRuns({ limit: 100 })).toHaveLength(before + states.length)
    expect(await treeDigest(rig.target)).toBe(await treeDigest(rig.source))
  })

  it('revoked: the report is refused, and the message says to enroll again; enrolled anew it works', async () => {
    const [agent] = await gateway.side.agents.list()
    if (agent === undefined) throw new Error('there is no agent')
    await gateway.side.agents.revoke(agent.id, 'test', operator)
    const answer = await rig.agent('run')
    expect(answer.exitCode).not.toBe(0)
    expect(answer.stdout + answer.stderr).toContain('enroll again')
    await rig.enroll(await joinSecret())
    expect((await rig.agentJson<RunAnswer>('run')).status).toBe('succeeded')
  })
})
