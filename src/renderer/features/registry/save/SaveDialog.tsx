import { useState } from 'react'
import type { RegistryCheck, RegistrySave } from '../../../../shared/contract/registry.ts'
import type { RegistryKind } from '../../../../shared/model/registry.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useCall } from '../../../api/useCall.ts'
import { CliEquivalent, shellQuote } from '../../../components/CliEquivalent.tsx'
import { DecisionDialog } from '../../../components/DecisionDialog.tsx'
import { Field } from '../../../components/Field.tsx'
import { formatCount, plural } from '../../../components/format.ts'
import { useReplica } from '../../../stores/ReplicaContext.tsx'
import type { TextFormat } from '../draft/draft.ts'
import { cli } from '../registryWords.ts'
import { ChangeList, changeWords } from './ChangeList.tsx'
import { EffectList, FleetEffects, reachedNodes } from './EffectList.tsx'

interface SaveDialogProps {
  readonly registry: RegistryKind
  readonly text: string
  readonly format: TextFormat
  readonly baseNumber: number
  readonly check: Extract<RegistryCheck, { status: 'valid' }>
  readonly onClose: () => void
  /** @param text of the revision in force now, as the engine keeps it: sensitive values are sealed by then */
  readonly onAnswer: (answer: RegistrySave, text: string | null) => void
}

/** What saving does, before it is done: entries, nodes, texts. */
export function SaveDialog({ registry, text, format, baseNumber, check, onClose, onAnswer }: SaveDialogProps) {
  const { client } = useLink()
  const nodeCount = useReplica((state) => state.nodes.size)
  const [comment, setComment] = useState('')
  const call = useCall<RegistrySave>()
  const save = async (): Promise<void> => {
    const answer = await call.run(() => client.registry.save({ registry, text, baseNumber, comment: comment.trim() }))
    if (answer === null) return
    const number = answer.status === 'conflict' ? answer.current.number : answer.revision.number
    const kept = await client.registry.get({ registry, number }).catch(() => null)
    onAnswer(answer, kept?.text ?? null)
  }
  const reached = reachedNodes(check.effects)
  const why = comment.trim() === '' ? '' : ` --comment ${shellQuote(comment.trim())}`
  return (
    <DecisionDialog
      open
      wide
      onClose={onClose}
      title={`Save ${plural(check.changes.length, 'changed entry', 'changed entries')} as a new revision?`}
      blastRadius={`${formatCount(reached)} of ${plural(nodeCount, 'node')}`}
      effect={effectWords(registry, reached, changeWords(check.changes))}
      undo={
        baseNumber === 0
          ? 'This is the first revision. Take the entries out again and save.'
          : `Return to revision ${baseNumber} in the history: one press, with the same preview.`
      }
      confirmLabel="Save the revision"
      busy={call.busy}
      error={call.error}
      onConfirm={() => void save()}
    >
      {check.warnings.map((warning) => (
        <p key={warning} className="text-pending">
          {warning}
        </p>
      ))}
      <Part title="Entries">
        <ChangeList changes={check.changes} />
      </Part>
      {registry === 'services' && (
        <Part title="Nodes">
          <EffectList effects={check.effects} />
        </Part>
      )}
      {registry === 'nodes' && check.fleet.length > 0 && (
        <Part title="Fleet">
          <FleetEffects effects={check.fleet} />
        </Part>
      )}
      <Field
        label="Comment"
        hint="Why. It stands beside the revision in the history."
        maxLength={500}
        value={comment}
        onChange={(event) => setComment(event.target.value)}
      />
      <CliEquivalent command={cli.apply(registry, format) + why} />
    </DecisionDialog>
  )
}

function effectWords(registry: RegistryKind, reached: number, changed: string): string {
  const entries = `${changed.charAt(0).toUpperCase()}${changed.slice(1)}.`
  if (registry === 'nodes') return `${entries} Nodes that are listed come into the fleet or change there.`
  if (reached === 0) return `${entries} Nothing is sent to any node.`
  return `${entries} A rollout brings it to the nodes and reads it back; a node that does not answer gets it when it is back.`
}

function Part({ title, children }: { readonly title: string; readonly children: React.ReactNode }) {
  return (
    <section aria-label={title} className="flex flex-col gap-1.5">
      <h3 className="text-12 font-semibold text-faint">{title}</h3>
      {children}
    </section>
  )
}
