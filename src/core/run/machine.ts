import { assertNever } from '../../shared/errors.ts'
import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import {
  type Attempt,
  type DeletePreview,
  type HaltReason,
  isFinal,
  type Run,
  type RunState,
  runStates,
  type StateVisit,
} from '../../shared/model/run.ts'

/** Tries of a run in all, not one and three more (S1.74, D13). Interrupted and halted attempts do not use one up. */
export const totalTries = 3

/** Facts a step found out; they become part of the run together with the transition. */
export interface RunPatch {
  readonly certificateSerial?: string
  readonly staticKey?: string
  readonly summary?: Run['summary']
  readonly proof?: Run['proof']
  /** Added to those the run has. */
  readonly warnings?: Run['warnings']
}

export type RunEvent =
  | { readonly kind: 'started' }
  | { readonly kind: 'stepDone' | 'stepSkipped'; readonly patch?: RunPatch }
  /** Somebody else holds what the step needs: not a failure, not a try. */
  | { readonly kind: 'stepWaiting'; readonly untilMs: number }
  /** `from` names an earlier state when the next try has to look again. */
  | {
      readonly kind: 'stepRetry'
      readonly afterMs: number
      readonly diagnosis: Diagnosis
      readonly from?: RunState
      readonly patch?: RunPatch
    }
  | { readonly kind: 'stepFatal'; readonly diagnosis: Diagnosis; readonly patch?: RunPatch }
  | {
      readonly kind: 'stepHalted'
      readonly reason: HaltReason
      readonly diagnosis: Diagnosis
      readonly deletePreview: DeletePreview | null
    }
  | { readonly kind: 'cancelRequested'; readonly by: string }
  | { readonly kind: 'stopConfirmed' }
  | { readonly kind: 'stopNotConfirmed'; readonly diagnosis: Diagnosis }
  /** Our own exit or crash cut the attempt, or the memory of what a waiting run had found out. */
  | { readonly kind: 'interrupted' }
  | { readonly kind: 'approved'; readonly reason: HaltReason; readonly by: string }

/** What has to happen outside, after the new run was committed. */
export type RunEffect =
  | { readonly kind: 'enterState'; readonly state: RunState }
  | { readonly kind: 'schedule'; readonly atMs: number }
  | { readonly kind: 'stopRemote' }
  | { readonly kind: 'releaseLock' }
  /** The run does not work any more: bring the node up to date. */
  | { readonly kind: 'settle' }

export interface Transition {
  readonly run: Run
  readonly effects: readonly RunEffect[]
}

interface Context {
  readonly nowMs: number
}

type EventOf<Kind extends RunEvent['kind']> = Extract<RunEvent, { kind: Kind }>

const workStates = runStates.slice(0, -1)

/** The state after `state` on the way to success; null after the last. */
export function nextState(state: RunState): RunState | null {
  return workStates[workStates.indexOf(state) + 1] ?? null
}

/** True while the run has taken its lock and not given it back: only then may it release one (D6). */
export function holdsLock(run: Run): boolean {
  let held = false
  for (const visit of run.visits) {
    if (visit.state === 'ACQUIRE_LOCK' && visit.outcome === 'done') held = true
    if (visit.outcome === 'halted') held = false
  }
  return held && !isFinal(run.status)
}

/**
 * Where a run goes on whose attempt was cut. Its certificate lived in our memory, so it starts there; all states from
 * there on can be repeated. Once the proof is committed only the report is missing.
 */
export function resumeStateOf(run: Run): RunState {
  if (run.state === 'INIT') return 'INIT'
  const proven = run.proof !== null && (run.state === 'REPORT' || run.state === 'FINALIZE')
  return proven ? run.state : 'ENSURE_CERT'
}

/**
 * Decides what a run becomes. Pure: the caller commits the run, then does the effects in order. An event that does
 * not fit (a late answer of a step, a second cancel, anything to a final run) changes nothing and has no effects.
 */
export function transition(run: Run, event: RunEvent, context: Context): Transition {
  if (isFinal(run.status)) return unchanged(run)
  switch (event.kind) {
    case 'started':
      return start(run, context)
    case 'interrupted':
      return interrupt(run, context)
    case 'cancelRequested':
      return requestCancel(run, event, context)
    case 'stopConfirmed':
    case 'stopNotConfirmed':
      return finishCancel(run, event, context)
    case 'approved':
      return approve(run, event, context)
    default:
      // While a cancel is pending the answer of the step that it cuts no longer counts.
      return run.status === 'running' && run.cancellation === null ? step(run, event, context) : unchanged(run)
  }
}

type StepEvent = EventOf<'stepDone' | 'stepSkipped' | 'stepWaiting' | 'stepRetry' | 'stepFatal' | 'stepHalted'>

function step(run: Run, event: StepEvent, context: Context): Transition {
  switch (event.kind) {
    case 'stepDone':
      return advance(withPatch(run, event.patch), 'done', context)
    case 'stepSkipped':
      return advance(withPatch(run, event.patch), 'skipped', context)
    case 'stepWaiting':
      return {
        run: { ...run, status: 'queued', notBefore: event.untilMs },
        effects: [{ kind: 'schedule', atMs: event.untilMs }],
      }
    case 'stepRetry':
      return run.tries < totalTries
        ? retry(run, event, context)
        : fail(withPatch(run, event.patch), event.diagnosis, context)
    case 'stepFatal':
      return fail(withPatch(run, event.patch), event.diagnosis, context)
    case 'stepHalted':
      return halt(run, event, context)
    default:
      return assertNever(event)
  }
}

function unchanged(run: Run): Transition {
  return { run, effects: [] }
}

function withPatch(run: Run, patch: RunPatch = {}): Run {
  const { warnings = [], ...facts } = patch
  return { ...run, ...facts, warnings: [...run.warnings, ...warnings] }
}

function leave(run: Run, outcome: StateVisit['outcome'], { nowMs }: Context): StateVisit[] {
  return run.visits.map((visit) => (visit.outcome === 'active' ? { ...visit, outcome, leftAt: nowMs } : visit))
}

function endAttempt(
  run: Run,
  status: Attempt['status'],
  { nowMs }: Context,
  diagnosis: Diagnosis | null = null,
): Attempt[] {
  return run.attempts.map((attempt) =>
    attempt.status === 'running' ? { ...attempt, status, finishedAt: nowMs, diagnosis } : attempt,
  )
}

function enter(run: Run, state: RunState, { nowMs }: Context): Run {
  const attempt = run.attempts.at(-1)?.number ?? 1
  const visit: StateVisit = { state, attempt, enteredAt: nowMs, leftAt: null, outcome: 'active' }
  return { ...run, state, visits: [...run.visits, visit] }
}

function start(run: Run, context: Context): Transition {
  if (run.status !== 'queued') return unchanged(run)
  const running: Run = { ...run, status: 'running', notBefore: null, startedAt: run.startedAt ?? context.nowMs }
  const effects: RunEffect[] = [{ kind: 'enterState', state: run.state }]
  const last = run.attempts.at(-1)
  // Back from waiting for a lock: the same attempt goes on where it stands.
  if (last?.status === 'running') return { run: running, effects }
  const attempt: Attempt = {
    number: (last?.number ?? 0) + 1,
    status: 'running',
    startedAt: context.nowMs,
    finishedAt: null,
    diagnosis: null,
  }
  const tries = last?.status === 'failed' ? run.tries + 1 : Math.max(1, run.tries)
  return { run: enter({ ...running, tries, attempts: [...run.attempts, attempt] }, run.state, context), effects }
}

function advance(run: Run, outcome: 'done' | 'skipped', context: Context): Transition {
  const next = nextState(run.state)
  const left: Run = { ...run, visits: leave(run, outcome, context) }
  if (next === null) return succeed(run, left, context)
  return { run: enter(left, next, context), effects: [{ kind: 'enterState', state: next }] }
}

function succeed(before: Run, left: Run, context: Context): Transition {
  // Nothing read back from the node, no success: the one rule that keeps green honest.
  if (left.proof === null) return fail(before, unprovenDiagnosis, context)
  const run: Run = {
    ...left,
    status: 'succeeded',
    finishedAt: context.nowMs,
    attempts: endAttempt(left, 'succeeded', context),
  }
  return { run, effects: ending(before) }
}

const unprovenDiagnosis: Diagnosis = {
  code: 'INTERNAL',
  sentence: 'The run came to its end without proof from the node, so it does not count. Run it again and report this.',
  short: 'not proven',
  evidence: [],
  nextAction: { kind: 'resync', label: 'Try again' },
  transient: false,
}

function ending(run: Run): RunEffect[] {
  return holdsLock(run) ? [{ kind: 'releaseLock' }, { kind: 'settle' }] : [{ kind: 'settle' }]
}

function retry(run: Run, event: EventOf<'stepRetry'>, context: Context): Transition {
  const atMs = context.nowMs + event.afterMs
  const next: Run = {
    ...withPatch(run, event.patch),
    status: 'queued',
    state: event.from ?? run.state,
    notBefore: atMs,
    visits: leave(run, 'retry', context),
    attempts: endAttempt(run, 'failed', context, event.diagnosis),
  }
  return { run: next, effects: [{ kind: 'schedule', atMs }] }
}

function fail(run: Run, diagnosis: Diagnosis, context: Context): Transition {
  const visits = leave(run, 'failed', context)
  const attempt = run.attempts.at(-1)?.number ?? 1
  const failed: StateVisit = {
    state: 'FAILED',
    attempt,
    enteredAt: context.nowMs,
    leftAt: context.nowMs,
    outcome: 'done',
  }
  const next: Run = {
    ...run,
    status: 'failed',
    state: 'FAILED',
    failure: diagnosis,
    finishedAt: context.nowMs,
    visits: [...visits, failed],
    attempts: endAttempt(run, 'failed', context, diagnosis),
  }
  return { run: next, effects: ending(run) }
}

function halt(run: Run, event: EventOf<'stepHalted'>, context: Context): Transition {
  const next: Run = {
    ...run,
    status: 'halted',
    halt: {
      reason: event.reason,
      diagnosis: event.diagnosis,
      haltedAt: context.nowMs,
      deletePreview: event.deletePreview,
    },
    visits: leave(run, 'halted', context),
    attempts: endAttempt(run, 'halted', context, event.diagnosis),
  }
  return { run: next, effects: ending(run) }
}

function approve(run: Run, event: EventOf<'approved'>, { nowMs }: Context): Transition {
  if (run.status !== 'halted' || run.halt?.reason !== event.reason) return unchanged(run)
  const filesDeleted = run.halt.deletePreview?.filesDeleted
  const approval = {
    reason: event.reason,
    by: event.by,
    at: nowMs,
    planRevision: run.planRevision,
    state: run.state,
    ...(filesDeleted === undefined ? {} : { filesDeleted }),
  }
  const next: Run = {
    ...run,
    status: 'queued',
    state: 'ENSURE_CERT',
    halt: null,
    approvals: [...run.approvals, approval],
  }
  return { run: next, effects: [{ kind: 'schedule', atMs: nowMs }] }
}

function interrupt(run: Run, context: Context): Transition {
  const state = resumeStateOf(run)
  if (run.status === 'halted' || (run.status === 'queued' && run.state === state)) return unchanged(run)
  const cut: Run = {
    ...run,
    visits: leave(run, 'interrupted', context),
    attempts: endAttempt(run, 'interrupted', context),
  }
  // Somebody wants it stopped: then it does not go on, it is proven to be gone.
  if (run.cancellation !== null) return { run: cut, effects: [{ kind: 'stopRemote' }] }
  const notBefore = run.status === 'queued' && run.state !== 'ACQUIRE_LOCK' ? run.notBefore : null
  return {
    run: { ...cut, status: 'queued', state, notBefore },
    effects: [{ kind: 'schedule', atMs: notBefore ?? context.nowMs }],
  }
}

function requestCancel(run: Run, event: EventOf<'cancelRequested'>, context: Context): Transition {
  if (run.cancellation !== null) return unchanged(run)
  const cancellation = { by: event.by, requestedAt: context.nowMs, stopConfirmed: null }
  if (run.status === 'running') return { run: { ...run, cancellation }, effects: [{ kind: 'stopRemote' }] }
  // Queued and halted runs have nothing running anywhere.
  return endCanceled(run, { ...cancellation, stopConfirmed: true }, context)
}

function finishCancel(run: Run, event: EventOf<'stopConfirmed' | 'stopNotConfirmed'>, context: Context): Transition {
  if (run.cancellation === null) return unchanged(run)
  const confirmed = event.kind === 'stopConfirmed'
  const next = event.kind === 'stopNotConfirmed' ? { ...run, failure: event.diagnosis } : run
  return endCanceled(next, { ...run.cancellation, stopConfirmed: confirmed }, context)
}

function endCanceled(run: Run, cancellation: NonNullable<Run['cancellation']>, context: Context): Transition {
  const next: Run = {
    ...run,
    status: 'canceled',
    cancellation,
    halt: null,
    notBefore: null,
    finishedAt: context.nowMs,
    visits: leave(run, 'canceled', context),
    attempts: endAttempt(run, 'canceled', context, run.failure),
  }
  return { run: next, effects: ending(run) }
}
