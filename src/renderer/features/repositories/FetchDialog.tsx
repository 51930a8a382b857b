import type { Repository } from '../../../shared/model/repository.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { useCall } from '../../api/useCall.ts'
import { CliEquivalent } from '../../components/CliEquivalent.tsx'
import { DecisionDialog } from '../../components/DecisionDialog.tsx'
import { cli, placeWords } from './repositoryWords.ts'

/** Takes what the remote has now, also where its history was rewritten (D18). */
export function FetchDialog({
  repository,
  onClose,
}: {
  readonly repository: Repository
  readonly onClose: () => void
}) {
  const { client } = useLink()
  const call = useCall<Repository>()
  const { checkout, name, defaultBranch } = repository.settings
  const confirm = async (): Promise<void> => {
    const answer = await call.run(() => client.repositories.refresh({ repository: repository.id, force: true }))
    if (answer !== null) onClose()
  }
  return (
    <DecisionDialog
      open
      onClose={onClose}
      danger={checkout.kind !== 'none'}
      title={`Fetch ${name} with force?`}
      blastRadius={checkout.kind === 'none' ? `the mirror of ${name}` : placeWords(repository.settings)}
      effect={
        checkout.kind === 'none'
          ? `Branches are taken as the remote has them now, also where their history was rewritten. Plans that follow ${defaultBranch} want its new commit from then on.`
          : `git fetch and git reset --hard there: ${defaultBranch} becomes what the remote has, and changes in the checkout that are not committed are lost.`
      }
      undo={
        checkout.kind === 'none'
          ? 'Deploy the commit from before: the mirror keeps it.'
          : 'None for changes that were not committed. Commits from before can be deployed again.'
      }
      confirmLabel="Fetch with force"
      busy={call.busy}
      error={call.error}
      onConfirm={() => void confirm()}
    >
      <CliEquivalent command={cli.fetch(name, true)} />
    </DecisionDialog>
  )
}
