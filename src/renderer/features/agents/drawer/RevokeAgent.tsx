import { useState } from 'react'
import type { Agent } from '../../../../shared/model/agent.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useCall } from '../../../api/useCall.ts'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { DecisionDialog } from '../../../components/DecisionDialog.tsx'
import { Field } from '../../../components/Field.tsx'
import { stateWords } from '../../runs/runWords.ts'
import { cli } from '../cliCommands.ts'

/** Ends the trust in one agent, with a reason that stays in the audit log. */
export function RevokeAgent({ agent, onClose }: { readonly agent: Agent; readonly onClose: () => void }) {
  const { client } = useLink()
  const call = useCall<Agent>()
  const [reason, setReason] = useState('')
  const { activity } = agent
  const confirm = async (): Promise<void> => {
    if ((await call.run(() => client.agents.revoke({ agent: agent.id, reason: reason.trim() }))) !== null) onClose()
  }
  return (
    <DecisionDialog
      open
      onClose={onClose}
      danger
      title={`Revoke ${agent.name}?`}
      blastRadius={`1 agent, ${agent.name} on ${agent.hostname}. Its node and its runs stay.`}
      effect={
        <>
          Its connection ends at once. Its certificates count no more, neither here nor, once the revocation list is
          delivered, at storage. Without the console it starts no new run.
          {activity.status === 'running' &&
            ` The run under way (${stateWords[activity.state]}) ends here as failed: what it still writes to storage is not known.`}
        </>
      }
      undo="None for these certificates. The host can be enrolled again with a new join token."
      confirmLabel="Revoke the agent"
      onConfirm={() => void confirm()}
      busy={call.busy}
      incomplete={reason.trim() === ''}
      error={call.error}
    >
      <Field
        label="Why"
        value={reason}
        maxLength={500}
        hint="Kept in the audit log."
        onChange={(event) => setReason(event.target.value)}
      />
      <CliEquivalent command={cli.revoke(agent.name, reason.trim() === '' ? 'why' : reason.trim())} />
    </DecisionDialog>
  )
}
