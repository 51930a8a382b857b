import type { RunPatch } from '../../core/run/machine.ts'
import { severityOf } from '../../core/run/severity.ts'
import { AppError, type ErrorCode } from '../../shared/errors.ts'
import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Plan, PlanKind } from '../../shared/model/plan.ts'
import type { DeletePreview, HaltReason, Run, RunProgress, RunState } from '../../shared/model/run.ts'

/** What a step found out about the node; becomes part of it in the commit that ends the step. */
export type NodeLesson = (node: FleetNode) => FleetNode

/** How a step ended. `learned` and `patch` are committed with it. */
export type StepOutcome = { readonly learned?: NodeLesson; readonly patch?: RunPatch } & (
  | { readonly kind: 'done' | 'skipped' }
  /** `from`: an earlier state that has to be done again first. */
  | { readonly kind: 'retry'; readonly diagnosis: Diagnosis; readonly from?: RunState }
  | { readonly kind: 'fatal'; readonly diagnosis: Diagnosis }
  | {
      readonly kind: 'halt'
      readonly reason: HaltReason
      readonly diagnosis: Diagnosis
      readonly deletePreview?: DeletePreview
    }
)

/** What a step is given. Everything in it is as it was when the step began. */
export interface StepContext<Delivered extends Plan = Plan> {
  readonly run: Run
  readonly node: FleetNode
  readonly plan: Delivered
  /** Aborted on cancel and when the engine stops. */
  readonly signal: AbortSignal
  /** A line for the run's log; never waits. */
  log(text: string): void
  /** Output of a program as it comes; never waits. */
  output(text: string): void
  progress(progress: RunProgress): void
}

/** A directory nobody else may work on meanwhile; `here` is this machine, whichever node the run is for. */
export interface LockTarget {
  readonly where: 'node' | 'here'
  readonly directory: string
}

/** How one state went that was done together with others. */
export interface ExpressStep {
  readonly state: 'PRE_FLIGHT_CHECK' | 'PUSH_SYNC' | 'PULL_SYNC' | 'VERIFY'
  readonly outcome: StepOutcome
}

/**
 * What differs between kinds of plans. `Memory` is what its steps tell each other; it lives as long as the process
 * and the run, and every state from ENSURE_CERT on can be repeated without it.
 */
export interface PlanExecutor<Memory, Delivered extends Plan = Plan> {
  createMemory(): Memory
  /** What a run locks before it looks at either side. */
  lockTargets(plan: Delivered, node: FleetNode): Promise<readonly LockTarget[]>
  preflight(context: StepContext<Delivered>, memory: Memory): Promise<StepOutcome>
  /**
   * All states from PRE_FLIGHT_CHECK to VERIFY in one round trip, for kinds whose delivery is small and can be repeated.
   * Called with PUSH_SYNC committed, so that a crash leaves no node that counts as untouched. @returns how the states went,
   * in order, up to the last one or to the one that did not end well; the usual methods go on from there.
   */
  express?(context: StepContext<Delivered>, memory: Memory): Promise<readonly ExpressStep[]>
  push(context: StepContext<Delivered>, memory: Memory): Promise<StepOutcome>
  pull(context: StepContext<Delivered>, memory: Memory): Promise<StepOutcome>
  verify(context: StepContext<Delivered>, memory: Memory): Promise<StepOutcome>
  /** Removes temporary files of the run on both sides. Best effort: a leftover never harms a later run. */
  cleanUp(context: StepContext<Delivered>, memory: Memory): Promise<void>
  /** Ends what runs on the node and proves it. @returns null when proven, else why it is not. */
  stop(context: Pick<StepContext, 'run' | 'node'>): Promise<Diagnosis | null>
  /** The run is over or waits for a person: lets go of what its memory holds. Safe to repeat. */
  forget?(memory: Memory): void
}

/** Kinds of plans this engine carries out; those of kind `agent` are done, and only reported, by agents. */
export type ExecutedKind = Exclude<PlanKind, 'agent'>

/** One executor for each kind. What is the memory of one is opaque to everybody else. */
export type PlanExecutors = Readonly<Record<ExecutedKind, PlanExecutor<unknown>>>

/** @throws AppError UNSUPPORTED for a plan that only an agent can carry out */
export function executorOf(executors: PlanExecutors, kind: PlanKind): PlanExecutor<unknown> {
  if (kind !== 'agent') return executors[kind]
  throw new AppError('UNSUPPORTED', 'This plan is carried out by the agent on its node, not from here.')
}

const haltReasons: Partial<Record<ErrorCode, HaltReason>> = { SECRETS_FOUND: 'secrets-found' }

/** What a cause means for the run. */
export function outcomeOf(diagnosis: Diagnosis): StepOutcome {
  switch (severityOf(diagnosis.code)) {
    case 'retryable':
      return { kind: 'retry', diagnosis }
    case 'halt':
      return { kind: 'halt', reason: haltReasons[diagnosis.code] ?? 'host-key-changed', diagnosis }
    case 'unreachable':
    case 'fatal':
      return { kind: 'fatal', diagnosis }
  }
}
