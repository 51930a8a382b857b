import { X } from 'lucide-react'
import type { RegistryRevision } from '../../../shared/model/registry.ts'
import type { Rollout } from '../../../shared/model/rollout.ts'
import { formatCount, plural } from '../../components/format.ts'
import { IconButton } from '../../components/IconButton.tsx'
import { useReplica } from '../../stores/ReplicaContext.tsx'
import { rolloutHash } from '../../stores/route.ts'

/** The rollout that brings a revision to the nodes, as soon as it has begun. */
function useRolloutOf({ registry, number }: RegistryRevision): Rollout | undefined {
  const rollouts = useReplica((state) => state.rollouts)
  return [...rollouts.values()].find(
    ({ cause }) => cause.kind === 'registry' && cause.registry === registry && cause.revision === number,
  )
}

/** After a save: which revision it became, and where to watch it arrive. */
export function SavedNote({
  revision,
  onClose,
}: {
  readonly revision: RegistryRevision
  readonly onClose: () => void
}) {
  const rollout = useRolloutOf(revision)
  return (
    <div role="status" className="flex shrink-0 items-center gap-3 border-b border-in-step bg-raised px-4 py-1.5">
      <p className="min-w-0 flex-1">
        Saved as revision {revision.number}.{' '}
        {rollout !== undefined && (
          <>
            {formatCount(rollout.counts.succeeded)} of {plural(rollout.nodes.length, 'node')} have it.{' '}
            <a className="text-accent underline" href={rolloutHash(rollout.id)}>
              Watch the rollout
            </a>
          </>
        )}
      </p>
      <IconButton label="Close this note" icon={<X className="size-4" />} onClick={onClose} />
    </div>
  )
}
