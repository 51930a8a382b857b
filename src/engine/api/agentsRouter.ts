import type { AgentService } from '../fleet/agentService.ts'
import type { Gateway } from '../ports.ts'
import { os } from './procedures.ts'

/** Procedures about agents. */
export function agentsRouter({ agents }: { readonly agents: AgentService }) {
  return {
    list: os.agents.list.handler(() => agents.list()),
    get: os.agents.get.handler(({ input }) => agents.get(input.agent)),
    revoke: os.agents.revoke.handler(({ input, context }) =>
      agents.revoke(input.agent, input.reason, context.caller.operator),
    ),
    remove: os.agents.remove.handler(async ({ input, context }) => ({
      removed: await agents.remove(input.agent, context.caller.operator),
    })),
    joinTokens: os.agents.joinTokens.handler(() => agents.joinTokens()),
    createJoinToken: os.agents.createJoinToken.handler(({ input, context }) =>
      agents.createJoinToken(input, context.caller.operator),
    ),
    revokeJoinToken: os.agents.revokeJoinToken.handler(({ input, context }) =>
      agents.revokeJoinToken(input.id, context.caller.operator),
    ),
  }
}

/** Procedures about the door agents come through. */
export function gatewayRouter({ gateway }: { readonly gateway: Gateway }) {
  return {
    status: os.gateway.status.handler(() => gateway.status()),
    enable: os.gateway.enable.handler(({ input, context }) => gateway.enable(input, context.caller.operator)),
    disable: os.gateway.disable.handler(({ context }) => gateway.disable(context.caller.operator)),
  }
}
