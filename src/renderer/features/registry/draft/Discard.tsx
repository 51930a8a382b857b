import type { RegistryKind, RegistryRevision } from '../../../../shared/model/registry.ts'
import { DecisionDialog } from '../../../components/DecisionDialog.tsx'
import { useRevisionText } from '../registryQueries.ts'
import { registryWords } from '../registryWords.ts'
import { draftOf } from './draft.ts'
import { draftStore } from './draftStore.ts'

interface DiscardProps {
  readonly registry: RegistryKind
  readonly newest: RegistryRevision | undefined
  readonly onClose: () => void
}

/** Throws the draft away and begins again from what is in force. */
export function Discard({ registry, newest, onClose }: DiscardProps) {
  const text = useRevisionText(registry, newest?.number).data?.text
  const confirm = (): void => {
    const revision = newest === undefined || text === undefined ? null : { number: newest.number, text }
    draftStore(registry).begin(draftOf(registry, revision))
    onClose()
  }
  return (
    <DecisionDialog
      open
      danger
      onClose={onClose}
      title={`Discard the draft of the ${registryWords[registry].title}?`}
      blastRadius="this window alone"
      effect={newest === undefined ? 'The table is empty again.' : `The table shows revision ${newest.number} again.`}
      undo="None: the draft was never saved."
      confirmLabel="Discard the draft"
      incomplete={newest !== undefined && text === undefined}
      onConfirm={confirm}
    />
  )
}
