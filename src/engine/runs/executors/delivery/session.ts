import { severityOf } from '../../../../core/run/severity.ts'
import { diagnosisOf } from '../../../../core/run/thrown.ts'
import type { Clock } from '../../../../platform/clock.ts'
import { AppError } from '../../../../shared/errors.ts'
import type { Diagnosis } from '../../../../shared/model/diagnosis.ts'
import type { PlanOf } from '../../../../shared/model/plan.ts'
import type { LoginProof, NodeAnswer, NodeChannels, NodeOrder, RegistryContent, SshPool } from '../../../ports.ts'
import type { ExpressStep, StepContext } from '../../executor.ts'

/*
 * What plans whose content comes from the registry have in common: small payloads, a few orders in one round trip, and
 * a proof from what came back.
 */

export interface DeliveryDependencies {
  readonly channels: NodeChannels
  readonly content: RegistryContent
  readonly sshPool: SshPool
  readonly clock: Clock
}

export type DeliveryContext = StepContext<PlanOf<'routes'> | PlanOf<'hosts'>>

type FailedState = Exclude<ExpressStep['state'], 'PULL_SYNC'>

/** Ends a delivery in this state with this cause. */
export class DeliveryFailed extends Error {
  readonly state: FailedState
  readonly diagnosis: Diagnosis

  constructor(state: FailedState, diagnosis: Diagnosis) {
    super(diagnosis.sentence)
    this.state = state
    this.diagnosis = diagnosis
  }
}

/** More rounds than this, and something else is writing the file all the time. */
export const mostRounds = 5

/** All exchanges of one delivery: what they carried, and what the last one proved about the login. */
export class DeliverySession {
  readonly #dependencies: Pick<DeliveryDependencies, 'channels'>
  readonly #context: Pick<DeliveryContext, 'node' | 'signal'>
  #bytes = 0
  #exchanges = 0
  #login: LoginProof | null = null

  constructor(dependencies: Pick<DeliveryDependencies, 'channels'>, context: Pick<DeliveryContext, 'node' | 'signal'>) {
    this.#dependencies = dependencies
    this.#context = context
  }

  /** What went over the wire. */
  get bytes(): number {
    return this.#bytes
  }

  get login(): LoginProof | null {
    return this.#login
  }

  /**
   * @returns one answer for each order
   * @throws DeliveryFailed when the node cannot be asked; what it has done of the orders is then unknown
   */
  async ask<const Orders extends readonly NodeOrder[]>(
    orders: Orders,
    { timeoutMs }: { readonly timeoutMs: number },
  ): Promise<{ [Index in keyof Orders]: NodeAnswer }> {
    const { node, signal } = this.#context
    try {
      const { answers, login, bytes } = await this.#dependencies.channels.exchange(node, orders, { timeoutMs, signal })
      this.#bytes += bytes
      this.#exchanges += 1
      this.#login = login
      if (answers.length !== orders.length) throw new AppError('INTERNAL', 'the node was asked more than it answered')
      return answers as { [Index in keyof Orders]: NodeAnswer }
    } catch (error) {
      const diagnosis = diagnosisOf(error)
      throw new DeliveryFailed(
        this.#exchanges > 0 || mayHaveBegun(diagnosis) ? 'PUSH_SYNC' : 'PRE_FLIGHT_CHECK',
        diagnosis,
      )
    }
  }
}

/** Whoever was refused, or met nobody, has changed nothing; whose connection broke cannot know. */
function mayHaveBegun({ code }: Diagnosis): boolean {
  const severity = severityOf(code)
  if (severity === 'unreachable' || severity === 'halt') return false
  return code === 'CONNECTION_LOST' || code === 'TIMED_OUT' || code === 'CANCELED' || code === 'INTERNAL'
}
