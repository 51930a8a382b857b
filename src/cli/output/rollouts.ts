import type { NodeId } from '../../shared/model/ids.ts'
import type { Portion, Rollout, RolloutSettings, RolloutStatus } from '../../shared/model/rollout.ts'
import { type Run, type RunState, runStates, type StateVisit } from '../../shared/model/run.ts'
import { outcomeOf } from './runs.ts'
import { bad, faint, good, type Paint, paintRunStatus, waiting } from './style.ts'
import { type Cell, renderFacts, renderTable } from './table.ts'
import { isoTime, isoTimeOr, plural } from './words.ts'

const statusPaint: Record<RolloutStatus, Paint> = {
  running: waiting,
  paused: waiting,
  stopped: bad,
  finished: good,
  aborted: bad,
  superseded: faint,
}
const statusCell = ({ status }: Rollout): Cell => ({ text: status, paint: statusPaint[status] })

export function causeWords({ cause, requestedBy }: Rollout): string {
  switch (cause.kind) {
    case 'registry':
      return `${cause.registry} revision ${cause.revision} by ${requestedBy}`
    case 'operator':
      return `asked for by ${requestedBy}`
    case 'failed-of':
      return `what failed of ${cause.rolloutId}, asked for by ${requestedBy}`
  }
}

/** One that is over has nothing to come. */
const notBegun = (finishedAt: number | null): string => (finishedAt === null ? 'to come' : 'not begun')

/** `3 of 12 verified, 1 failed, 2 unreachable, 4 at work, 2 to come` */
export function countWords({ counts, nodes, started, finishedAt }: Rollout): string {
  const settled = counts.succeeded + counts.failed + counts.unreachable + counts.canceled
  const parts = [
    `${counts.succeeded} of ${plural(nodes.length, 'node')} verified`,
    ...(counts.failed > 0 ? [`${counts.failed} failed`] : []),
    ...(counts.unreachable > 0 ? [`${counts.unreachable} unreachable`] : []),
    ...(counts.canceled > 0 ? [`${counts.canceled} canceled`] : []),
    ...(started > settled ? [`${started - settled} at work`] : []),
    ...(nodes.length > started ? [`${nodes.length - started} ${notBegun(finishedAt)}`] : []),
  ]
  return parts.join(', ')
}

export function renderRollouts(rollouts: readonly Rollout[]): string {
  if (rollouts.length === 0) return 'No rollout.\n'
  return renderTable(
    ['ROLLOUT', 'CREATED', 'STATUS', 'NODES', 'CAUSE'],
    rollouts.map((rollout) => [
      rollout.id,
      isoTime(rollout.createdAt),
      statusCell(rollout),
      countWords(rollout),
      causeWords(rollout),
    ]),
  )
}

const portionWords = (portion: Portion | null, none: string): string =>
  portion === null ? none : portion.kind === 'count' ? plural(portion.count, 'node') : `${portion.percent} %`

const settingFacts = ({ canary, maxParallel, failureLimit }: RolloutSettings) =>
  [
    ['canaries', portionWords(canary, 'none: all nodes at once')],
    ['at once', maxParallel === null ? 'as many as this machine carries' : plural(maxParallel, 'node')],
    ['stops after', failureLimit === null ? 'no number of failures' : `${portionWords(failureLimit, '')} failed`],
  ] as const

export const renderSettings = (settings: RolloutSettings): string => renderFacts(settingFacts(settings))

export interface RolloutDetail {
  readonly rollout: Rollout
  readonly runs: readonly Run[]
  readonly names: ReadonlyMap<NodeId, string>
}

export function renderRollout(detail: RolloutDetail): string {
  const { rollout } = detail
  const facts = renderFacts([
    ['rollout', rollout.id],
    ['status', statusCell(rollout)],
    ['cause', causeWords(rollout)],
    ['plans', rollout.plans.map(({ planName, planRevision }) => `${planName} r${planRevision}`).join(', ')],
    ['nodes', countWords(rollout)],
    ...settingFacts(rollout.settings),
    ['created', isoTime(rollout.createdAt)],
    ['finished', isoTimeOr(rollout.finishedAt, '')],
    ['superseded', rollout.supersededBy === null ? null : `by ${rollout.supersededBy}`],
  ])
  return `${facts}\n${renderMatrix(detail)}`
}

/** The states in which work is done, with the words of the header. */
const columns: readonly (readonly [RunState, string])[] = runStates
  .filter((state) => state !== 'FAILED')
  .map((state) => [state, state.split('_')[0] ?? state])

/** Nodes by states: what is done, where it is now, where it failed. */
function renderMatrix({ rollout, runs, names }: RolloutDetail): string {
  const byNode = new Map<NodeId, Run[]>()
  for (const run of runs) byNode.set(run.nodeId, [...(byNode.get(run.nodeId) ?? []), run])
  const rows = rollout.nodes.flatMap((nodeId, index): (readonly (Cell | string)[])[] => {
    const ofNode = byNode.get(nodeId)
    if (ofNode !== undefined) return ofNode.map(rowOf)
    const word = index < rollout.started ? 'no run needed, or not reachable' : notBegun(rollout.finishedAt)
    return [[names.get(nodeId) ?? nodeId, '', { text: word, paint: faint }, ...columns.map(() => ''), '']]
  })
  return renderTable(['NODE', 'PLAN', 'STATUS', ...columns.map(([, word]) => word), 'OUTCOME'], rows)
}

const rowOf = (run: Run): readonly (Cell | string)[] => [
  run.nodeName,
  run.planName,
  { text: run.status, paint: paintRunStatus(run.status) },
  ...columns.map(([state]) => stateCell(run, state)),
  outcomeOf(run),
]

const marks: Record<StateVisit['outcome'], Cell> = {
  done: { text: 'ok', paint: good },
  skipped: { text: '-', paint: faint },
  active: { text: '>', paint: waiting },
  retry: { text: 'again', paint: waiting },
  interrupted: { text: 'cut', paint: waiting },
  failed: { text: 'x', paint: bad },
  halted: { text: 'stop', paint: bad },
  canceled: { text: 'x', paint: waiting },
}

function stateCell(run: Run, state: RunState): Cell | string {
  const visit = run.visits.findLast((each) => each.state === state)
  return visit === undefined ? '.' : (marks[visit.outcome] ?? visit.outcome)
}
