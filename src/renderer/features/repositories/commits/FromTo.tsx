import type { Commit, CommitHash, RepositoryTarget } from '../../../../shared/model/repository.ts'
import { plural } from '../../../components/format.ts'
import { CommitName } from '../CommitName.tsx'

interface FromToProps {
  readonly targets: readonly RepositoryTarget[]
  readonly to: CommitHash
  readonly known: ReadonlyMap<CommitHash, Commit>
}

/** What the nodes have now, most of them first, and what they would have. */
export function FromTo({ targets, to, known }: FromToProps) {
  const counts = new Map<CommitHash | null, number>()
  for (const { observed } of targets) counts.set(observed, (counts.get(observed) ?? 0) + 1)
  const groups = [...counts].sort((left, right) => right[1] - left[1])
  return (
    <section aria-label="From and to" className="flex flex-col gap-1 rounded-md border bg-ground p-2">
      <ul className="flex max-h-40 flex-col gap-1 overflow-auto">
        {groups.map(([commit, count]) => (
          <li key={commit} className="grid grid-cols-[88px_minmax(0,1fr)] gap-2">
            <span className="text-right text-muted">{plural(count, 'node')}</span>
            <span className="flex min-w-0 items-baseline gap-2">
              {commit === null ? (
                <span className="text-muted">nothing yet</span>
              ) : (
                <CommitName commit={commit} subject={known.get(commit)?.subject} />
              )}
              {commit === to && <span className="shrink-0 text-12 text-faint">has it already</span>}
            </span>
          </li>
        ))}
      </ul>
      <p className="grid grid-cols-[88px_minmax(0,1fr)] gap-2 border-t pt-1">
        <span aria-hidden className="text-right">
          →
        </span>
        <CommitName commit={to} subject={known.get(to)?.subject} className="font-medium" />
      </p>
    </section>
  )
}
