import { hash } from 'node:crypto'
import type { Clock, Timer } from '../../platform/clock.ts'
import type { IdSource } from '../../platform/ids.ts'
import type { Logger } from '../../platform/logger.ts'
import { toAppError } from '../../shared/errors.ts'
import { IdempotencyKey, type RepositoryId } from '../../shared/model/ids.ts'
import type { Repository } from '../../shared/model/repository.ts'
import type { Store } from '../ports.ts'
import { listDue, removeDue } from './due.ts'
import type { Fetching } from './fetching.ts'
import type { BeginRuns } from './parts.ts'

/** Asks remotes for new commits by itself, and brings what came. */
export interface Poller {
  start(): Promise<void>
  /** Resolves when nothing is under way any more. */
  stop(): Promise<void>
  /** Repositories were added, changed or removed. */
  settingsChanged(): Promise<void>
  /** The machine slept, or was without a network: asks all of them now. */
  wake(): void
}

export interface PollerDependencies {
  readonly store: Store
  readonly clock: Clock
  readonly ids: IdSource
  readonly logger: Logger
  readonly fetching: Fetching
  readonly beginRuns: BeginRuns
}

interface Followed {
  readonly intervalMs: number
  timer: Timer | null
  /** The look that is under way. */
  looking: Promise<void> | null
}

/** The wall clock is looked at this often, so that a sleep is noticed soon after it ends. */
const longestWaitMs = 30_000

export function createPoller(dependencies: PollerDependencies): Poller {
  return new PollLoop(dependencies)
}

class PollLoop implements Poller {
  readonly #dependencies: PollerDependencies
  readonly #followed = new Map<RepositoryId, Followed>()
  /** Also those of repositories that nobody follows any more. */
  readonly #looks = new Set<Promise<void>>()
  #running = false

  constructor(dependencies: PollerDependencies) {
    this.#dependencies = dependencies
  }

  async start(): Promise<void> {
    this.#running = true
    await this.settingsChanged()
  }

  async stop(): Promise<void> {
    this.#running = false
    for (const { timer } of this.#followed.values()) timer?.cancel()
    this.#followed.clear()
    await Promise.all(this.#looks)
  }

  async settingsChanged(): Promise<void> {
    const { store, clock } = this.#dependencies
    const repositories = await store.listRepositories()
    if (!this.#running) return
    const wanted = new Map(repositories.map((repository) => [repository.id, intervalOf(repository)]))
    for (const [id, { timer, intervalMs }] of this.#followed)
      if (wanted.get(id) !== intervalMs) {
        timer?.cancel()
        this.#followed.delete(id)
      }
    for (const { id, state } of repositories) {
      const intervalMs = wanted.get(id) ?? null
      if (intervalMs === null || this.#followed.has(id)) continue
      const followed: Followed = { intervalMs, timer: null, looking: null }
      this.#followed.set(id, followed)
      this.#arm(id, followed, (state.fetchedAt ?? 0) + intervalMs, clock.nowMs())
      // What an engine before this one has fetched and not brought.
      this.#follow(this.#bring(id).catch((error: unknown) => this.#note(id, error)))
    }
  }

  wake(): void {
    for (const [id, followed] of this.#followed) this.#look(id, followed)
  }

  /** A clock that was set back does not push the next look away further than one interval. */
  #arm(id: RepositoryId, followed: Followed, plannedMs: number, nowMs: number): void {
    if (this.#followed.get(id) !== followed) return
    followed.timer?.cancel()
    const dueMs = Math.min(plannedMs, nowMs + followed.intervalMs)
    const waitMs = Math.min(longestWaitMs, Math.max(0, dueMs - nowMs))
    const fire = (): void => {
      const now = this.#dependencies.clock.nowMs()
      if (now >= dueMs) this.#look(id, followed)
      else this.#arm(id, followed, dueMs, now)
    }
    followed.timer = this.#dependencies.clock.setTimer(waitMs, fire, { unref: true })
  }

  #look(id: RepositoryId, followed: Followed): void {
    if (followed.looking !== null) return
    followed.timer?.cancel()
    followed.looking = this.#lookOnce(id)
      .catch((error: unknown) => this.#note(id, error))
      .finally(() => {
        followed.looking = null
        const nowMs = this.#dependencies.clock.nowMs()
        this.#arm(id, followed, nowMs + followed.intervalMs, nowMs)
      })
    this.#follow(followed.looking)
  }

  async #lookOnce(id: RepositoryId): Promise<void> {
    await this.#dependencies.fetching.fetch(id, { force: false })
    await this.#bring(id)
  }

  /** Level-triggered: whatever is noted is brought, whoever noted it. */
  async #bring(id: RepositoryId): Promise<void> {
    const { store, beginRuns, logger } = this.#dependencies
    const due = await listDue(store, id)
    if (due.length === 0) return
    const repository = await store.getRepository(id)
    const plans = (await store.listPlans()).filter((plan) => due.some(({ id: dueId }) => dueId === plan.id))
    if (repository !== null && plans.length > 0) {
      // The same for the same revisions: begun once, also when the note survives a crash.
      const revisions = plans.map((plan) => `${plan.id} ${plan.revision}`).join('\n')
      const { runs } = await beginRuns({
        idempotencyKey: IdempotencyKey.parse(`repository.${hash('sha256', revisions, 'hex')}`),
        plans: plans.map((plan) => plan.id),
        targets: { kind: 'all' },
        trigger: 'repository',
        requestedBy: `repository ${repository.settings.name}`,
      })
      logger.info({ repository: repository.settings.name, runs: runs.length }, 'a new commit is brought')
    }
    await store.transact((transaction) => removeDue(transaction, id, due))
  }

  #follow(look: Promise<void>): void {
    this.#looks.add(look)
    void look.then(() => this.#looks.delete(look))
  }

  #note(id: RepositoryId, thrown: unknown): void {
    const error = toAppError(thrown)
    if (error.code === 'CANCELED' || !this.#running) return
    this.#dependencies.logger.warn({ repositoryId: id, code: error.code, reason: error.message }, 'not looked at')
  }
}

function intervalOf({ settings }: Repository): number | null {
  return settings.pollIntervalSeconds === null ? null : settings.pollIntervalSeconds * 1000
}
