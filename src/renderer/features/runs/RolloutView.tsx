import { useQuery } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import type { RolloutId } from '../../../shared/model/ids.ts'
import { NodeOutcome, type Rollout } from '../../../shared/model/rollout.ts'
import type { Run } from '../../../shared/model/run.ts'
import { toErrorBody } from '../../api/errors.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { useCall } from '../../api/useCall.ts'
import { Button } from '../../components/Button.tsx'
import { CliEquivalent } from '../../components/CliEquivalent.tsx'
import { DecisionDialog } from '../../components/DecisionDialog.tsx'
import { ErrorNote } from '../../components/ErrorNote.tsx'
import { formatCount, plural } from '../../components/format.ts'
import { Time } from '../../components/Time.tsx'
import { ViewHeader } from '../../components/ViewHeader.tsx'
import { useReplica } from '../../stores/ReplicaContext.tsx'
import { formatHash, navigate, rolloutHash } from '../../stores/route.ts'
import { RolloutBar } from './RolloutBar.tsx'
import { RunMatrix, type WaitingNode } from './RunMatrix.tsx'
import { causeWords, isHeld, isOver, openNodes, outcomeWords, settingsSentence, statusWords } from './rolloutWords.ts'
import { newIdempotencyKey } from './runQueries.ts'

/** One change on its way through the fleet: nodes down, states across, filling as it goes. */
export function RolloutView({ rolloutId }: { readonly rolloutId: RolloutId }) {
  const { rollout, runs, error, retry } = useRollout(rolloutId)
  const nodes = useReplica((state) => state.nodes)
  const waiting = useMemo((): readonly WaitingNode[] => {
    if (rollout === undefined) return []
    const words = waitingWords(rollout)
    return rollout.nodes
      .slice(rollout.started)
      .map((nodeId) => ({ nodeId, nodeName: nodes.get(nodeId)?.name ?? 'a node that is gone', words }))
  }, [rollout, nodes])
  if (rollout === undefined)
    return error === null ? (
      <ViewHeader title="Rollout" summary="Loading" />
    ) : (
      <div className="p-4">
        <ErrorNote error={error} onRetry={retry} />
      </div>
    )
  return (
    <div className="flex h-full flex-col">
      <RolloutHeader rollout={rollout} />
      <RolloutFacts rollout={rollout} />
      <RunMatrix runs={runs} waiting={waiting} />
    </div>
  )
}

function waitingWords({ status, canaryEnd, started }: Rollout): string {
  if (status === 'running')
    return canaryEnd > 0 && started === canaryEnd ? 'waits for the first wave' : 'waits for a place'
  if (status === 'paused') return 'paused'
  return status === 'stopped' ? 'held back by failures' : 'will not be begun by this one'
}

/** Live where the replica knows it; runs that it no longer keeps come from the history. */
function useRollout(id: RolloutId) {
  const { client } = useLink()
  const live = useReplica((state) => state.rollouts.get(id))
  const liveRuns = useReplica((state) => state.runs)
  const query = useQuery({ queryKey: ['rollout', id], queryFn: () => client.rollouts.get({ id }) })
  const runs = useMemo(() => {
    const byId = new Map((query.data?.runs ?? []).map((run): [Run['id'], Run] => [run.id, run]))
    for (const run of liveRuns.values()) if (run.rolloutId === id) byId.set(run.id, run)
    return [...byId.values()].sort(worstFirst)
  }, [query.data, liveRuns, id])
  return {
    rollout: live ?? query.data?.rollout,
    runs,
    error: query.error === null ? null : toErrorBody(query.error),
    retry: () => void query.refetch(),
  }
}

const order: readonly Run['status'][] = ['failed', 'halted', 'running', 'queued', 'canceled', 'succeeded']

const worstFirst = (left: Run, right: Run): number =>
  order.indexOf(left.status) - order.indexOf(right.status) ||
  left.nodeName.localeCompare(right.nodeName, 'en', { numeric: true }) ||
  left.planName.localeCompare(right.planName)

type Question = 'resume' | 'abort' | 'retry'

function RolloutHeader({ rollout }: { readonly rollout: Rollout }) {
  const { client } = useLink()
  const pausing = useCall<Rollout>()
  const [question, setQuestion] = useState<Question | null>(null)
  const { counts } = rollout
  const again = counts.failed + counts.canceled
  return (
    <ViewHeader
      title={
        <>
          <a className="text-faint hover:text-text" href={formatHash({ view: 'runs', path: ['rollouts'] })}>
            Rollouts
          </a>
          <span className="text-faint">/</span>
          {causeWords(rollout)}
        </>
      }
      summary={
        <>
          <span className={isHeld(rollout) ? 'text-pending' : ''}>{statusWords(rollout)}</span>
          {NodeOutcome.options.map((outcome) =>
            counts[outcome] === 0 ? null : (
              <span key={outcome}>
                {formatCount(counts[outcome])} {outcomeWords[outcome]}
              </span>
            ),
          )}
        </>
      }
      actions={
        <div className="flex items-center gap-2">
          {pausing.error !== null && <span className="text-error">{pausing.error.message}</span>}
          {rollout.status === 'running' && (
            <Button
              busy={pausing.busy}
              onClick={() => void pausing.run(() => client.rollouts.pause({ id: rollout.id }))}
            >
              Pause
            </Button>
          )}
          {isHeld(rollout) && <Button onClick={() => setQuestion('resume')}>Go on…</Button>}
          {!isOver(rollout) && <Button onClick={() => setQuestion('abort')}>Abort…</Button>}
          {again > 0 && <Button onClick={() => setQuestion('retry')}>Resync failed ({formatCount(again)})…</Button>}
          {question !== null && (
            <RolloutDecision rollout={rollout} question={question} onClose={() => setQuestion(null)} />
          )}
        </div>
      }
    />
  )
}

interface RolloutDecisionProps {
  readonly rollout: Rollout
  readonly question: Question
  readonly onClose: () => void
}

function RolloutDecision({ rollout, question, onClose }: RolloutDecisionProps) {
  const { client } = useLink()
  const { run, busy, error } = useCall<Rollout>()
  const [idempotencyKey] = useState(newIdempotencyKey)
  const { id, nodes, counts } = rollout
  const { working, waiting } = openNodes(rollout)
  const total = plural(nodes.length, 'node')
  const words = {
    resume: {
      title: 'Go on with this rollout?',
      blastRadius: `${formatCount(waiting)} of ${total}`,
      effect:
        rollout.status === 'stopped'
          ? `In spite of ${plural(counts.failed, 'failure')}, the rest is begun. Failures are counted anew.`
          : 'The nodes that were not begun get the change.',
      undo: 'Pause or abort it again; what was delivered stays until another revision is.',
      confirm: 'Go on',
      command: `lockstep rollouts resume ${id}`,
      call: () => client.rollouts.resume({ id }),
    },
    abort: {
      title: 'Abort this rollout?',
      blastRadius: `${formatCount(working + waiting)} of ${total}`,
      effect: `Canceled: ${plural(working, 'run')} that ${working === 1 ? 'works' : 'work'} now. Not begun: ${plural(waiting, 'node')}. They stay pending, and the next reconcile brings them the change.`,
      undo: 'None for the rollout itself. To keep the change from the nodes, return to an older revision of the registry.',
      confirm: 'Abort',
      command: `lockstep rollouts abort ${id}`,
      call: () => client.rollouts.abort({ id }),
    },
    retry: {
      title: 'Resync the nodes that did not succeed?',
      blastRadius: `${formatCount(counts.failed + counts.canceled)} of ${total}`,
      effect: 'A new rollout with the newest revision, to these nodes only.',
      undo: 'Not needed when nothing has changed; otherwise return to an older revision of the registry.',
      confirm: 'Resync',
      command: `lockstep rollouts retry-failed ${id}`,
      call: () => client.rollouts.retryFailed({ id, idempotencyKey }),
    },
  }[question]
  const confirm = async (): Promise<void> => {
    const next = await run(words.call)
    if (next === null) return
    onClose()
    if (next.id !== id) navigate(rolloutHash(next.id))
  }
  return (
    <DecisionDialog
      open
      onClose={onClose}
      title={words.title}
      blastRadius={words.blastRadius}
      effect={words.effect}
      undo={words.undo}
      confirmLabel={words.confirm}
      danger={question === 'abort'}
      busy={busy}
      error={error}
      onConfirm={() => void confirm()}
    >
      <CliEquivalent command={words.command} />
    </DecisionDialog>
  )
}

function RolloutFacts({ rollout }: { readonly rollout: Rollout }) {
  const { plans, settings, canaryEnd, nodes, supersededBy, createdAt, finishedAt, cause } = rollout
  return (
    <div className="flex shrink-0 flex-col gap-2 border-b px-4 py-2">
      <RolloutBar rollout={rollout} />
      <div className="flex flex-wrap gap-x-4 gap-y-1 text-12 text-muted">
        <span>
          {plans.map(({ planName, planRevision }) => `${planName} r${planRevision}`).join(', ')} to{' '}
          {plural(nodes.length, 'node')}
        </span>
        <span>{settingsSentence(settings)}</span>
        {canaryEnd > 0 && canaryEnd < nodes.length && <span>First wave: {plural(canaryEnd, 'node')}</span>}
        <span>
          Began <Time at={createdAt} />
        </span>
        {finishedAt !== null && (
          <span>
            ended <Time at={finishedAt} />
          </span>
        )}
        {supersededBy !== null && (
          <a className="text-accent hover:underline" href={rolloutHash(supersededBy)}>
            The rollout that took over
          </a>
        )}
        {cause.kind === 'failed-of' && (
          <a className="text-accent hover:underline" href={rolloutHash(cause.rolloutId)}>
            The rollout before
          </a>
        )}
      </div>
    </div>
  )
}
