import { useQuery } from '@tanstack/react-query'
import type { Commit, CommitHash, SyncPreview } from '../../../../shared/model/repository.ts'
import { toErrorBody } from '../../../api/errors.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { classNames } from '../../../components/classNames.ts'
import { Drawer } from '../../../components/Drawer.tsx'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { formatBytes, formatCount } from '../../../components/format.ts'
import { VirtualList } from '../../../components/VirtualList.tsx'
import { CommitName } from '../CommitName.tsx'
import { cli } from '../repositoryWords.ts'
import type { TargetRow } from './targetRows.ts'

interface PreviewDrawerProps {
  readonly row: TargetRow
  readonly known: ReadonlyMap<CommitHash, Commit>
  readonly onClose: () => void
}

/** A dry run against one node: what a sync would add, change and delete there. Nothing is changed by looking. */
export function PreviewDrawer({ row, known, onClose }: PreviewDrawerProps) {
  const { client } = useLink()
  const { planId, nodeId, observed } = row.target
  const preview = useQuery({
    queryKey: ['repository preview', planId, nodeId],
    queryFn: () => client.repositories.preview({ plan: planId, node: nodeId }),
    gcTime: 0,
  })
  const commit = preview.data?.commit
  return (
    <Drawer
      label={`What a sync would change on ${row.nodeName}`}
      paneName="preview drawer"
      defaultWidth={560}
      onClose={onClose}
      header={
        <>
          <h2 className="truncate text-18 font-semibold">What a sync would change on {row.nodeName}</h2>
          <p className="flex min-w-0 items-baseline gap-2 text-muted">
            {observed === null ? (
              'nothing yet'
            ) : (
              <CommitName commit={observed} subject={known.get(observed)?.subject} />
            )}
            <span aria-hidden>→</span>
            {commit === undefined ? '…' : <CommitName commit={commit} subject={known.get(commit)?.subject} />}
          </p>
        </>
      }
    >
      <div className="flex flex-col gap-4 p-4">
        {preview.error !== null && (
          <ErrorNote error={toErrorBody(preview.error)} onRetry={() => void preview.refetch()} />
        )}
        {preview.isFetching && (
          <p className="text-muted">A dry run is made on {row.nodeName}. Nothing is changed there.</p>
        )}
        {preview.data !== undefined && !preview.isFetching && <Changes preview={preview.data} />}
        <CliEquivalent command={cli.preview(row.planName, row.nodeName)} />
      </div>
    </Drawer>
  )
}

const kinds = [
  { id: 'added', words: 'added', sign: '+', colour: 'text-in-step' },
  { id: 'changed', words: 'changed', sign: '~', colour: 'text-pending' },
  { id: 'deleted', words: 'deleted', sign: '−', colour: 'text-error' },
] as const

const rowHeight = 20
const shownRows = 12

function Changes({ preview }: { readonly preview: SyncPreview }) {
  const { totals, bytes } = preview
  const sum = totals.added + totals.changed + totals.deleted
  if (sum === 0) return <p>Nothing: the node has every file of this commit, and no other.</p>
  return (
    <>
      <p>
        {kinds.map(({ id, words, colour }, index) => (
          <span key={id}>
            {index > 0 && ', '}
            <span className={totals[id] > 0 ? colour : undefined}>{formatCount(totals[id])}</span> {words}
          </span>
        ))}
        ; {formatBytes(bytes)} of content.
      </p>
      {kinds
        .filter(({ id }) => totals[id] > 0)
        .map(({ id, words, sign, colour }) => (
          <section key={id} aria-label={words} className="flex flex-col gap-1">
            <h3 className="text-12 font-semibold text-faint">
              {formatCount(totals[id])} {words}
            </h3>
            <div
              className="rounded-md border bg-ground"
              style={{ height: Math.min(preview[id].length, shownRows) * rowHeight + 2 }}
            >
              <VirtualList
                label={`Files that would be ${words}`}
                items={preview[id]}
                itemKey={(path) => path}
                rowHeight={rowHeight}
                renderItem={(path) => (
                  <code className="block truncate px-2 text-12 leading-5" title={path}>
                    <span aria-hidden className={classNames('mr-2 select-none', colour)}>
                      {sign}
                    </span>
                    {path}
                  </code>
                )}
              />
            </div>
            {preview[id].length < totals[id] && (
              <p className="text-12 text-faint">The first {formatCount(preview[id].length)} of them.</p>
            )}
          </section>
        ))}
    </>
  )
}
