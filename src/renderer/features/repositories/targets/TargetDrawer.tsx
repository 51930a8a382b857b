import type { Commit, CommitHash, SentinelReading } from '../../../../shared/model/repository.ts'
import { Button } from '../../../components/Button.tsx'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { Drawer } from '../../../components/Drawer.tsx'
import { Fact, Facts, LongText } from '../../../components/Facts.tsx'
import { FillMark, RunMark } from '../../../components/StatusMark.tsx'
import { Time } from '../../../components/Time.tsx'
import { useNode, useRun, useStale } from '../../../stores/ReplicaContext.tsx'
import { formatHash, nodeHash, runHash } from '../../../stores/route.ts'
import { LogViewer } from '../../runs/log/LogViewer.tsx'
import { cli } from '../repositoryWords.ts'
import { readingWords } from './ReadingNote.tsx'
import { behindWords, type TargetRow } from './targetRows.ts'

interface TargetDrawerProps {
  readonly row: TargetRow
  readonly known: ReadonlyMap<CommitHash, Commit>
  readonly reading: SentinelReading | null
  readonly verifying: boolean
  readonly onClose: () => void
  readonly onSync: () => void
  readonly onVerify: () => void
  readonly onPreview: () => void
}

/** One target: what should be there, what was read back, and what its newest run says while it works. */
export function TargetDrawer(props: TargetDrawerProps) {
  const { row, known, reading } = props
  const { target } = row
  const stale = useStale()
  return (
    <Drawer
      label={`${row.planName} on ${row.nodeName}`}
      paneName="target drawer"
      defaultWidth={520}
      onClose={props.onClose}
      header={
        <>
          <h2 className="truncate text-18 font-semibold">{row.nodeName}</h2>
          <p className="flex items-center gap-1.5 text-muted">
            <span aria-hidden className="inline-flex">
              <FillMark fill={row.fill} />
            </span>
            {row.words}
          </p>
        </>
      }
    >
      <div className="flex flex-col gap-4 p-4">
        <Facts nameWidth="96px">
          <Fact name="Wanted">
            <CommitFact commit={target.desired} known={known} none="nothing was fetched yet" />
          </Fact>
          <Fact name="Read back">
            <CommitFact commit={target.observed} known={known} none="nothing was ever verified here" />
          </Fact>
          {behindWords(target) !== '' && (
            <Fact name="Behind">
              <span className="text-pending">{behindWords(target)}</span>
            </Fact>
          )}
          <Fact name="Before it">
            <CommitFact commit={target.previous} known={known} none="no other commit is known" />
          </Fact>
          <Fact name="Verified">
            <Time at={target.verifiedAt} />
          </Fact>
          <Fact name="Directory">
            <LongText text={target.directory} what="directory" />
          </Fact>
          <Fact name="Delivered">{row.strategy === 'release' ? 'as a release: current points at it' : 'in place'}</Fact>
          <Fact name="Plan">
            <a className="text-accent underline" href={formatHash({ view: 'plans', path: [target.planId] })}>
              {row.planName}
            </a>
          </Fact>
          <Fact name="Node">
            <a className="text-accent underline" href={nodeHash(target.nodeId)}>
              {row.nodeName}
            </a>
          </Fact>
        </Facts>
        <div className="flex flex-wrap gap-2">
          <Button disabled={stale} onClick={props.onSync}>
            Sync this one…
          </Button>
          <Button disabled={stale} busy={props.verifying} onClick={props.onVerify}>
            Verify now
          </Button>
          <Button disabled={stale || target.desired === null} onClick={props.onPreview}>
            Preview changes
          </Button>
        </div>
        {reading !== null && <Reading reading={reading} />}
        <NewestRun row={row} />
        <CliEquivalent command={cli.preview(row.planName, row.nodeName)} />
      </div>
    </Drawer>
  )
}

interface CommitFactProps {
  readonly commit: CommitHash | null
  readonly known: ReadonlyMap<CommitHash, Commit>
  readonly none: string
}

function CommitFact({ commit, known, none }: CommitFactProps) {
  if (commit === null) return <span className="text-muted">{none}</span>
  const subject = known.get(commit)?.subject
  return (
    <>
      <LongText text={commit} what="commit" />
      {subject !== undefined && <span className="text-muted">{subject}</span>}
    </>
  )
}

function Reading({ reading }: { readonly reading: SentinelReading }) {
  return (
    <section aria-label="Read just now" className="flex flex-col gap-1 rounded-md border bg-ground p-2">
      <p>
        The sentinel{' '}
        <span className={reading.status === 'matches' ? 'text-in-step' : 'text-pending'}>
          {readingWords[reading.status]}
        </span>
        , read <Time at={reading.readAt} />.
      </p>
      {reading.found !== null && reading.status !== 'matches' && <LongText text={reading.found} what="found commit" />}
      {reading.diagnosis !== null && <p className="text-muted">{reading.diagnosis.sentence}</p>}
    </section>
  )
}

/** The output of the run that works here now; a finished one is a link away. */
function NewestRun({ row }: { readonly row: TargetRow }) {
  const node = useNode(row.target.nodeId)
  const id = row.run?.id ?? row.target.runId
  if (id === null || node === undefined) return null
  return (
    <section aria-label="Newest run" className="flex flex-col gap-1.5">
      <h3 className="text-12 font-semibold text-faint">Newest run</h3>
      <RunOutput id={id} />
    </section>
  )
}

function RunOutput({ id }: { readonly id: NonNullable<TargetRow['target']['runId']> }) {
  const run = useRun(id)
  const link = (
    <a className="text-accent underline" href={runHash(id)}>
      {run === undefined ? 'Open it' : 'States, proof and the whole log'}
    </a>
  )
  if (run === undefined) return <p>{link}</p>
  return (
    <>
      <p className="flex items-center gap-3">
        <RunMark status={run.status} withWord />
        {link}
      </p>
      {run.status === 'running' && (
        <div className="flex h-64 overflow-hidden rounded-md border">
          <LogViewer run={run} jump={null} />
        </div>
      )}
    </>
  )
}
