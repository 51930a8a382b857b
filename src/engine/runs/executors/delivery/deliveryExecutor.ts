import { runCause, stopNotConfirmed } from '../../../../core/run/causes.ts'
import { diagnosisOf } from '../../../../core/run/thrown.ts'
import { normalizedRemoteDirectory } from '../../../../core/transfer/paths.ts'
import type { Plan, PlanOf } from '../../../../shared/model/plan.ts'
import type { ProofRule, Run, RunProof } from '../../../../shared/model/run.ts'
import type { LoginProof } from '../../../ports.ts'
import { stopRemoteProcesses } from '../../../transfer/remoteProcess.ts'
import { type ExpressStep, outcomeOf, type PlanExecutor, type StepContext, type StepOutcome } from '../../executor.ts'
import { clockWarning, isOfRun, lessonOf, login } from '../login.ts'
import { type DeliveryDependencies, DeliveryFailed, DeliverySession } from './session.ts'

/** What a delivery came to. */
export interface Delivered {
  /** False: it lay there already (D14). */
  readonly written: boolean
  /** Of what is delivered, bytes. */
  readonly size: number
  /** Of what was read back. */
  readonly digest: string
  readonly verify: ProofRule
  readonly warnings: Run['warnings']
  /** Written, and not proven to be in force. */
  readonly failure?: DeliveryFailed
}

type Delivery = PlanOf<'routes'> | PlanOf<'hosts'>

/** How one kind of plan gets onto a node. */
export type Deliver<P extends Delivery> = (context: StepContext<P>, session: DeliverySession) => Promise<Delivered>

/** The steps of the last delivery that are still to be told, by state. */
export type DeliveryMemory = Map<ExpressStep['state'], StepOutcome>

const stopTimeoutMs = 30_000

/**
 * An executor around one function that brings everything in one round trip and proves it. In the express lane that is
 * all; step by step it happens in PUSH_SYNC, and VERIFY tells what it found.
 */
export function createDeliveryExecutor<P extends Delivery & Plan>(
  dependencies: DeliveryDependencies,
  deliver: Deliver<P>,
): PlanExecutor<DeliveryMemory, P> {
  return {
    createMemory: () => new Map(),
    // The file itself: another plan for it waits, and so does a tree around it.
    lockTargets: async ({ spec }) => [{ where: 'node', directory: normalizedRemoteDirectory(spec.file) }],
    preflight: async (context) => {
      const proof = await login(dependencies, context)
      return { kind: 'done', learned: lessonOf(proof, context), patch: { warnings: clockWarning(proof, context) } }
    },
    express: (context) => stepsOf(dependencies, context, deliver),
    push: async (context, memory) => {
      memory.clear()
      for (const { state, outcome } of await stepsOf(dependencies, context, deliver)) {
        if (state === 'PRE_FLIGHT_CHECK' && outcome.kind !== 'done') return outcome
        memory.set(state, outcome)
      }
      return taken(memory, 'PUSH_SYNC') ?? notDelivered()
    },
    pull: async () => ({ kind: 'skipped' }),
    verify: async (_context, memory) => taken(memory, 'VERIFY') ?? notDelivered(),
    cleanUp: async () => undefined,
    stop: async ({ run, node }) => {
      try {
        const proof = await stopRemoteProcesses(dependencies.sshPool, node, run.id, { timeoutMs: stopTimeoutMs })
        return proof.confirmed ? null : stopNotConfirmed(node.name, proof.evidence)
      } catch (error) {
        const { sentence, evidence } = diagnosisOf(error)
        return stopNotConfirmed(node.name, [sentence, ...evidence])
      }
    },
  }
}

/** Told once: a state that is repeated looks at the node again. */
function taken(memory: DeliveryMemory, state: ExpressStep['state']): StepOutcome | undefined {
  const outcome = memory.get(state)
  memory.delete(state)
  return outcome
}

const notDelivered = (): StepOutcome => ({
  kind: 'retry',
  from: 'PUSH_SYNC',
  diagnosis: runCause('VERIFY_MISMATCH', {
    sentence: 'Nothing was delivered in this attempt that could be proven; it is delivered again.',
    short: 'not delivered yet',
    transient: true,
  }),
})

/** One delivery as the states of a run. Never rejects. */
async function stepsOf<P extends Delivery & Plan>(
  dependencies: DeliveryDependencies,
  context: StepContext<P>,
  deliver: Deliver<P>,
): Promise<readonly ExpressStep[]> {
  const session = new DeliverySession(dependencies, context)
  try {
    const delivered = await deliver(context, session)
    return doneSteps(context, session, delivered, await provenLogin(dependencies, context, session), dependencies)
  } catch (error) {
    const failed = error instanceof DeliveryFailed ? error : new DeliveryFailed('PUSH_SYNC', diagnosisOf(error))
    return failedSteps(context, session, failed)
  }
}

/** What is renewed has to prove itself: an open connection was made with what came before. */
async function provenLogin(
  { sshPool }: DeliveryDependencies,
  context: StepContext,
  { login: seen }: DeliverySession,
): Promise<LoginProof> {
  if (seen === null) throw new Error('a delivery asked the node nothing')
  return isOfRun(seen, context.run) ? seen : login({ sshPool }, context)
}

function doneSteps<P extends Delivery & Plan>(
  context: StepContext<P>,
  session: DeliverySession,
  delivered: Delivered,
  proof: LoginProof,
  { clock }: DeliveryDependencies,
): ExpressStep[] {
  const { written, size, digest, verify, warnings, failure } = delivered
  const summary = {
    filesTotal: 1,
    filesTransferred: written ? 1 : 0,
    filesDeleted: 0,
    bytesTotal: size,
    bytesTransferred: session.bytes,
    durationMs: 0,
  }
  const steps: ExpressStep[] = [
    ...reachedSteps(context, proof),
    { state: 'PUSH_SYNC', outcome: { kind: written ? 'done' : 'skipped', patch: { summary, warnings } } },
    { state: 'PULL_SYNC', outcome: { kind: 'skipped' } },
  ]
  if (failure !== undefined) return [...steps, { state: 'VERIFY', outcome: outcomeOf(failure.diagnosis) }]
  context.log(`verified, digest ${digest}`)
  const proven = { digest, filesVerified: 1, verify, verifiedAt: clock.nowMs(), ...readWith(session.login ?? proof) }
  return [...steps, { state: 'VERIFY', outcome: { kind: 'done', patch: { proof: proven } } }]
}

/** The proof names the login it came over, which a renewal may have outdated since. */
const readWith = ({ certificateSerial, staticKey }: LoginProof): Pick<RunProof, 'certificateSerial' | 'staticKey'> =>
  staticKey === null ? { certificateSerial } : { certificateSerial: null, staticKey }

const reachedSteps = (context: StepContext, proof: LoginProof): ExpressStep[] => [
  {
    state: 'PRE_FLIGHT_CHECK',
    outcome: { kind: 'done', learned: lessonOf(proof, context), patch: { warnings: clockWarning(proof, context) } },
  },
]

function failedSteps(context: StepContext, { login: seen }: DeliverySession, failed: DeliveryFailed): ExpressStep[] {
  const outcome = outcomeOf(failed.diagnosis)
  if (failed.state === 'PRE_FLIGHT_CHECK') return [{ state: 'PRE_FLIGHT_CHECK', outcome }]
  const reached: ExpressStep[] =
    seen === null ? [{ state: 'PRE_FLIGHT_CHECK', outcome: { kind: 'done' } }] : reachedSteps(context, seen)
  return [...reached, { state: 'PUSH_SYNC', outcome }]
}
