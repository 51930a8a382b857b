import type { Clock } from '../../platform/clock.ts'
import type { IdSource } from '../../platform/ids.ts'
import type { Logger } from '../../platform/logger.ts'
import { AppError } from '../../shared/errors.ts'
import { SourceId } from '../../shared/model/ids.ts'
import type { NodeRegistry } from '../../shared/model/registry.ts'
import type { RegistrySource, SourceInput, SourcePlace } from '../../shared/model/registrySource.ts'
import type { MakeFollower, RegistrySources, RegistryStore, Store, StoredSource } from '../ports.ts'
import { FollowedSource } from './followedSource.ts'
import { saveOwned } from './ownership.ts'
import { createStatusFeed } from './statusFeed.ts'

export interface RegistrySourcesDependencies {
  readonly store: Store
  readonly clock: Clock
  readonly ids: IdSource
  readonly logger: Logger
  readonly save: RegistryStore['save']
  readonly followers: Readonly<Record<SourcePlace['kind'], MakeFollower>>
  /** The newest node registry as the fleet knows it now; null when there is none. */
  readonly liveNodes: () => Promise<NodeRegistry | null>
}

/** Follows places outside. An engine that does not look after the fleet looks at a source only when it is asked to. */
export function createRegistrySources(dependencies: RegistrySourcesDependencies): RegistrySources {
  const { store, clock, ids, logger, save, followers, liveNodes } = dependencies
  const followed = new Map<SourceId, FollowedSource>()
  let running = false
  const feed = createStatusFeed({
    store,
    clock,
    logger,
    liveNodes,
    writers: () => [...followed.values()].flatMap(({ writer }) => (writer === null ? [] : [writer])),
  })

  function announce(): void {
    store
      .transact((transaction) => transaction.announce({ kind: 'sources.changed' }))
      .catch((error: unknown) => logger.warn({ err: error }, 'the state of a source could not be announced'))
  }

  const open = (source: StoredSource): FollowedSource =>
    new FollowedSource(source, {
      clock,
      logger,
      save,
      makeFollower: followers[source.place.kind],
      onState: announce,
    })

  async function follow(source: StoredSource): Promise<RegistrySource> {
    const opened = open(source)
    followed.set(source.id, opened)
    await opened.start()
    return opened.describe()
  }

  async function lookOnce(source: StoredSource): Promise<RegistrySource> {
    const opened = open(source)
    try {
      await opened.start()
    } finally {
      await opened.stop()
    }
    return opened.describe()
  }

  async function stored(id: SourceId): Promise<StoredSource> {
    const source = (await store.listSources()).find((candidate) => candidate.id === id)
    if (source !== undefined) return source
    throw new AppError('NOT_FOUND', `There is no source ${id}. "lockstep registry sources list" shows them.`)
  }

  async function add(input: SourceInput, operator: string): Promise<RegistrySource> {
    const source: StoredSource = { ...input, id: SourceId.parse(ids()), createdAt: clock.nowMs() }
    await store.transact(async (transaction) => {
      refuseTwice(await transaction.listSources(), source)
      await transaction.saveSource(source)
      const { id, registry, place } = source
      const detail = { id, registry, place }
      await transaction.appendAudit([
        { at: source.createdAt, actor: operator, action: 'source.add', subject: source.name, detail },
      ])
    })
    return running ? follow(source) : lookOnce(source)
  }

  /** First nobody follows it any more: what it says after that must not come back. */
  async function remove(id: SourceId, operator: string): Promise<void> {
    const source = await stored(id)
    await followed.get(id)?.stop()
    followed.delete(id)
    await store.transact(async (transaction) => {
      await transaction.removeSource(id)
      await saveOwned(transaction, id, [])
      await transaction.appendAudit([
        { at: clock.nowMs(), actor: operator, action: 'source.remove', subject: source.name, detail: { id } },
      ])
    })
  }

  const refresh: RegistrySources['refresh'] = async (id, { acceptRemovals = false, operator = 'engine' } = {}) => {
    const source = followed.get(id)
    if (source === undefined) return lookOnce(await stored(id))
    if (acceptRemovals) {
      const { name } = source.stored
      const row = {
        at: clock.nowMs(),
        actor: operator,
        action: 'source.accept-removals',
        subject: name,
        detail: { id },
      }
      await store.transact((transaction) => transaction.appendAudit([row]))
    }
    await source.refresh({ acceptRemovals })
    return source.describe()
  }

  return {
    /** Does not wait for places that do not answer. */
    start: async () => {
      running = true
      for (const source of await store.listSources())
        follow(source).catch((error: unknown) =>
          logger.error({ err: error, source: source.name }, 'a source is not followed'),
        )
      feed.start()
    },
    stop: async () => {
      running = false
      feed.stop()
      await Promise.all([...followed.values()].map((source) => source.stop()))
      followed.clear()
    },
    list: async () =>
      (await store.listSources()).map(
        (source) => followed.get(source.id)?.describe() ?? { ...source, state: { status: 'starting' } },
      ),
    add,
    remove,
    refresh,
    refreshAll: async () => void (await Promise.all([...followed.values()].map((source) => source.refresh()))),
  }
}

/** One place twice would claim every entry twice. */
function refuseTwice(sources: readonly StoredSource[], { registry, place }: StoredSource): void {
  const text = JSON.stringify([registry, place])
  const other = sources.find((source) => JSON.stringify([source.registry, source.place]) === text)
  if (other === undefined) return
  throw new AppError('CONFLICT', `The source "${other.name}" follows this place already.`, { data: { id: other.id } })
}
