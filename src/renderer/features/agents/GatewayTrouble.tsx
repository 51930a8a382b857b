import { TriangleAlert } from 'lucide-react'
import type { GatewayStatus } from '../../../shared/model/agent.ts'
import { Button } from '../../components/Button.tsx'
import { plural } from '../../components/format.ts'
import { gatewayHash, navigate } from '../../stores/route.ts'

interface GatewayTroubleProps {
  readonly gateway: GatewayStatus | undefined
  /** Agents that are not revoked. */
  readonly active: number
}

/** One cause for many silent agents: no agent can be heard while nothing listens. */
export function GatewayTrouble({ gateway, active }: GatewayTroubleProps) {
  if (gateway === undefined || gateway.listening) return null
  if (gateway.settings === null && active === 0) return null
  const sentence =
    gateway.settings === null
      ? `The gateway is off, so nothing is heard of ${plural(active, 'agent')}. They keep their reports and start no new runs.`
      : `The gateway does not listen. ${gateway.problem ?? ''} No agent is heard until it does.`
  return (
    <div role="alert" className="flex shrink-0 items-center gap-3 border-b border-error bg-raised px-4 py-2">
      <TriangleAlert aria-hidden className="size-4 shrink-0 text-error" />
      <p className="min-w-0 flex-1 break-words">{sentence}</p>
      <Button size="small" onClick={() => navigate(gatewayHash)}>
        Open the gateway settings
      </Button>
    </div>
  )
}
