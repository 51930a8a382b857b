import { planGone } from '../../core/run/causes.ts'
import { roundTripOf, TransitionChain } from '../../core/run/express.ts'
import type { RunEvent, Transition } from '../../core/run/machine.ts'
import { diagnosisOf } from '../../core/run/thrown.ts'
import { AppError, type ErrorCode } from '../../shared/errors.ts'
import type { RunId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Run } from '../../shared/model/run.ts'
import type { StoreTransaction } from '../ports.ts'
import { bringNodeUpToDate, type CommitDependencies } from './commit.ts'
import { type ExpressStep, type LockTarget, type NodeLesson, outcomeOf, type StepOutcome } from './executor.ts'
import { eventOf } from './outcomeEvents.ts'
import type { Session } from './session.ts'
import { summaryOf, takeLocks } from './steps.ts'

/** What was made ready for a run before it is committed that it begins. Null: its plan or its node is gone. */
export interface Readiness {
  readonly session: Session
  readonly node: FleetNode
  /** How ENSURE_CERT went. */
  readonly certificate: StepOutcome
  /** Where it wants to be alone, or why that is not known. */
  readonly locks: readonly LockTarget[] | StepOutcome
}

/**
 * The commit before the round trip: every state up to PUSH_SYNC, with the lock in the same transaction (D37) and the
 * revision that is delivered. A run that somebody canceled meanwhile stays as it is.
 */
export async function beginRoundTrip(
  dependencies: CommitDependencies,
  transaction: StoreTransaction,
  { runId, ready }: { readonly runId: RunId; readonly ready: Readiness | null },
): Promise<Transition> {
  const stored = await storedRun(transaction, runId)
  if (stored.status !== 'queued') return { run: stored, effects: [] }
  const nowMs = dependencies.clock.nowMs()
  const chain = new TransitionChain(ready === null ? stored : { ...stored, planRevision: ready.session.plan.revision })
  let working = chain.add({ kind: 'started' }, nowMs)
  while (working && chain.run.state !== 'PUSH_SYNC') {
    ready?.session.writeHeading(chain.run)
    const event =
      ready === null
        ? ({ kind: 'stepFatal', diagnosis: planGone(stored.planName) } as const)
        : await passed(chain.run, ready, { dependencies, transaction })
    working = event !== null && chain.add(event, nowMs)
  }
  return save(dependencies, transaction, { stored, chain, learned: ready?.certificate.learned })
}

interface Transacting {
  readonly dependencies: CommitDependencies
  readonly transaction: StoreTransaction
}

/** How a state went that needs nothing from the node. PRE_FLIGHT_CHECK is part of the round trip and counts when that is back. */
async function passed(
  run: Run,
  ready: Readiness,
  { dependencies, transaction }: Transacting,
): Promise<RunEvent | null> {
  const { session, certificate, locks, node } = ready
  const { config, clock } = dependencies
  const log = (text: string): void => session.output.write(`${text}\n`)
  switch (run.state) {
    case 'INIT':
      log(
        `run ${run.id}: plan "${session.plan.name}" revision ${session.plan.revision} on ${node.name}, asked for by ${run.requestedBy} (${run.trigger})`,
      )
      return { kind: 'stepDone' }
    case 'ENSURE_CERT':
      session.writeOutcome(run.state, certificate)
      return eventOf(certificate, config)
    case 'ACQUIRE_LOCK':
      if ('kind' in locks) {
        session.writeOutcome(run.state, locks)
        return eventOf(locks, config)
      }
      return takeLocks(transaction, run, { targets: locks, nowMs: clock.nowMs(), log })
    case 'REGISTER_RUN':
      // It was read from the store in this very transaction (S0.58-60, S0.87).
      log(`registered as ${run.id}`)
      return { kind: 'stepDone' }
    default:
      return { kind: 'stepDone' }
  }
}

/** How a round trip ended; null: it was cut. */
export interface RoundTripEnd {
  readonly runId: RunId
  readonly session: Session
  readonly steps: readonly ExpressStep[] | null
}

/**
 * The commit after the round trip: its states in order, as if each had been committed alone. After the last one that ended
 * well come REPORT and FINALIZE. What did not end well begins its next try anew, at its certificate.
 */
export async function endRoundTrip(
  dependencies: CommitDependencies,
  transaction: StoreTransaction,
  { runId, session, steps }: RoundTripEnd,
): Promise<Transition> {
  const stored = await storedRun(transaction, runId)
  const nowMs = dependencies.clock.nowMs()
  if (steps === null) {
    const cut = new TransitionChain(stored)
    if (stored.status === 'running' && stored.cancellation === null) cut.add({ kind: 'interrupted' }, nowMs)
    return save(dependencies, transaction, { stored, chain: cut, logBytes: session.output.sizeBytes })
  }
  const trip = roundTripOf(stored)
  if (trip === null) return { run: stored, effects: [] }
  const chain = new TransitionChain(trip.run)
  const allDone = steps.every(({ state, outcome }) => {
    if (chain.run.state !== state) return false
    const event = eventOf(outcome.kind === 'retry' ? { ...outcome, from: 'ENSURE_CERT' } : outcome, dependencies.config)
    return chain.add(event, state === 'PRE_FLIGHT_CHECK' ? trip.sentAt : nowMs)
  })
  if (allDone && chain.run.state === 'REPORT') {
    const summary = summaryOf(chain.run, nowMs)
    if (chain.add({ kind: 'stepDone', patch: { summary } }, nowMs)) chain.add({ kind: 'stepDone' }, nowMs)
  }
  return save(dependencies, transaction, {
    stored,
    chain,
    learned: lessonOf(steps),
    logBytes: session.output.sizeBytes,
  })
}

async function storedRun(transaction: StoreTransaction, runId: RunId): Promise<Run> {
  const stored = await transaction.getRun(runId)
  if (stored === null) throw new AppError('NOT_FOUND', `There is no run ${runId}.`, { data: { runId } })
  return stored
}

function lessonOf(steps: readonly ExpressStep[]): NodeLesson | undefined {
  const lessons = steps.flatMap(({ outcome }) => (outcome.learned === undefined ? [] : [outcome.learned]))
  return lessons.length === 0 ? undefined : (node) => lessons.reduce((seen, learn) => learn(seen), node)
}

interface Saved {
  readonly stored: Run
  readonly chain: TransitionChain
  readonly learned?: NodeLesson | undefined
  readonly logBytes?: number
}

async function save(
  dependencies: CommitDependencies,
  transaction: StoreTransaction,
  { stored, chain, learned, logBytes = 0 }: Saved,
): Promise<Transition> {
  const { run: next, effects } = chain.result
  if (next === stored) return chain.result
  const run = await transaction.saveRun({ ...next, logBytes: Math.max(next.logBytes, logBytes) })
  await bringNodeUpToDate({ dependencies, transaction, run, effects, ...(learned === undefined ? {} : { learned }) })
  return { run, effects }
}

/** Causes met before anything could be asked of the node. */
const onTheWay: ReadonlySet<ErrorCode> = new Set([
  'NODE_UNREACHABLE',
  'CONNECTION_REFUSED',
  'CONNECTION_TIMED_OUT',
  'NAME_NOT_RESOLVED',
  'NOT_AN_SSH_SERVER',
  'HOST_KEY_UNKNOWN',
  'HOST_KEY_CHANGED',
  'CERTIFICATE_EXPIRED',
  'CERTIFICATE_NOT_YET_VALID',
  'CERTIFICATE_REVOKED',
  'PRINCIPAL_NOT_LISTED',
  'KEY_REFUSED',
  'TOO_MANY_STARTUPS',
])

/** A round trip that threw. Where the orders may have reached the node, it counts as written to. */
export function stepsOfThrown(thrown: unknown): readonly ExpressStep[] {
  const outcome = outcomeOf(diagnosisOf(thrown))
  if ('diagnosis' in outcome && onTheWay.has(outcome.diagnosis.code)) return [{ state: 'PRE_FLIGHT_CHECK', outcome }]
  return [
    { state: 'PRE_FLIGHT_CHECK', outcome: { kind: 'done' } },
    { state: 'PUSH_SYNC', outcome },
  ]
}
