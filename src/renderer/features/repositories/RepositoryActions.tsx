import { GitPullRequestArrow, RefreshCw } from 'lucide-react'
import { useState } from 'react'
import type { Repository } from '../../../shared/model/repository.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { useCall } from '../../api/useCall.ts'
import { Button } from '../../components/Button.tsx'
import { ErrorNote } from '../../components/ErrorNote.tsx'
import { Menu } from '../../components/Menu.tsx'
import { useStale } from '../../stores/ReplicaContext.tsx'
import { useShortcuts } from '../../stores/shortcuts.ts'
import type { Begun } from './begun.ts'
import { FetchDialog } from './FetchDialog.tsx'
import { useRepositoryPlans } from './repositoryQueries.ts'
import { SyncDialog } from './targets/SyncDialog.tsx'

interface RepositoryActionsProps {
  readonly repository: Repository
  readonly onBegun: (begun: Begun) => void
}

/** What is done to a repository as a whole. Force stands behind a menu, with what it means. */
export function RepositoryActions({ repository, onBegun }: RepositoryActionsProps) {
  const { client } = useLink()
  const stale = useStale()
  const plans = useRepositoryPlans(repository.settings.name)
  const fetching = useCall<Repository>()
  const [open, setOpen] = useState<'sync' | 'sync-force' | 'fetch-force' | null>(null)
  const close = (): void => setOpen(null)
  const fetch = (): void =>
    void fetching.run(() => client.repositories.refresh({ repository: repository.id, force: false }))
  const noPlans = plans.length === 0
  useShortcuts([
    {
      keys: 'r',
      label: `Sync ${repository.settings.name}`,
      group: 'Repositories',
      run: () => !noPlans && setOpen('sync'),
    },
    { keys: '', label: `Fetch ${repository.settings.name}`, group: 'Repositories', run: fetch },
  ])
  return (
    <div className="flex flex-wrap items-center gap-2">
      {fetching.error !== null && repository.state.diagnosis === null && <ErrorNote error={fetching.error} />}
      <Button
        busy={fetching.busy}
        disabled={stale}
        icon={<GitPullRequestArrow aria-hidden className="size-4" />}
        onClick={fetch}
      >
        Fetch
      </Button>
      <Menu
        label="More"
        disabled={stale}
        items={[
          {
            label: 'Sync with force…',
            hint: 'Resets the checkout to the remote, and sends the tree also where sentinel and sample agree. The scan is never left out.',
            disabled: noPlans,
            run: () => setOpen('sync-force'),
          },
          {
            label: 'Fetch with force…',
            hint: 'Takes a rewritten history. Changes in a checkout that are not committed are lost.',
            run: () => setOpen('fetch-force'),
          },
        ]}
      />
      <Button
        variant="primary"
        disabled={stale || noPlans}
        title={noPlans ? 'No plan delivers from this repository yet.' : undefined}
        icon={<RefreshCw aria-hidden className="size-4" />}
        onClick={() => setOpen('sync')}
      >
        Sync…
      </Button>
      {open === 'fetch-force' && <FetchDialog repository={repository} onClose={close} />}
      {(open === 'sync' || open === 'sync-force') && (
        <SyncDialog
          repository={repository}
          chosen={null}
          force={open === 'sync-force'}
          onClose={close}
          onBegun={onBegun}
        />
      )}
    </div>
  )
}
