import { z } from 'zod'
import { Agent, GatewaySettings, GatewayStatus, JoinToken, NewJoinToken } from '../model/agent.ts'
import { JoinTokenId } from '../model/ids.ts'
import { DisplayName } from '../model/text.ts'
import { procedure } from './base.ts'

/** An agent by id or by the name of its node. */
export const AgentReference = z.string().min(1).max(255)

export const agentsContract = {
  list: procedure.output(z.array(Agent)),
  get: procedure.input(z.object({ agent: AgentReference })).output(Agent),
  /** Its client certificate counts no more, and open connections end. Its node and runs stay. */
  revoke: procedure.input(z.object({ agent: AgentReference, reason: z.string().min(1).max(500) })).output(Agent),
  /** Forgets a revoked agent; its node goes too when nothing else needs it. */
  remove: procedure.input(z.object({ agent: AgentReference })).output(z.object({ removed: z.string() })),
  joinTokens: procedure.output(z.array(JoinToken)),
  /** @throws PRECONDITION_FAILED while the gateway is off: nothing could use the token. */
  createJoinToken: procedure
    .input(
      z.object({
        nodeName: DisplayName.nullable().default(null),
        lifetimeSeconds: z.number().int().min(60).max(604_800).default(3_600),
      }),
    )
    .output(NewJoinToken),
  revokeJoinToken: procedure.input(z.object({ id: JoinTokenId })).output(JoinToken),
}

export const gatewayContract = {
  status: procedure.output(GatewayStatus),
  /** Listens from now on, also after a restart. Makes the X.509 authority when there is none. */
  enable: procedure.input(GatewaySettings).output(GatewayStatus),
  disable: procedure.output(GatewayStatus),
}
