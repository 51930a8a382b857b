import { type Bucket, type BucketRule, takeFromBucket, waitForBucket } from '../../core/fleet/bucket.ts'
import type { Clock } from '../../platform/clock.ts'
import { AppError } from '../../shared/errors.ts'
import type { AgentId } from '../../shared/model/ids.ts'

/** What routes use up beside a request. */
export type Expense = 'registration' | 'certificate' | 'heartbeat'

type Kind = 'request' | Expense | 'jsonBytes' | 'logBytes'

/**
 * What one agent may use up. Far above what an honest one needs, a week of reports at once included; low enough that one
 * that was taken over fills no disk within days, and pushes nobody else out of the event log.
 */
const rules: Readonly<Record<Kind, BucketRule>> = {
  request: { most: 1_000, perSecond: 20 },
  registration: { most: 400, perSecond: 1 / 20 },
  certificate: { most: 120, perSecond: 1 / 30 },
  heartbeat: { most: 240, perSecond: 1 / 2 },
  jsonBytes: { most: 256 * 1024 ** 2, perSecond: 512 * 1024 },
  logBytes: { most: 2 * 1024 ** 3, perSecond: 32 * 1024 },
}

/** Bodies of one agent that are in memory at once are as many. */
const mostAtOnce = 32

interface Account {
  readonly buckets: Map<Kind, Bucket>
  underWay: number
}

interface Spending {
  /** What else than a request it is. */
  readonly expense: Expense | null
  readonly body: 'jsonBytes' | 'logBytes'
}

/** Keeps one agent from using up what all share. In memory: one account for each agent that has asked for something. */
export class AgentBudget {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #accounts = new Map<AgentId, Account>()

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock
  }

  /**
   * Answers one request of this agent; `work` says how large its body was.
   * @throws RATE_LIMITED
   */
  async spend<T>(
    agentId: AgentId,
    { expense, body }: Spending,
    work: (used: (sizeBytes: number) => void) => Promise<T>,
  ): Promise<T> {
    const account = this.#accounts.get(agentId) ?? { buckets: new Map(), underWay: 0 }
    this.#accounts.set(agentId, account)
    const kinds: readonly Kind[] = ['request', ...(expense === null ? [] : [expense])]
    this.#refuse(account, [...kinds, body])
    for (const kind of kinds) this.#take(account, kind, 1)
    account.underWay += 1
    try {
      return await work((sizeBytes) => this.#take(account, body, sizeBytes))
    } finally {
      account.underWay -= 1
    }
  }

  #refuse({ buckets, underWay }: Account, kinds: readonly Kind[]): void {
    const nowMs = this.#clock.monotonicMs()
    const waits = kinds.map((kind) => waitForBucket(buckets.get(kind) ?? null, rules[kind], nowMs))
    const delayMs = Math.max(underWay >= mostAtOnce ? 1_000 : 0, ...waits)
    if (delayMs === 0) return
    throw new AppError(
      'RATE_LIMITED',
      `This agent asks for more than an agent needs. Try again in ${Math.ceil(delayMs / 1000)} s; look on its host what it does.`,
      { retry: { kind: 'after', delayMs } },
    )
  }

  #take({ buckets }: Account, kind: Kind, amount: number): void {
    const nowMs = this.#clock.monotonicMs()
    buckets.set(kind, takeFromBucket(buckets.get(kind) ?? null, rules[kind], { amount, nowMs }))
  }
}
