import { Check } from 'lucide-react'
import { useState } from 'react'
import type { AuthorityKind, Rotation, RotationPhase, RotationProgress } from '../../../../shared/model/certificate.ts'
import { toErrorBody } from '../../../api/errors.ts'
import { Button } from '../../../components/Button.tsx'
import { classNames } from '../../../components/classNames.ts'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { Fact, Facts, LongText } from '../../../components/Facts.tsx'
import { formatCount } from '../../../components/format.ts'
import { Time } from '../../../components/Time.tsx'
import { useStale } from '../../../stores/ReplicaContext.tsx'
import { useRotationProgress } from '../trustQueries.ts'
import { phaseWords } from './authorityWords.ts'
import { AdvanceRotation, RollBackRotation } from './RotationDialogs.tsx'
import { UnplannedNodes } from './UnplannedNodes.tsx'

const forward = ['trust', 'sign', 'retire'] as const satisfies readonly RotationPhase[]
const back = ['rollback'] as const satisfies readonly RotationPhase[]

/** Where the rotation stands, who keeps it there, and the two ways on. */
export function RotationTrack({ kind, rotation }: { readonly kind: AuthorityKind; readonly rotation: Rotation }) {
  const progress = useRotationProgress(kind, rotation.phase)
  const phases: readonly RotationPhase[] = rotation.phase === 'rollback' ? back : forward
  return (
    <section aria-label="Rotation" className="flex flex-col gap-3 border-t pt-3">
      <ol className="flex gap-1">
        {phases.map((phase, index) => (
          <Phase key={phase} phase={phase} number={index + 1} at={phases.indexOf(rotation.phase)} />
        ))}
      </ol>
      <div className="grid grid-cols-[minmax(0,3fr)_minmax(0,2fr)] gap-x-8 gap-y-3">
        <div className="flex flex-col gap-3">
          <p>{phaseWords[rotation.phase].now}</p>
          {progress.error !== null && progress.data === undefined && (
            <ErrorNote error={toErrorBody(progress.error)} onRetry={() => void progress.refetch()} />
          )}
          {progress.data != null && <Progress progress={progress.data} />}
          {progress.data?.ready === false && <UnplannedNodes kind={kind} />}
        </div>
        <div className="flex flex-col gap-3">
          <Facts nameWidth="64px">
            <Fact name="Old">
              <LongText text={rotation.oldFingerprint} what="old fingerprint" />
            </Fact>
            <Fact name="New">
              <LongText text={rotation.newFingerprint} what="new fingerprint" />
            </Fact>
            <Fact name="Started">
              by {rotation.startedBy} <Time at={rotation.startedAt} />, in this phase{' '}
              <Time at={rotation.phaseStartedAt} />
            </Fact>
          </Facts>
          <Actions kind={kind} rotation={rotation} progress={progress.data ?? null} />
        </div>
      </div>
    </section>
  )
}

function Phase({ phase, number, at }: { readonly phase: RotationPhase; readonly number: number; readonly at: number }) {
  const isPast = number - 1 < at
  const isNow = number - 1 === at
  return (
    <li
      aria-current={isNow ? 'step' : undefined}
      className={classNames(
        'flex min-w-0 flex-1 flex-col gap-1 border-t-4 pt-1 text-12',
        isPast ? 'border-in-step text-muted' : isNow ? 'border-busy text-text' : 'border-line-strong text-faint',
      )}
    >
      <span className={classNames('flex items-start gap-1', isNow && 'font-semibold')}>
        {isPast ? (
          <Check role="img" aria-label="done" className="mt-0.5 size-3 shrink-0 text-in-step" />
        ) : (
          <span>{number}.</span>
        )}
        {phaseWords[phase].title}
      </span>
    </li>
  )
}

const shownWaiting = 5

/** Who is proven, and of those who are not each by name, with the reason. */
function Progress({ progress }: { readonly progress: RotationProgress }) {
  const [all, setAll] = useState(false)
  const { total, proven, waiting, outside } = progress
  const shown = all ? waiting : waiting.slice(0, shownWaiting)
  const unnamed = total - proven - waiting.length
  return (
    <div className="flex flex-col gap-2">
      <div className="flex items-center gap-3">
        <span aria-hidden className="h-1.5 flex-1 overflow-hidden rounded-full bg-line">
          <span
            className={classNames('block h-full', proven === total ? 'bg-in-step' : 'bg-busy')}
            style={{ width: `${total === 0 ? 100 : (proven / total) * 100}%` }}
          />
        </span>
        <span role="status">
          {formatCount(proven)} of {formatCount(total)} proven
        </span>
      </div>
      {waiting.length > 0 && (
        <ul aria-label="Waiting for" className="max-h-48 overflow-auto rounded-md border bg-ground px-2 py-1">
          {shown.map(({ name, why }) => (
            <li key={name} className="grid grid-cols-[minmax(80px,1fr)_2fr] gap-2">
              <span className="truncate">{name}</span>
              <span className="text-muted">{why}</span>
            </li>
          ))}
          {all && unnamed > 0 && <li className="text-faint">and {formatCount(unnamed)} more</li>}
        </ul>
      )}
      {outside.length > 0 && (
        <p className="text-pending">
          Not covered, because we log in with static keys: {outside.slice(0, shownWaiting).join(', ')}
          {outside.length > shownWaiting && ` and ${formatCount(outside.length - shownWaiting)} more`}.
        </p>
      )}
      {waiting.length > shownWaiting && (
        <div>
          <Button size="small" variant="quiet" onClick={() => setAll(!all)}>
            {all ? 'Show fewer' : `Show all ${formatCount(waiting.length + unnamed)} that wait`}
          </Button>
        </div>
      )}
    </div>
  )
}

interface ActionsProps {
  readonly kind: AuthorityKind
  readonly rotation: Rotation
  readonly progress: RotationProgress | null
}

function Actions({ kind, rotation, progress }: ActionsProps) {
  const stale = useStale()
  const [deciding, setDeciding] = useState<'advance' | 'leave-behind' | 'roll-back' | null>(null)
  const close = (): void => setDeciding(null)
  const isReady = progress?.ready === true
  const waits = progress === null ? 0 : progress.total - progress.proven
  return (
    <div className="flex flex-col gap-2">
      <div className="flex flex-wrap items-center gap-2">
        <Button variant="primary" size="small" disabled={stale || !isReady} onClick={() => setDeciding('advance')}>
          {phaseWords[rotation.phase].next}
        </Button>
        {!isReady && waits > 0 && (
          <Button size="small" variant="quiet" disabled={stale} onClick={() => setDeciding('leave-behind')}>
            Go on without some…
          </Button>
        )}
        {(rotation.phase === 'trust' || rotation.phase === 'sign') && (
          <Button size="small" disabled={stale} onClick={() => setDeciding('roll-back')}>
            Roll back…
          </Button>
        )}
      </div>
      {!isReady && (
        <p className="text-12 text-pending">
          {progress === null
            ? 'Asking how many are proven…'
            : `It goes on when all ${formatCount(progress.total)} are proven: ${formatCount(waits)} to go.`}
        </p>
      )}
      {deciding === 'roll-back' && <RollBackRotation kind={kind} rotation={rotation} onClose={close} />}
      {(deciding === 'advance' || deciding === 'leave-behind') && progress !== null && (
        <AdvanceRotation kind={kind} rotation={rotation} progress={progress} onClose={close} />
      )}
    </div>
  )
}
