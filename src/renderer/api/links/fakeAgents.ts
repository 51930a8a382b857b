import { implement } from '@orpc/server'
import { contract } from '../../../shared/contract/index.ts'
import { AppError } from '../../../shared/errors.ts'
import type { Agent, GatewaySettings, GatewayStatus, JoinToken, NewJoinToken } from '../../../shared/model/agent.ts'
import type { AgentId, BatchId, IdempotencyKey, JoinTokenId, RunId } from '../../../shared/model/ids.ts'
import type { Run, RunState } from '../../../shared/model/run.ts'
import { type AgentCondition, asAgentNode, fakeAgent, fakeAgentPlan, silencedNode } from './fakeAgentFleet.ts'
import type { FakeEngine } from './fakeEngine.ts'
import { fakeDiagnosis, fakeId, fakeNode } from './fakeFleet.ts'
import { enter, type FakeRunRequest, pastRun, queuedRun } from './fakeRuns.ts'
import { contentStates } from './fakeStates.ts'

const dayMs = 86_400_000
const pastRuns = 12

/** Gateway, join tokens and agents of the engine that exists in this page only. */
export class FakeAgents {
  settings: GatewaySettings | null = null
  problem: string | null = null
  readonly tokens = new Map<JoinTokenId, JoinToken>()
  readonly #engine: FakeEngine
  #enrolled = 0

  constructor(engine: FakeEngine) {
    this.#engine = engine
  }

  gateway(): GatewayStatus {
    const on = this.settings !== null && this.problem === null
    const port = this.settings === null ? null : this.settings.port === 0 ? 41_873 : this.settings.port
    return {
      settings: this.settings,
      listening: on,
      port: on ? port : null,
      url: on ? `https://${this.settings?.names[0]}:${port}` : null,
      problem: this.problem,
      rootFingerprint: this.settings === null ? null : 'd'.repeat(64),
      certificateValidBefore: this.settings === null ? null : this.#engine.now() + 25 * dayMs,
      openConnections: on ? this.#live().length : 0,
    }
  }

  #live(): Agent[] {
    const since = this.#engine.now() - 60_000
    return [...this.#engine.agents.values()].filter((agent) => (agent.lastSeenAt ?? 0) > since)
  }

  listen(settings: GatewaySettings | null, problem: string | null = null): GatewayStatus {
    this.settings = settings
    this.problem = problem
    this.#engine.commit({ kind: 'gateway.changed' })
    return this.gateway()
  }

  saveAgent(agent: Agent): Agent {
    this.#engine.commit({ kind: 'agent.saved', agent })
    return agent
  }

  /** An agent with its node, its plan and a history of runs; what runs has a run in the state its agent names. */
  add(condition?: AgentCondition): Agent {
    const index = this.#enrolled
    this.#enrolled += 1
    const engine = this.#engine
    const plan = fakeAgentPlan(index, engine.now())
    const node = engine.saveNode(asAgentNode(fakeNode(index + 1, engine.now(), 'in-step'), index, plan))
    engine.commit({ kind: 'plan.saved', plan })
    const agent = fakeAgent(index, engine.now(), condition)
    const runOf = (id: RunId, atMs: number) => ({
      id,
      batchId: fakeId<BatchId>(4, 500_000 + index),
      key: `agent-key-${id}` as IdempotencyKey,
      plan,
      node,
      atMs,
      seq: engine.seq + 1,
    })
    for (let back = 0; back < pastRuns; back += 1) {
      const id = fakeId<RunId>(3, 310_000 + index * 100 - back)
      const atMs = (agent.lastRun?.finishedAt ?? engine.now()) - 20_000 - back * 900_000
      const request = runOf(id, atMs)
      const status = back === 0 ? agent.lastRun?.status : back === 5 ? 'failed' : 'succeeded'
      const run =
        status === 'halted' ? haltedRun(request) : pastRun(request, status === 'failed' ? 'failed' : 'succeeded')
      engine.runs.set(id, byAgent(run))
    }
    if (agent.status === 'active' && (agent.lastSeenAt ?? 0) < engine.now() - 600_000)
      engine.saveNode(silencedNode(node, agent, engine.now()))
    const { activity } = agent
    if (activity.status === 'running')
      engine.runs.set(
        activity.runId,
        entered(byAgent(queuedRun(runOf(activity.runId, activity.since))), activity.state),
      )
    return this.saveAgent(agent)
  }

  /** What the gateway does when a host comes with this token. */
  enroll(tokenId: JoinTokenId): Agent {
    const token = this.#token(tokenId)
    const agent = this.add('idle')
    const named = token.nodeName === null ? agent : this.saveAgent({ ...agent, name: token.nodeName })
    this.#saveToken({ ...token, usedAt: this.#engine.now(), usedBy: agent.id })
    return named
  }

  createToken(nodeName: string | null, lifetimeSeconds: number): NewJoinToken {
    if (!this.gateway().listening)
      throw new AppError(
        'PRECONDITION_FAILED',
        'The gateway is off, so no agent could use a token. Switch it on first.',
      )
    const createdAt = this.#engine.now()
    const token: JoinToken = {
      id: fakeId<JoinTokenId>(8, this.tokens.size + 1),
      nodeName,
      createdAt,
      createdBy: 'ana@desk',
      expiresAt: createdAt + lifetimeSeconds * 1000,
      usedAt: null,
      usedBy: null,
      revokedAt: null,
    }
    this.#saveToken(token)
    const secret = `lsj1.${btoa(`${this.gateway().url} ${token.id}`).replaceAll('=', '')}`
    return { token, secret, command: `printf %s '${secret}' | sudo lockstep-agent enroll --join-file -` }
  }

  revokeToken(id: JoinTokenId): JoinToken {
    return this.#saveToken({ ...this.#token(id), revokedAt: this.#engine.now() })
  }

  #token(id: JoinTokenId): JoinToken {
    const token = this.tokens.get(id)
    if (token === undefined) throw new AppError('NOT_FOUND', 'There is no such join token.')
    return token
  }

  #saveToken(token: JoinToken): JoinToken {
    this.tokens.set(token.id, token)
    this.#engine.commit({ kind: 'joinTokens.changed' })
    return token
  }

  /** @throws AppError `NOT_FOUND` */
  agent(reference: string): Agent {
    const { agents } = this.#engine
    const agent = agents.get(reference as AgentId) ?? [...agents.values()].find((each) => each.name === reference)
    if (agent === undefined) throw new AppError('NOT_FOUND', `There is no agent called ${reference}.`)
    return agent
  }

  remove(reference: string): string {
    const agent = this.agent(reference)
    if (agent.status === 'active')
      throw new AppError('PRECONDITION_FAILED', `${agent.name} is still trusted. Revoke it first.`)
    this.#engine.commit({ kind: 'agent.removed', agentId: agent.id })
    return agent.name
  }
}

const byAgent = (run: Run): Run => ({ ...run, trigger: 'agent', requestedBy: 'schedule' })

/** Stopped itself before it would delete too much. */
function haltedRun(request: FakeRunRequest): Run {
  const run = entered(queuedRun(request), 'PRE_FLIGHT_CHECK')
  const words = 'This push would delete 1,204 of 3,010 files.'
  return {
    ...run,
    status: 'halted',
    visits: run.visits.map((visit) => (visit.leftAt === null ? { ...visit, outcome: 'halted' } : visit)),
    halt: {
      reason: 'mass-delete',
      haltedAt: request.atMs,
      diagnosis: fakeDiagnosis(
        'PRECONDITION_FAILED',
        words,
        'would delete 1,204',
        [],
        ['approve-deletes', 'See the list'],
      ),
      deletePreview: {
        filesDeleted: 1204,
        filesOnTarget: 3010,
        usualShare: 0.002,
        sample: ['old/one.js', 'old/two.js'],
      },
    },
  }
}

/** Runs up to this state, a second in each of those before. */
function entered(run: Run, state: RunState): Run {
  const states = contentStates.slice(0, contentStates.indexOf(state) + 1)
  return states.reduce((now, each, index) => enter(now, each, run.createdAt - (states.length - 1 - index) * 1000), run)
}

/** Procedures about agents and the gateway. */
export function agentRoutes(engine: FakeEngine, fake: FakeAgents = new FakeAgents(engine)) {
  const os = implement(contract)
  return {
    agents: {
      list: os.agents.list.handler(() => [...engine.agents.values()]),
      get: os.agents.get.handler(({ input }) => fake.agent(input.agent)),
      revoke: os.agents.revoke.handler(({ input }) =>
        fake.saveAgent({ ...fake.agent(input.agent), status: 'revoked' }),
      ),
      remove: os.agents.remove.handler(({ input }) => ({ removed: fake.remove(input.agent) })),
      joinTokens: os.agents.joinTokens.handler(() => [...fake.tokens.values()].reverse()),
      createJoinToken: os.agents.createJoinToken.handler(({ input }) =>
        fake.createToken(input.nodeName, input.lifetimeSeconds),
      ),
      revokeJoinToken: os.agents.revokeJoinToken.handler(({ input }) => fake.revokeToken(input.id)),
    },
    gateway: {
      status: os.gateway.status.handler(() => fake.gateway()),
      enable: os.gateway.enable.handler(({ input }) => fake.listen(input)),
      disable: os.gateway.disable.handler(() => fake.listen(null)),
    },
  }
}
