import { useState } from 'react'
import type { GatewayStatus, NewJoinToken } from '../../../../shared/model/agent.ts'
import { Button } from '../../../components/Button.tsx'
import { Drawer } from '../../../components/Drawer.tsx'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { gatewayHash, navigate } from '../../../stores/route.ts'
import { GatewayForm } from '../../settings/gateway/GatewayForm.tsx'
import type { LoadedGateway } from '../../settings/gateway/useGateway.ts'
import { DemoAgentOffer } from './DemoAgentOffer.tsx'
import { ShownToken } from './ShownToken.tsx'
import { TokenForm } from './TokenForm.tsx'

interface AddAgentProps {
  readonly gateway: LoadedGateway
  readonly onClose: () => void
}

/** Three steps to one more agent: a door to come through, a token to show there, one command on the host. */
export function AddAgent({ gateway, onClose }: AddAgentProps) {
  return (
    <Drawer
      label="Add an agent"
      paneName="add agent"
      defaultWidth={520}
      onClose={onClose}
      header={<h2 className="text-18 font-semibold">Add an agent</h2>}
    >
      <div className="flex flex-col gap-4 p-4">
        <p className="text-muted">
          An agent is a host that pushes to storage by itself and reports here. It keeps its own key, gets short-lived
          certificates from this console, and says what it does in its agent.yaml. Nobody logs in there from here.
        </p>
        <Steps gateway={gateway} />
      </div>
    </Drawer>
  )
}

function Steps({ gateway }: { readonly gateway: LoadedGateway }) {
  const [newToken, setNewToken] = useState<NewJoinToken | null>(null)
  if (newToken !== null) return <ShownToken newToken={newToken} onAnother={() => setNewToken(null)} />
  return (
    <>
      <Ask gateway={gateway} onMade={setNewToken} />
      <DemoAgentOffer />
    </>
  )
}

interface AskProps {
  readonly gateway: LoadedGateway
  readonly onMade: (newToken: NewJoinToken) => void
}

function Ask({ gateway: { gateway, error, retry }, onMade }: AskProps) {
  if (gateway === undefined)
    return error === null ? (
      <p role="status">Asking the engine where agents can reach it…</p>
    ) : (
      <ErrorNote error={error} onRetry={retry} />
    )
  if (gateway.settings === null) return <OpenTheDoor />
  if (!gateway.listening) return <DoorIsStuck gateway={gateway} />
  return <TokenForm gateway={gateway} onMade={onMade} />
}

function OpenTheDoor() {
  return (
    <section aria-labelledby="open-the-door" className="flex flex-col gap-3">
      <h3 id="open-the-door" className="font-semibold">
        Switch the gateway on first
      </h3>
      <p className="text-muted">
        Agents reach this console through its gateway, which is off. Choose where it listens; the token and the command
        for the host come next.
      </p>
      <GatewayForm settings={null} />
    </section>
  )
}

function DoorIsStuck({ gateway }: { readonly gateway: GatewayStatus }) {
  return (
    <section role="alert" className="flex flex-col gap-3 rounded-md border border-error p-3">
      <p className="break-words">
        {gateway.problem ?? 'The gateway is switched on and does not listen yet.'} Until it listens no agent can enroll.
      </p>
      <div>
        <Button onClick={() => navigate(gatewayHash)}>Correct it in Settings</Button>
      </div>
    </section>
  )
}
