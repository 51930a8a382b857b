import type { Agent, JoinToken, NewJoinToken } from '../../shared/model/agent.ts'
import type { JoinTokenId } from '../../shared/model/ids.ts'

/** What operators do with agents; what agents do themselves is the gateway's. */
export interface AgentService {
  list(): Promise<Agent[]>
  get(reference: string): Promise<Agent>
  revoke(reference: string, reason: string, operator: string): Promise<Agent>
  remove(reference: string, operator: string): Promise<string>
  joinTokens(): Promise<JoinToken[]>
  createJoinToken(
    options: { readonly nodeName: string | null; readonly lifetimeSeconds: number },
    operator: string,
  ): Promise<NewJoinToken>
  revokeJoinToken(id: JoinTokenId, operator: string): Promise<JoinToken>
}
