import type { AgentRunState } from '../../shared/agentApi/index.ts'
import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import { isFinal, type Run, runStates, type StateVisit } from '../../shared/model/run.ts'
import { nextState, totalTries } from './machine.ts'

/*
 * What an agent reports about a run is believed as far as it can be true. A report that could not come from the
 * machine of a run, or that calls unproven work a success, changes nothing.
 */

const dayMs = 86_400_000

/** Who is asked, and what the plan of the run demands; null when the plan has changed since. */
export interface ReportContext {
  readonly nowMs: number
  readonly demanded: 'listing' | 'checksum' | null
}

/** Every reason why this cannot be what became of `stored`. Empty: plausible. */
export function reportFlaws(stored: Run, reported: AgentRunState, context: ReportContext): string[] {
  return [
    ...statusFlaws(reported),
    ...attemptFlaws(reported),
    ...visitFlaws(reported),
    ...(beginsAnew(stored, reported) ? [] : backwardFlaws(stored, reported)),
    ...timeFlaws(reported, context.nowMs),
    ...(reported.status === 'succeeded' ? proofFlaws(reported, context) : []),
  ]
}

function statusFlaws(reported: AgentRunState): string[] {
  const { status, state, failure, halt, finishedAt } = reported
  return [
    ...flaw((status === 'failed') !== (state === 'FAILED'), `status ${status} does not go with state ${state}`),
    ...flaw(status === 'failed' && failure === null, 'it failed and names no cause'),
    ...flaw(status === 'succeeded' && failure !== null, 'it succeeded and names a failure'),
    ...flaw((status === 'halted') !== (halt !== null), 'it is halted without a reason, or has a reason and is not'),
    ...flaw(isFinal(status) !== (finishedAt !== null), `status ${status} does not go with its end`),
  ]
}

/** An agent that lost its journal goes on under the same key with attempts of its own, after all that is known. */
function beginsAnew(stored: Run, { attempts }: AgentRunState): boolean {
  const [first, known] = [attempts[0], stored.attempts.at(-1)]
  return first !== undefined && known !== undefined && first.startedAt > known.startedAt
}

function backwardFlaws(stored: Run, { attempts, tries, visits }: AgentRunState): string[] {
  const [last, known] = [visits.at(-1), stored.visits.at(-1)]
  return [
    ...flaw(attempts.length < stored.attempts.length, 'it has fewer attempts than before'),
    ...flaw(tries < stored.tries, 'it has fewer tries than before'),
    ...flaw(
      last !== undefined && known !== undefined && last.attempt < known.attempt,
      'it goes back to an earlier attempt',
    ),
  ]
}

function attemptFlaws({ attempts, status, tries }: AgentRunState): string[] {
  const consecutive = attempts.every((attempt, index) => attempt.number === index + 1)
  const openBefore = attempts.slice(0, -1).some((attempt) => attempt.status === 'running')
  const stillOpen = isFinal(status) && attempts.at(-1)?.status === 'running'
  return [
    ...flaw(!consecutive, 'its attempts are not numbered one by one'),
    ...flaw(openBefore || stillOpen, 'an attempt runs that has to be over'),
    ...flaw(tries > totalTries, `it counts ${tries} tries`),
  ]
}

/** Visits may lack their beginning: an agent leaves it out when a report would be too large. */
function visitFlaws({ visits, state, status }: AgentRunState): string[] {
  const last = visits.at(-1)
  const active = visits.slice(0, -1).filter((visit) => visit.outcome === 'active')
  return [
    ...flaw(!visits.every((visit, index) => follows(visits[index - 1], visit)), 'its states are not in their order'),
    ...flaw(active.length > 0, 'two states are active at once'),
    ...flaw(
      visits.some((visit) => (visit.outcome === 'active') !== (visit.leftAt === null)),
      'a state is left and active',
    ),
    ...flaw(isFinal(status) && last?.outcome === 'active', 'it is over and a state is active'),
    ...flaw(status === 'running' && last?.outcome === 'active' && last.state !== state, 'it is in two states'),
  ]
}

/** Within an attempt one state after the other, or FAILED after any; another attempt may begin anywhere. */
function follows(before: StateVisit | undefined, visit: StateVisit): boolean {
  if (before === undefined || visit.attempt > before.attempt) return true
  if (visit.attempt < before.attempt) return false
  return visit.state === 'FAILED' || visit.state === nextState(before.state)
}

/** Clocks of agents are not ours: only what no clock in use can say is refused. */
function timeFlaws({ visits, attempts, startedAt, finishedAt, notBefore, proof }: AgentRunState, nowMs: number) {
  const times = [
    startedAt,
    finishedAt,
    proof?.verifiedAt ?? null,
    ...visits.flatMap((visit) => [visit.enteredAt, visit.leftAt]),
    ...attempts.flatMap((attempt) => [attempt.startedAt, attempt.finishedAt]),
  ].filter((time) => time !== null)
  const latest = nowMs + dayMs
  const tooLate = [...times, ...(notBefore === null ? [] : [notBefore])].some((time) => time > latest)
  const backwards = visits.some(({ enteredAt, leftAt }) => leftAt !== null && leftAt < enteredAt - dayMs)
  return [
    ...flaw(
      times.some((time) => time < 0),
      'a time lies before 1970',
    ),
    ...flaw(tooLate, 'a time lies more than a day ahead: set the clock of the agent'),
    ...flaw(backwards, 'a state ends a day before it begins'),
  ]
}

/** Green only if proven, after everything that was written, and by the rule the plan demands. */
function proofFlaws({ proof, visits, state }: AgentRunState, { demanded }: ReportContext): string[] {
  if (proof === null) return ['it claims success without a proof']
  const lastWrite = visits.findLastIndex(({ state: at, outcome }) => isTransfer(at) && outcome !== 'skipped')
  const verified = visits.findLastIndex((visit) => visit.state === 'VERIFY' && visit.outcome === 'done')
  const { verify } = proof
  const weak = demanded === 'checksum' && verify.mode === 'agent' && verify.compared !== 'checksum'
  return [
    ...flaw(verify.mode !== 'agent', 'its proof is not one that an agent can give'),
    ...flaw(weak, 'its plan demands a comparison of content, and it compared less'),
    ...flaw(verified < 0 || verified < lastWrite, 'nothing was verified after the last transfer'),
    ...flaw(state !== 'FINALIZE', `it succeeded in ${state}`),
  ]
}

const isTransfer = (state: Run['state']): boolean => state === 'PUSH_SYNC' || state === 'PULL_SYNC'

function flaw(is: boolean, words: string): string[] {
  return is ? [words] : []
}

/** Who canceled a run that its agent ended by itself. */
interface ApplyContext {
  readonly nowMs: number
  readonly agentName: string
}

/** The run as reported. What the engine decides (ids, plan, node, who asked, a pending cancel) stays. */
export function withReport(stored: Run, reported: AgentRunState, { nowMs, agentName }: ApplyContext): Run {
  const canceled = {
    by: stored.cancellation?.by ?? `agent ${agentName}`,
    requestedAt: stored.cancellation?.requestedAt ?? nowMs,
    // Its own processes, on its own machine: it knows.
    stopConfirmed: true,
  }
  return {
    ...stored,
    ...reported,
    failure: withoutOffer(reported.failure),
    halt: reported.halt && { ...reported.halt, diagnosis: withoutOffer(reported.halt.diagnosis) },
    attempts: reported.attempts.map((attempt) => ({ ...attempt, diagnosis: withoutOffer(attempt.diagnosis) })),
    startedAt: reported.startedAt ?? stored.startedAt,
    // A clock that is ahead must not make a proof look fresh for longer than it is.
    proof: reported.proof && { ...reported.proof, verifiedAt: Math.min(reported.proof.verifiedAt, nowMs) },
    visits: beginsAnew(stored, reported) ? [...reported.visits] : withBeginning(stored.visits, reported.visits),
    cancellation: reported.status === 'canceled' ? canceled : stored.cancellation,
  }
}

/**
 * A cause without its button: what an agent proposes is done on its host, and no host chooses what people are offered
 * to press here.
 */
function withoutOffer<Cause extends Diagnosis | null>(cause: Cause): Cause {
  return cause === null ? cause : { ...cause, nextAction: { kind: 'none', label: '' } }
}

/** What was told before a report that was cut short stays told. */
function withBeginning(stored: readonly StateVisit[], reported: readonly StateVisit[]): StateVisit[] {
  const [first] = reported
  if (first === undefined) return [...stored]
  const at = stored.findIndex(
    (visit) => visit.state === first.state && visit.attempt === first.attempt && visit.enteredAt === first.enteredAt,
  )
  if (at >= 0) return [...stored.slice(0, at), ...reported]
  const isLater = (visit: StateVisit): boolean =>
    visit.attempt < first.attempt ||
    (visit.attempt === first.attempt && runStates.indexOf(visit.state) < runStates.indexOf(first.state))
  return [...stored.filter(isLater), ...reported]
}

/**
 * True for a report that comes late about a run that a later one has followed: what lies on the node now is what the
 * later one says, so the earlier must not change it.
 */
export function isOutdated(run: Run, others: readonly Run[]): boolean {
  return others.some((other) => other.id !== run.id && begunAt(other) > begunAt(run))
}

/** On the clock of the agent, which may have been ahead: no run began after we heard of it. */
const begunAt = ({ startedAt, createdAt }: Run): number => Math.min(startedAt ?? createdAt, createdAt)

/** Nothing was heard for long: what it was doing may have been cut. The run stays open, its agent decides. */
export function withSilence(run: Run, nowMs: number): Run {
  if (isFinal(run.status) || run.attempts.at(-1)?.status !== 'running') return run
  return {
    ...run,
    visits: run.visits.map((visit) =>
      visit.outcome === 'active' ? { ...visit, outcome: 'interrupted', leftAt: nowMs } : visit,
    ),
    attempts: run.attempts.map((attempt) =>
      attempt.status === 'running' ? { ...attempt, status: 'interrupted', finishedAt: nowMs } : attempt,
    ),
  }
}
