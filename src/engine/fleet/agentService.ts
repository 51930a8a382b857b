import type { Clock } from '../../platform/clock.ts'
import type { IdSource } from '../../platform/ids.ts'
import { AppError } from '../../shared/errors.ts'
import type { Agent, JoinToken, NewJoinToken } from '../../shared/model/agent.ts'
import type { CertificateId } from '../../shared/model/ids.ts'
import { AgentId, type JoinTokenId } from '../../shared/model/ids.ts'
import type { Gateway, Revocations, Store, StoreReader, StoreTransaction } from '../ports.ts'
import type { AgentContacts } from './agentContacts.ts'
import { saveCredentials } from './agentCredentials.ts'
import { agentPlanId } from './agentPlans.ts'
import { createJoinToken, revokeJoinToken } from './joinTokens.ts'

/** What operators do with agents; what agents do themselves is the gateway's. */
export interface AgentService {
  list(): Promise<Agent[]>
  /** By id or by the name of its node; of several on one node the active one. @throws NOT_FOUND */
  get(reference: string): Promise<Agent>
  /** Its certificates (client and SSH) count no more, its connections and open runs end. Twice does no harm. */
  revoke(reference: string, reason: string, operator: string): Promise<Agent>
  /** @throws PRECONDITION_FAILED unless it is revoked. @returns the name of its node */
  remove(reference: string, operator: string): Promise<string>
  joinTokens(): Promise<JoinToken[]>
  createJoinToken(
    options: { readonly nodeName: string | null; readonly lifetimeSeconds: number },
    operator: string,
  ): Promise<NewJoinToken>
  revokeJoinToken(id: JoinTokenId, operator: string): Promise<JoinToken>
}

export interface AgentServiceDependencies {
  readonly store: Store
  readonly clock: Clock
  readonly ids: IdSource
  readonly contacts: AgentContacts
  readonly gateway: Pick<Gateway, 'status' | 'disconnect'>
  readonly revocations: Pick<Revocations, 'revoke'>
  /** Ends what the agent has open, in the transaction that takes it away. */
  readonly abandonRuns: (transaction: StoreTransaction, agent: Agent, by: string) => Promise<void>
}

interface Ending {
  readonly reason: string
  readonly operator: string
}

/** A certificate of the agent was signed between our look and our transaction. */
class SignedMeanwhile extends Error {}

const mostTries = 5

export function createAgentService(dependencies: AgentServiceDependencies): AgentService {
  const { store, clock, contacts, gateway, revocations } = dependencies

  /** Rows are written now and then; when an agent was heard of is known exactly. */
  const withContact = (agent: Agent): Agent => ({
    ...agent,
    lastSeenAt: agent.status === 'active' ? (contacts.lastSeenAt(agent.id) ?? agent.lastSeenAt) : agent.lastSeenAt,
  })

  async function revoke(reference: string, reason: string, operator: string): Promise<Agent> {
    const agent = await resolveAgent(store, reference)
    if (agent.status === 'revoked') return agent
    await endWithCertificates(agent, { reason, operator })
    contacts.forget(agent.id)
    gateway.disconnect(agent.id)
    return (await store.getAgent(agent.id)) ?? { ...agent, status: 'revoked' }
  }

  /**
   * With its SSH certificates in one transaction: half a revocation would look like a whole one. Should one have been
   * signed since we looked, all begins anew; what is signed after that transaction is handed to nobody.
   */
  async function endWithCertificates(agent: Agent, why: Ending): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      const live = await liveSshCertificates(store, agent)
      const end = async (transaction: StoreTransaction): Promise<void> => {
        if (tries < mostTries && (await liveSshCertificates(transaction, agent)).length > 0) throw new SignedMeanwhile()
        await endAgent(transaction, agent.id, why)
      }
      try {
        if (live.length === 0) await store.transact(end)
        else await revocations.revoke(live, { by: why.operator, reason: why.reason, alongside: end })
        break
      } catch (error) {
        if (!(error instanceof SignedMeanwhile)) throw error
      }
    }
    // Only after it asked for one after the other all the time: now it gets none any more.
    const late = await liveSshCertificates(store, agent)
    if (late.length > 0) await revocations.revoke(late, { by: why.operator, reason: why.reason })
  }

  async function liveSshCertificates(
    reader: Pick<StoreReader, 'listCertificates'>,
    { nodeId }: Agent,
  ): Promise<CertificateId[]> {
    const nowMs = clock.nowMs()
    const live = await reader.listCertificates({ nodeId, purposes: ['agent'], standing: 'live', nowMs, limit: 10_000 })
    return live.map((certificate) => certificate.id)
  }

  async function endAgent(
    transaction: StoreTransaction,
    agentId: AgentId,
    { reason, operator }: Ending,
  ): Promise<void> {
    const agent = await transaction.getAgent(agentId)
    if (agent === null) throw notFound(agentId)
    await dependencies.abandonRuns(transaction, agent, operator)
    await transaction.saveAgent({
      ...agent,
      status: 'revoked',
      activity: { status: 'idle', nextRunAt: null },
      lock: null,
    })
    await transaction.appendAudit([
      {
        at: clock.nowMs(),
        actor: operator,
        action: 'agent.revoke',
        subject: agentId,
        detail: { name: agent.name, reason },
      },
    ])
  }

  async function remove(reference: string, operator: string): Promise<string> {
    const removed = await store.transact(async (transaction) => {
      const agent = await resolveAgent(transaction, reference)
      if (agent.status !== 'revoked') {
        throw new AppError('PRECONDITION_FAILED', `Agent "${agent.name}" is active. Revoke it first, then remove it.`, {
          data: { agent: agent.id },
        })
      }
      await transaction.removeAgent(agent.id)
      await saveCredentials(transaction, agent.id, null)
      const nodeRemoved = await removeLonelyNode(transaction, agent)
      const detail = { name: agent.name, nodeRemoved }
      await transaction.appendAudit([
        { at: clock.nowMs(), actor: operator, action: 'agent.remove', subject: agent.id, detail },
      ])
      return agent
    })
    contacts.forget(removed.id)
    gateway.disconnect(removed.id)
    return removed.name
  }

  return {
    list: async () => (await store.listAgents()).map(withContact),
    get: async (reference) => withContact(await resolveAgent(store, reference)),
    revoke,
    remove,
    joinTokens: () => store.listJoinTokens(),
    createJoinToken: (options, operator) => createJoinToken(dependencies, options, operator),
    revokeJoinToken: (id, operator) => revokeJoinToken(dependencies, id, operator),
  }
}

/** The node and plan of an agent go with its last agent, unless the node was made a storage or is pushed to. */
async function removeLonelyNode(transaction: StoreTransaction, { nodeId }: Agent): Promise<boolean> {
  const node = await transaction.getNode(nodeId)
  if (node === null || node.transport !== 'poll' || node.storage !== null) return false
  if ((await transaction.listAgents()).some((other) => other.nodeId === nodeId)) return false
  const planId = agentPlanId(nodeId)
  if (node.plans.some((plan) => plan.planId !== planId)) return false
  await transaction.removePlan(planId)
  await transaction.removeNode(nodeId)
  return true
}

async function resolveAgent(store: StoreReader, reference: string): Promise<Agent> {
  const id = AgentId.safeParse(reference)
  const byId = id.success ? await store.getAgent(id.data) : null
  if (byId !== null) return byId
  const named = (await store.listAgents()).filter((agent) => agent.name === reference)
  // The newest last: one that was revoked and enrolled again has several rows.
  const agent = named.find((candidate) => candidate.status === 'active') ?? named.at(-1)
  if (agent !== undefined) return agent
  throw notFound(reference)
}

function notFound(reference: string): AppError {
  return new AppError('NOT_FOUND', `There is no agent "${reference}". "lockstep agents list" shows the names.`, {
    data: { agent: reference },
  })
}
