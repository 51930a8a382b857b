import type { AgentId } from '../../shared/model/ids.ts'
import type { StoreReader } from '../ports.ts'

/**
 * When each agent was heard of last, in memory: exact, while the rows are written only now and then. One number for
 * each agent that is active.
 */
export class AgentContacts {
  readonly #lastSeenAt = new Map<AgentId, number | null>()
  readonly #silent = new Set<AgentId>()

  /** Takes what the rows say; agents may have spoken since they were written. */
  async load(store: StoreReader): Promise<void> {
    for (const agent of await store.listAgents()) {
      if (agent.status === 'active' && !this.#lastSeenAt.has(agent.id)) this.#lastSeenAt.set(agent.id, agent.lastSeenAt)
    }
  }

  get count(): number {
    return this.#lastSeenAt.size
  }

  /** @returns true when it was counted as silent until now */
  heard(agentId: AgentId, nowMs: number): boolean {
    this.#lastSeenAt.set(agentId, nowMs)
    return this.#silent.delete(agentId)
  }

  lastSeenAt(agentId: AgentId): number | null {
    return this.#lastSeenAt.get(agentId) ?? null
  }

  /** Those that are not counted as silent yet. */
  *speaking(): Generator<readonly [AgentId, number | null]> {
    for (const entry of this.#lastSeenAt) if (!this.#silent.has(entry[0])) yield entry
  }

  fellSilent(agentId: AgentId): void {
    if (this.#lastSeenAt.has(agentId)) this.#silent.add(agentId)
  }

  forget(agentId: AgentId): void {
    this.#lastSeenAt.delete(agentId)
    this.#silent.delete(agentId)
  }
}
