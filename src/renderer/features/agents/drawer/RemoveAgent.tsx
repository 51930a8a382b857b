import type { Agent } from '../../../../shared/model/agent.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useCall } from '../../../api/useCall.ts'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { DecisionDialog } from '../../../components/DecisionDialog.tsx'
import { cli } from '../cliCommands.ts'

interface RemoveAgentProps {
  readonly agent: Agent
  readonly onClose: () => void
  readonly onRemoved: () => void
}

/** Forgets an agent that is trusted no more. */
export function RemoveAgent({ agent, onClose, onRemoved }: RemoveAgentProps) {
  const { client } = useLink()
  const call = useCall<{ removed: string }>()
  const confirm = async (): Promise<void> => {
    if ((await call.run(() => client.agents.remove({ agent: agent.id }))) === null) return
    onClose()
    onRemoved()
  }
  return (
    <DecisionDialog
      open
      onClose={onClose}
      danger
      title={`Remove ${agent.name}?`}
      blastRadius={`1 agent, ${agent.name} on ${agent.hostname}`}
      effect="This console forgets the agent. Its node goes too when nothing else needs it; runs stay in the history. Nothing changes on the host."
      undo="Enrolling the host again, with a new join token."
      confirmLabel="Remove the agent"
      onConfirm={() => void confirm()}
      busy={call.busy}
      error={call.error}
    >
      <CliEquivalent command={cli.remove(agent.name)} />
    </DecisionDialog>
  )
}
