import { useId, useState } from 'react'
import type { RegistryKind, RegistryRevision } from '../../../../shared/model/registry.ts'
import { toErrorBody } from '../../../api/errors.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useCall } from '../../../api/useCall.ts'
import { Button } from '../../../components/Button.tsx'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { DecisionDialog } from '../../../components/DecisionDialog.tsx'
import { Drawer } from '../../../components/Drawer.tsx'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { Fact, Facts, LongText } from '../../../components/Facts.tsx'
import { Field } from '../../../components/Field.tsx'
import { formatCount, plural } from '../../../components/format.ts'
import { Time } from '../../../components/Time.tsx'
import { useReplica, useStale } from '../../../stores/ReplicaContext.tsx'
import { updateQuery } from '../../../stores/route.ts'
import { useComparison, useNewest } from '../registryQueries.ts'
import { cli, entriesWords, sourceWords } from '../registryWords.ts'
import { ChangeList, changeWords } from '../save/ChangeList.tsx'
import { EffectList, reachedNodes } from '../save/EffectList.tsx'

interface RevisionDrawerProps {
  readonly registry: RegistryKind
  readonly revision: RegistryRevision | undefined
  readonly revisions: readonly RegistryRevision[]
  /** What it is compared with; 0: nothing at all. */
  readonly against: number
  readonly onClose: () => void
}

/** One revision: where it came from, what it changed, and the way back to it. */
export function RevisionDrawer(props: RevisionDrawerProps) {
  const { registry, revision, onClose } = props
  const newest = useNewest(registry)
  const stale = useStale()
  const [returning, setReturning] = useState(false)
  return (
    <Drawer
      label={revision === undefined ? 'Revision' : `Revision ${revision.number}`}
      paneName="registry revision"
      defaultWidth={560}
      onClose={onClose}
      header={
        <>
          <h2 className="text-18 font-semibold">
            {revision === undefined ? 'Unknown revision' : `Revision ${formatCount(revision.number)}`}
          </h2>
          {revision !== undefined && (
            <p className="text-muted">
              {revision.number === newest?.number ? 'in force' : 'not in force'} ·{' '}
              {entriesWords(registry, revision.entries)}
            </p>
          )}
        </>
      }
      footer={
        revision !== undefined &&
        revision.number !== newest?.number && (
          <div className="flex flex-col gap-2 p-3">
            <Button variant="primary" disabled={stale} onClick={() => setReturning(true)}>
              Return to revision {revision.number}…
            </Button>
          </div>
        )
      }
    >
      {revision === undefined ? (
        <p className="p-4 text-muted">There is no such revision. The link may be from another fleet.</p>
      ) : (
        <Content {...props} revision={revision} />
      )}
      {returning && revision !== undefined && newest !== undefined && (
        <ReturnDialog
          registry={registry}
          to={revision.number}
          from={newest.number}
          onClose={() => setReturning(false)}
          onReturned={onClose}
        />
      )}
    </Drawer>
  )
}

function Content({
  registry,
  revision,
  revisions,
  against,
}: RevisionDrawerProps & { readonly revision: RegistryRevision }) {
  const others = revisions.filter(({ number }) => number !== revision.number)
  return (
    <div className="flex flex-col gap-5 p-4">
      <Facts>
        <Fact name="Saved">
          by {revision.author} <Time at={revision.at} />
        </Fact>
        <Fact name="From">{sourceWords(revision)}</Fact>
        {revision.comment !== '' && <Fact name="Comment">{revision.comment}</Fact>}
        <Fact name="Digest">
          <LongText text={revision.digest} what="digest" />
        </Fact>
      </Facts>
      <Against others={others} against={against} />
      <Comparison registry={registry} from={against} to={revision.number} />
      <CliEquivalent command={cli.diff(registry, against, revision.number)} />
    </div>
  )
}

function Against({ others, against }: { readonly others: readonly RegistryRevision[]; readonly against: number }) {
  const id = useId()
  return (
    <p className="flex items-center gap-2">
      <label htmlFor={id} className="text-muted">
        Compared with
      </label>
      <select
        id={id}
        value={against}
        onChange={(event) => updateQuery({ with: event.target.value }, { replace: true })}
        className="h-7 rounded-md border border-line-strong bg-ground px-2"
      >
        <option value={0}>nothing at all</option>
        {others.map(({ number, author }) => (
          <option key={number} value={number}>
            revision {number}, {author}
          </option>
        ))}
      </select>
    </p>
  )
}

interface ComparisonProps {
  readonly registry: RegistryKind
  readonly from: number
  readonly to: number
}

/** What one revision has that another has not. */
function Comparison({ registry, from, to }: ComparisonProps) {
  const comparison = useComparison(registry, from, to)
  if (comparison.error !== null)
    return <ErrorNote error={toErrorBody(comparison.error)} onRetry={() => void comparison.refetch()} />
  if (comparison.data === undefined) return <p className="text-muted">Comparing</p>
  const { changes, effects } = comparison.data
  return (
    <>
      <section aria-label="Entries" className="flex flex-col gap-1.5">
        <h3 className="text-12 font-semibold text-faint">Entries: {changeWords(changes)}</h3>
        <ChangeList changes={changes} />
      </section>
      {registry === 'services' && changes.length > 0 && (
        <section aria-label="Nodes" className="flex flex-col gap-1.5">
          <h3 className="text-12 font-semibold text-faint">What the nodes of today would get</h3>
          <EffectList effects={effects} />
        </section>
      )}
    </>
  )
}

interface ReturnDialogProps extends ComparisonProps {
  readonly onClose: () => void
  readonly onReturned: () => void
}

function ReturnDialog({ registry, from, to, onClose, onReturned }: ReturnDialogProps) {
  const { client } = useLink()
  const nodeCount = useReplica((state) => state.nodes.size)
  const comparison = useComparison(registry, from, to)
  const [comment, setComment] = useState('')
  const call = useCall<RegistryRevision>()
  const reached = comparison.data === undefined ? null : reachedNodes(comparison.data.effects)
  const confirm = async (): Promise<void> => {
    const done = await call.run(() => client.registry.return({ registry, toNumber: to, comment: comment.trim() }))
    if (done !== null) onReturned()
  }
  return (
    <DecisionDialog
      open
      wide
      onClose={onClose}
      title={`Return to revision ${to}?`}
      blastRadius={reached === null ? 'being found out' : `${formatCount(reached)} of ${plural(nodeCount, 'node')}`}
      effect={`Its content becomes a new revision, number ${from + 1}. Nothing of the history is lost.`}
      undo={`Return to revision ${from} in the same way.`}
      confirmLabel={`Return to revision ${to}`}
      busy={call.busy}
      incomplete={comparison.data === undefined}
      error={call.error}
      onConfirm={() => void confirm()}
    >
      <div className="flex flex-col gap-4">
        <Comparison registry={registry} from={from} to={to} />
      </div>
      <Field label="Comment" maxLength={500} value={comment} onChange={(event) => setComment(event.target.value)} />
      <CliEquivalent command={cli.returnTo(registry, to)} />
    </DecisionDialog>
  )
}
