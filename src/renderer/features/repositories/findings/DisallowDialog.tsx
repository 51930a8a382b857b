import type { AllowedFinding, Repository } from '../../../../shared/model/repository.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useCall } from '../../../api/useCall.ts'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { DecisionDialog } from '../../../components/DecisionDialog.tsx'
import { cli } from '../repositoryWords.ts'

interface DisallowDialogProps {
  readonly repository: Repository
  readonly entry: AllowedFinding
  readonly onClose: () => void
}

/** Takes an allowance back. */
export function DisallowDialog({ repository, entry, onClose }: DisallowDialogProps) {
  const { client } = useLink()
  const call = useCall<unknown>()
  const confirm = async (): Promise<void> => {
    const request = { repository: repository.id, hash: entry.hash }
    if ((await call.run(() => client.repositories.disallow(request))) !== null) onClose()
  }
  return (
    <DecisionDialog
      open
      onClose={onClose}
      title={`Allow ${entry.rule} in ${entry.file} no longer?`}
      blastRadius="no node now"
      effect="The finding counts again from the next sync on: while it is in the tree, syncs are held back."
      undo="Allow it again."
      confirmLabel="Allow it no longer"
      busy={call.busy}
      error={call.error}
      onConfirm={() => void confirm()}
    >
      <CliEquivalent command={cli.disallow(repository.settings.name, entry.hash)} />
    </DecisionDialog>
  )
}
