import type { RegistryCheck, RegistryProblem } from '../../../../shared/contract/registry.ts'
import type { RegistryKind, RegistryRevision } from '../../../../shared/model/registry.ts'
import { Button } from '../../../components/Button.tsx'
import { formatCount, plural } from '../../../components/format.ts'
import { Time } from '../../../components/Time.tsx'
import { useReplica, useStale } from '../../../stores/ReplicaContext.tsx'
import { changeWords } from '../save/ChangeList.tsx'
import { reachedNodes } from '../save/EffectList.tsx'
import type { Checked } from './useCheck.ts'

interface DraftBarProps {
  readonly registry: RegistryKind
  readonly changed: boolean
  readonly baseNumber: number
  readonly newest: RegistryRevision | undefined
  readonly check: Checked
  readonly problems: readonly RegistryProblem[]
  readonly onJump: (problem: RegistryProblem) => void
  readonly onDiscard: () => void
  readonly onSave: () => void
}

const shownProblems = 50

/** Under the draft: what it would do, or what is wrong with it, and the two ways out. */
export function DraftBar(props: DraftBarProps) {
  const { changed, check, problems } = props
  const stale = useStale()
  const result = check.status === 'fresh' && !stale ? check.result : null
  const canSave = changed && result?.status === 'valid' && result.changes.length > 0
  return (
    <section aria-label="Draft" className="shrink-0 border-t bg-surface">
      {problems.length > 0 && <Problems problems={problems} onJump={props.onJump} />}
      <div className="flex min-h-12 flex-wrap items-center gap-3 px-4 py-2">
        <p role="status" className="min-w-0 flex-1">
          <Standing {...props} />
        </p>
        {changed && (
          <>
            <Button onClick={props.onDiscard}>Discard…</Button>
            <Button variant="primary" disabled={!canSave} onClick={props.onSave}>
              Save…
            </Button>
          </>
        )}
      </div>
    </section>
  )
}

function Standing({ changed, baseNumber, newest, check, problems }: DraftBarProps) {
  const inForce = newest === undefined ? 'Nothing is saved' : `Revision ${newest.number} stays in force`
  if (!changed) return <InForce newest={newest} />
  if (problems.length > 0)
    return (
      <span className="text-error">
        {plural(problems.length, 'mistake')}. {inForce} until they are gone.
      </span>
    )
  if (check.error !== null) return <span className="text-error">{check.error.message}</span>
  if (check.status === 'unasked')
    return (
      <span className="text-pending">Not connected: the draft is kept here and checked when the engine is back.</span>
    )
  return (
    <>
      {check.result?.status === 'valid' && <Outcome result={check.result} old={check.status === 'old'} />}
      {check.result === null && <span className="text-muted">Checking</span>}
      {newest !== undefined && newest.number !== baseNumber && (
        <span className="ml-3 text-pending">
          {newest.author} saved revision {newest.number} meanwhile, <Time at={newest.at} />. Saving puts both together.
        </span>
      )}
    </>
  )
}

function InForce({ newest }: Pick<DraftBarProps, 'newest'>) {
  if (newest === undefined) return <span className="text-muted">Nothing is registered yet.</span>
  return (
    <span className="text-muted">
      Revision {newest.number} is in force, saved by {newest.author} <Time at={newest.at} />
      {newest.comment !== '' && <>: “{newest.comment}”</>}. Nothing is changed here.
    </span>
  )
}

interface OutcomeProps {
  readonly result: Extract<RegistryCheck, { status: 'valid' }>
  readonly old: boolean
}

function Outcome({ result, old }: OutcomeProps) {
  const nodeCount = useReplica((state) => state.nodes.size)
  if (result.changes.length === 0)
    return <span className="text-muted">It says the same as what is in force, in another layout: nothing to save.</span>
  const words = changeWords(result.changes)
  const reached = reachedNodes(result.effects)
  return (
    <span className={old ? 'text-faint' : undefined}>
      {words.charAt(0).toUpperCase()}
      {words.slice(1)}.{' '}
      {result.effects.length > 0
        ? `${formatCount(reached)} of ${plural(nodeCount, 'node')} would change.`
        : 'No node would get another text.'}
    </span>
  )
}

function Problems({ problems, onJump }: Pick<DraftBarProps, 'problems' | 'onJump'>) {
  return (
    <ul aria-label="Mistakes" className="flex max-h-40 flex-col overflow-auto border-b px-4 py-2">
      {problems.slice(0, shownProblems).map((problem) => (
        <li key={`${problem.line} ${problem.column} ${problem.message}`} className="flex min-w-0 items-baseline gap-2">
          <button
            type="button"
            onClick={() => onJump(problem)}
            className="shrink-0 text-12 text-accent underline tabular-nums"
          >
            line {formatCount(problem.line)}
          </button>
          <span className="min-w-0">
            <span className="font-medium">{problem.path.join(' › ')}</span> {problem.message}
          </span>
        </li>
      ))}
      {problems.length > shownProblems && (
        <li className="text-muted">and {formatCount(problems.length - shownProblems)} more</li>
      )}
    </ul>
  )
}
