import { isSilent, mayBeSilent, silenceDiagnosis } from '../../core/fleet/agentPresence.ts'
import type { Clock, Timer } from '../../platform/clock.ts'
import type { Logger } from '../../platform/logger.ts'
import { toAppError } from '../../shared/errors.ts'
import type { AgentId } from '../../shared/model/ids.ts'
import type { AgentContacts } from '../fleet/agentContacts.ts'
import { findAgentPlan } from '../fleet/agentPlans.ts'
import type { Gateway, Store } from '../ports.ts'
import type { AgentRuns } from '../runs/agentRuns.ts'

export interface AgentWatchDependencies {
  readonly store: Store
  readonly clock: Clock
  readonly contacts: AgentContacts
  readonly gateway: Pick<Gateway, 'status'>
  readonly runs: Pick<AgentRuns, 'silenced' | 'endForgotten'>
  readonly logger: Logger
}

/** Notices agents that are not heard of any more. */
export interface AgentWatch {
  start(): Promise<void>
  /** Resolves when nothing is under way any more. */
  stop(): Promise<void>
  /** One look now. */
  look(): Promise<void>
}

const lookEveryMs = 20_000
/** A longer time between two looks means that we slept, and agents could not reach us. */
const sleptMs = 3 * lookEveryMs

/** Wall clock throughout: what matters is when an agent spoke, also across a sleep of this machine. */
export function createAgentWatch(dependencies: AgentWatchDependencies): AgentWatch {
  const { store, clock, contacts, gateway, runs, logger } = dependencies
  let timer: Timer | null = null
  let looking: Promise<void> = Promise.resolve()
  let listeningSince: number | null = null
  let lastLookAt: number | null = null

  async function look(): Promise<void> {
    const nowMs = clock.nowMs()
    const { listening } = await gateway.status()
    const awake = lastLookAt !== null && Math.abs(nowMs - lastLookAt) < sleptMs
    lastLookAt = nowMs
    // While nobody can reach us, silence says nothing.
    if (!listening) listeningSince = null
    else if (listeningSince === null || !awake) listeningSince = nowMs
    if (listeningSince === null) return
    const since = listeningSince
    for (const [agentId, lastSeenAt] of [...contacts.speaking()])
      if (isSilent(lastSeenAt, since, nowMs)) await note(agentId)
    const forgotten = await runs.endForgotten((agentId) => contacts.lastSeenAt(agentId))
    if (forgotten.length > 0) logger.warn({ runs: forgotten }, 'runs were ended that their agents do not know any more')
  }

  async function note(agentId: AgentId): Promise<void> {
    const agent = await store.getAgent(agentId)
    if (agent?.status !== 'active') return contacts.forget(agentId)
    const plan = await findAgentPlan(store, agent.nodeId)
    if (mayBeSilent(agent, plan?.spec.schedule ?? null)) return
    const lastSeenAt = contacts.lastSeenAt(agentId)
    await runs.silenced(agentId, silenceDiagnosis({ ...agent, lastSeenAt }))
    contacts.fellSilent(agentId)
    logger.warn({ agentId, agent: agent.name, lastSeenAt }, 'an agent is silent')
  }

  function lookOnce(): Promise<void> {
    looking = looking
      .then(look)
      .catch((error: unknown) => logger.warn({ err: toAppError(error) }, 'agents could not be looked after'))
    return looking
  }

  function arm(): void {
    timer = clock.setTimer(lookEveryMs, () => void lookOnce().then(() => timer !== null && arm()), { unref: true })
  }

  return {
    start: async () => {
      await contacts.load(store)
      await lookOnce()
      arm()
    },
    stop: async () => {
      timer?.cancel()
      timer = null
      await looking
    },
    look: lookOnce,
  }
}
