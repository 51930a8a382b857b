import { createHash } from 'node:crypto'
import type { Clock } from '../../platform/clock.ts'
import type { Logger } from '../../platform/logger.ts'
import { toAppError } from '../../shared/errors.ts'
import type { NodeRegistry, RevisionSource } from '../../shared/model/registry.ts'
import type { RegistrySource, SourceState } from '../../shared/model/registrySource.ts'
import type { MakeFollower, RegistryStore, SourceListener, StoredSource } from '../ports.ts'
import { failingState } from './sourceDiagnosis.ts'

export interface FollowedSourceDependencies {
  readonly clock: Clock
  readonly logger: Logger
  readonly save: RegistryStore['save']
  readonly makeFollower: MakeFollower
  /** Its state is another one: clients ask again. */
  readonly onState: () => void
}

interface Reading {
  readonly text: string
  readonly version: string
  readonly origin: RevisionSource
}

/**
 * One source: what its follower reads is saved, the newest reading only, one at a time. It is level-triggered: a text that
 * could not be saved is tried again with every look, one that was saved is not.
 */
export class FollowedSource {
  readonly stored: StoredSource
  readonly #dependencies: FollowedSourceDependencies
  readonly #follower: ReturnType<MakeFollower>
  #state: SourceState = { status: 'starting' }
  /** Digest of the text that was saved last. */
  #saved: string | null = null
  #newest: Reading | null = null
  /** Only for the look that a person has asked for. */
  #acceptRemovals = false
  #saving: Promise<void> = Promise.resolve()

  constructor(stored: StoredSource, dependencies: FollowedSourceDependencies) {
    this.stored = stored
    this.#dependencies = dependencies
    const listener: SourceListener = {
      read: (text, version, origin) => this.#read({ text, version, origin }),
      state: (state) => this.#become(state),
    }
    this.#follower = dependencies.makeFollower(stored, listener)
  }

  describe(): RegistrySource {
    return { ...this.stored, state: this.#state }
  }

  start(): Promise<void> {
    return this.#follower.start()
  }

  async stop(): Promise<void> {
    await this.#follower.stop()
    await this.#saving
  }

  async refresh({ acceptRemovals = false }: { readonly acceptRemovals?: boolean } = {}): Promise<void> {
    this.#acceptRemovals = acceptRemovals
    try {
      await this.#follower.refresh()
      await this.#saving
    } finally {
      this.#acceptRemovals = false
    }
  }

  /** Null: nobody asked for it, or it cannot. */
  get writer(): ((registry: NodeRegistry) => Promise<void>) | null {
    const { place, registry } = this.stored
    const follower = this.#follower
    if (registry !== 'nodes' || place.kind !== 'configMap' || !place.writeStatusBack) return null
    return follower.write === undefined ? null : (nodes) => follower.write?.(nodes) ?? Promise.resolve()
  }

  #read(reading: Reading): Promise<void> {
    this.#newest = reading
    this.#saving = this.#saving.then(() => this.#saveNewest())
    return this.#saving
  }

  /** Readings that came while one was saved count as one. */
  async #saveNewest(): Promise<void> {
    const reading = this.#newest
    if (reading === null) return
    this.#newest = null
    const { clock } = this.#dependencies
    const digest = createHash('sha256').update(reading.text).digest('hex')
    try {
      if (this.#saved !== digest) await this.#save(reading)
      this.#saved = digest
      this.#become({ status: 'following', seenAt: clock.nowMs(), version: reading.version })
    } catch (error) {
      this.#saved = null
      this.#become(failingState(toAppError(error), clock.nowMs()))
    }
  }

  async #save({ text, origin }: Reading): Promise<void> {
    const { save, logger } = this.#dependencies
    const { id, name, registry } = this.stored
    const saved = await save({
      registry,
      text,
      baseNumber: 'newest',
      comment: '',
      author: `source ${name}`,
      source: origin,
      sourceId: id,
      acceptRemovals: this.#acceptRemovals,
    })
    if (saved.status === 'saved')
      logger.info({ source: name, registry, revision: saved.revision.number }, 'revision saved from its source')
  }

  #become(state: SourceState): void {
    const before = this.#state
    const since = before.status === 'failing' ? before.since : null
    this.#state = state.status === 'failing' && since !== null ? { ...state, since } : state
    if (isSame(before, this.#state)) return
    if (state.status === 'failing')
      this.#dependencies.logger.warn(
        { source: this.stored.name, code: state.diagnosis.code, reason: state.diagnosis.sentence },
        'a source cannot be followed',
      )
    this.#dependencies.onState()
  }
}

/** That it was looked at again is no news. */
function isSame(before: SourceState, after: SourceState): boolean {
  if (before.status === 'following' && after.status === 'following') return before.version === after.version
  if (before.status === 'failing' && after.status === 'failing')
    return before.diagnosis.sentence === after.diagnosis.sentence
  return before.status === after.status
}
