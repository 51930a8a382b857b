import type { GatewaySettings, GatewayStatus } from '../../shared/model/agent.ts'
import type { AgentId } from '../../shared/model/ids.ts'

/** The HTTPS server for agents, as the rest of the engine sees it. */
export interface Gateway {
  /** Listens when it was switched on before. A port that is taken is in the status, not an exception. */
  start(): Promise<void>
  stop(): Promise<void>
  status(): Promise<GatewayStatus>
  enable(settings: GatewaySettings, operator: string): Promise<GatewayStatus>
  disable(operator: string): Promise<GatewayStatus>
  /** The roots or the server certificate changed: take the new ones, without losing connections. */
  reloadCertificates(): Promise<void>
  /** Ends every open connection of this agent; its certificate counts no more. */
  disconnect(agentId: AgentId): void
}
