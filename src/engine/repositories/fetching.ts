import { excludesOf } from '../../core/repository/places.ts'
import { resolveRef } from '../../core/repository/resolveRef.ts'
import { AppError, toAppError } from '../../shared/errors.ts'
import type { RepositoryId } from '../../shared/model/ids.ts'
import type { Plan } from '../../shared/model/plan.ts'
import type { Repository } from '../../shared/model/repository.ts'
import type { StoreTransaction } from '../ports.ts'
import { causeOf } from './diagnosis.ts'
import { addDue } from './due.ts'
import { type RefreshPlans, type RepositoryParts, resolveRepository } from './parts.ts'

export interface FetchResult {
  readonly repository: Repository
  /** Plans that have a new revision because of it. */
  readonly changed: readonly Plan[]
}

export interface Fetching {
  /**
   * Fetches and keeps what came: heads and the plans that follow them in one transaction. Whoever asks before a fetch has
   * begun shares it; who asks later gets one that begins later, so that what was pushed before asking is in it.
   *
   * @throws what the mirror throws; the cause is kept with the repository, and what was fetched before stays in force
   */
  fetch(id: RepositoryId, options: { readonly force: boolean }): Promise<FetchResult>
  /** Cuts what is under way. */
  stop(): Promise<void>
}

export interface FetchingDependencies extends Pick<RepositoryParts, 'store' | 'clock' | 'logger' | 'mirrors'> {
  readonly refreshPlans: RefreshPlans
  /** Lists a tree for those who will bring it. */
  readonly listTree: (directory: string, excludes: readonly string[]) => Promise<unknown>
}

/** Settings that changed while git worked: what it brought may be of another remote. */
const mostRounds = 3

export function createFetching(dependencies: FetchingDependencies): Fetching {
  const { store, clock, logger, mirrors, refreshPlans, listTree } = dependencies
  const stopping = new AbortController()
  /** Fetches that have not begun. */
  const waiting = new Map<string, Promise<FetchResult>>()
  const layingOut = new Set<Promise<void>>()
  /** The end of the newest fetch of each repository. */
  const last = new Map<RepositoryId, Promise<void>>()

  function fetch(id: RepositoryId, { force }: { readonly force: boolean }): Promise<FetchResult> {
    const key = `${id} ${force}`
    const shared = waiting.get(key)
    if (shared !== undefined) return shared
    const begun = begin(key, id, force)
    waiting.set(key, begun)
    const ended = begun.then(
      () => undefined,
      () => undefined,
    )
    last.set(id, ended)
    void ended.then(() => {
      if (last.get(id) === ended) last.delete(id)
    })
    return begun
  }

  async function begin(key: string, id: RepositoryId, force: boolean): Promise<FetchResult> {
    // One after another, so that what is older is never kept over what is newer.
    await last.get(id)
    // All who ask in the same moment are in before it begins.
    await new Promise((resolve) => setImmediate(resolve))
    waiting.delete(key)
    for (let round = 1; ; round += 1) {
      const result = await fetchOnce(id, force)
      if (result !== null || round === mostRounds) return result ?? { repository: await known(id), changed: [] }
    }
  }

  const known = (id: RepositoryId): Promise<Repository> => resolveRepository(store, id)

  /** Null: its settings are others now, so nothing was kept. */
  async function fetchOnce(id: RepositoryId, force: boolean): Promise<FetchResult | null> {
    const { signal } = stopping
    if (signal.aborted) throw new AppError('CANCELED', 'The engine is stopping.')
    const asked = await known(id)
    try {
      const fetched = await mirrors.fetch(asked, {
        force,
        signal,
        onOutput: (line) => logger.debug({ repository: asked.settings.name }, line),
      })
      logger.info({ repository: asked.settings.name, heads: Object.keys(fetched.heads).length }, 'fetched')
      const kept = await keep(asked, (now) => ({
        ...now,
        state: {
          heads: { ...fetched.heads },
          fetchedAt: clock.nowMs(),
          diagnosis: null,
          warnings: [...fetched.warnings],
        },
      }))
      if (kept !== null) layOut(kept.repository)
      return kept
    } catch (thrown) {
      const error = toAppError(thrown)
      if (!signal.aborted && error.code !== 'CANCELED' && error.code !== 'NOT_FOUND') {
        logger.warn({ repository: asked.settings.name, code: error.code, reason: error.message }, 'fetch failed')
        const why = (now: Repository): Repository => ({ ...now, state: { ...now.state, diagnosis: causeOf(error) } })
        const kept = await keep(asked, why).catch((unkept: unknown) =>
          logger.error({ err: unkept }, 'why a fetch failed could not be kept'),
        )
        // What failed for settings that are others now is nobody's concern any more.
        if (kept === null) return null
      }
      throw error
    }
  }

  /** What plans want is laid out by the time somebody brings it; whoever is faster shares the work. Trouble is theirs to tell. */
  function layOut(repository: Repository): void {
    const { signal } = stopping
    const work = (async () => {
      for (const plan of await store.listPlans()) {
        if (plan.kind !== 'repository' || plan.spec.repository !== repository.settings.name) continue
        const commit = resolveRef(repository, plan.spec.ref)
        if (commit === null || signal.aborted) continue
        const options = { dotGit: !plan.spec.excludeDotGit, signal, onOutput: () => undefined }
        const snapshot = await mirrors.snapshot(repository, commit, options)
        await listTree(snapshot.directory, excludesOf(plan.spec)).finally(() => snapshot.release())
      }
    })().catch((error: unknown) =>
      logger.debug({ err: error, repository: repository.settings.name }, 'a commit could not be laid out'),
    )
    layingOut.add(work)
    void work.then(() => layingOut.delete(work))
  }

  function keep(asked: Repository, change: (now: Repository) => Repository): Promise<FetchResult | null> {
    return store.transact(async (transaction) => {
      const now = await resolveRepository(transaction, asked.id)
      if (JSON.stringify(now.settings) !== JSON.stringify(asked.settings)) return null
      const repository = change(now)
      await transaction.saveRepository(repository)
      return { repository, changed: await refreshed(transaction, repository) }
    })
  }

  /** Where the remote is asked unasked, what changed is also brought unasked; noted here, so that no crash loses it. */
  async function refreshed(transaction: StoreTransaction, repository: Repository): Promise<readonly Plan[]> {
    const changed = await refreshPlans(transaction)
    const { id, settings } = repository
    if (settings.pollIntervalSeconds !== null) {
      const own = changed.filter((plan) => plan.kind === 'repository' && plan.spec.repository === settings.name)
      await addDue(transaction, id, own)
    }
    return changed
  }

  return {
    fetch,
    stop: async () => {
      stopping.abort()
      await Promise.all([...last.values(), ...layingOut])
    },
  }
}
