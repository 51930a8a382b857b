import { useMemo } from 'react'
import type { RegistryKind, RegistryRevision } from '../../../../shared/model/registry.ts'
import { toErrorBody } from '../../../api/errors.ts'
import { Button } from '../../../components/Button.tsx'
import { classNames } from '../../../components/classNames.ts'
import { type Column, DataTable } from '../../../components/DataTable.tsx'
import { EmptyState } from '../../../components/EmptyState.tsx'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { formatCount } from '../../../components/format.ts'
import { Time } from '../../../components/Time.tsx'
import { useStale } from '../../../stores/ReplicaContext.tsx'
import { formatHash, navigate, type Route, updateQuery } from '../../../stores/route.ts'
import { useHistory, useNewest } from '../registryQueries.ts'
import { registryWords, sourceWords } from '../registryWords.ts'
import { RevisionDrawer } from './RevisionDrawer.tsx'
import { Transfer } from './Transfer.tsx'

const registryOf = ({ query }: Route): RegistryKind => (query.registry === 'nodes' ? 'nodes' : 'services')

const numberOf = (text: string | undefined): number | null =>
  text !== undefined && /^[1-9]\d{0,8}$/.test(text) ? Number(text) : null

/** Every revision, newest first; each can be looked at, compared with any other, and put in force again. */
export function History({ route }: { readonly route: Route }) {
  const registry = registryOf(route)
  const history = useHistory(registry)
  const newest = useNewest(registry)
  const stale = useStale()
  const chosen = numberOf(route.query.revision)
  const columns = useColumns(newest?.number ?? 0)
  const revisions = history.data
  return (
    <div className="flex h-full min-h-0 flex-col">
      <div className="flex shrink-0 items-center border-b px-4 py-1.5">
        <fieldset aria-label="Of which registry" className="flex gap-1">
          {(['services', 'nodes'] as const).map((each) => (
            <button
              key={each}
              type="button"
              aria-pressed={each === registry}
              onClick={() =>
                updateQuery({ registry: each === 'nodes' ? each : undefined, revision: undefined, with: undefined })
              }
              className={classNames(
                'h-7 rounded-md px-2 text-muted hover:bg-hover hover:text-text',
                each === registry && 'bg-selection text-text',
              )}
            >
              {registryWords[each].title.charAt(0).toUpperCase() + registryWords[each].title.slice(1)}
            </button>
          ))}
        </fieldset>
        <Transfer registry={registry} />
      </div>
      {history.error !== null && (
        <div className="p-4">
          <ErrorNote error={toErrorBody(history.error)} onRetry={() => void history.refetch()} />
        </div>
      )}
      {revisions?.length === 0 && (
        <EmptyState
          title="No revision yet"
          actions={
            <Button onClick={() => navigate(formatHash({ view: 'registry', path: [registry] }))}>
              Write the first one
            </Button>
          }
        >
          Every save becomes a revision that never changes: who saved it, when, why, and what it did to which nodes.
        </EmptyState>
      )}
      {revisions !== undefined && revisions.length > 0 && (
        <div className={classNames('min-h-0 flex-1', stale && 'stale')}>
          <DataTable
            label={`Revisions of the ${registryWords[registry].title}`}
            rows={revisions}
            rowKey={({ number }) => String(number)}
            columns={columns}
            defaultSort={{ columnId: 'number', direction: 'descending' }}
            isSelected={({ number }) => number === chosen}
            onOpen={({ number }) => updateQuery({ revision: String(number), with: undefined })}
          />
        </div>
      )}
      {chosen !== null && revisions !== undefined && (
        <RevisionDrawer
          key={`${registry} ${chosen}`}
          registry={registry}
          revision={revisions.find(({ number }) => number === chosen)}
          revisions={revisions}
          against={numberOf(route.query.with) ?? chosen - 1}
          onClose={() => updateQuery({ revision: undefined, with: undefined })}
        />
      )}
    </div>
  )
}

function useColumns(newest: number): readonly Column<RegistryRevision>[] {
  return useMemo(
    () => [
      {
        id: 'number',
        header: 'Revision',
        width: '128px',
        cell: ({ number }) => (
          <>
            {formatCount(number)}
            {number === newest && <span className="ml-2 text-12 text-in-step">in force</span>}
          </>
        ),
        sortValue: ({ number }) => number,
      },
      {
        id: 'at',
        header: 'When',
        width: '120px',
        cell: ({ at }) => <Time at={at} className="text-muted" />,
        sortValue: ({ at }) => at,
      },
      {
        id: 'author',
        header: 'Who',
        width: 'minmax(120px, 0.8fr)',
        cell: ({ author }) => author,
        sortValue: ({ author }) => author,
      },
      {
        id: 'source',
        header: 'From',
        width: 'minmax(120px, 1fr)',
        cell: (revision) => <span className="text-muted">{sourceWords(revision)}</span>,
        sortValue: (revision) => sourceWords(revision),
      },
      {
        id: 'comment',
        header: 'Comment',
        width: 'minmax(160px, 1.6fr)',
        cell: ({ comment }) => comment,
      },
      {
        id: 'entries',
        header: 'Entries',
        width: '88px',
        align: 'right',
        cell: ({ entries }) => formatCount(entries),
        sortValue: ({ entries }) => entries,
      },
      {
        id: 'digest',
        header: 'Digest',
        width: '132px',
        cell: ({ digest }) => <code className="text-12 text-muted">{digest.slice(0, 12)}</code>,
      },
    ],
    [newest],
  )
}
