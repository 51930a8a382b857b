import { backoffMs } from '../../../core/agent/duration.ts'
import { writeNodeStatus } from '../../../core/registry/nodeStatusText.ts'
import { AppError, toAppError } from '../../../shared/errors.ts'
import type { NodeRegistry } from '../../../shared/model/registry.ts'
import type { StatusWriter } from '../../ports.ts'
import { isConflict, isTransient, mapMissing } from './apiFailure.ts'
import { type ClusterAccess, openCluster } from './clusterAccess.ts'
import { registryText } from './configMap.ts'
import { type ConfigMapApi, configMapApi } from './configMapApi.ts'
import type { ConfigMapSource } from './follower.ts'
import { type ConfigMapDependencies, pause, type Timing, usualTiming } from './timing.ts'

/** Somebody who writes all the time does not keep us in a loop. */
const mostConflicts = 5
const mostTries = 10

/**
 * Writes the status of nodes into the ConfigMap their registry came from (S1.19-21). Of many calls only the newest state
 * is written, no more often than `writeEveryMs`; a failure is logged, since the next state is written anyway.
 */
export function createStatusWriter(
  source: ConfigMapSource,
  dependencies: ConfigMapDependencies,
): StatusWriter & { stop(): Promise<void> } {
  return new ConfigMapStatusWriter(source, dependencies)
}

class ConfigMapStatusWriter implements StatusWriter {
  readonly #source: ConfigMapSource
  readonly #dependencies: ConfigMapDependencies
  readonly #timing: Timing
  readonly #stopped = new AbortController()
  #wanted: NodeRegistry | null = null
  #writing: Promise<void> | null = null
  #access: ClusterAccess | null = null
  /** On the monotonic clock; before it nothing is written. */
  #notBeforeMs = Number.NEGATIVE_INFINITY
  #refusals = 0

  constructor(source: ConfigMapSource, dependencies: ConfigMapDependencies) {
    this.#source = source
    this.#dependencies = dependencies
    this.#timing = { ...usualTiming, ...dependencies.timing }
  }

  /** Resolves when this state, or a newer one, is written or given up. */
  write(registry: NodeRegistry): Promise<void> {
    if (this.#stopped.signal.aborted) return Promise.resolve()
    this.#wanted = registry
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = null
    })
    return this.#writing
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#writing
    this.#access?.close()
  }

  async #drain(): Promise<void> {
    const { clock } = this.#dependencies
    const { signal } = this.#stopped
    let tries = 0
    while (this.#wanted !== null && !signal.aborted) {
      const waitMs = this.#notBeforeMs - clock.monotonicMs()
      if (waitMs > 0) await pause(clock, waitMs, { signal })
      if (signal.aborted) return
      const registry = this.#wanted
      this.#wanted = null
      tries += 1
      const again = await this.#writeOnce(registry, tries)
      if (again) this.#wanted ??= registry
      else tries = 0
    }
  }

  /** @returns whether the same should be tried again */
  async #writeOnce(registry: NodeRegistry, tries: number): Promise<boolean> {
    const { clock, logger } = this.#dependencies
    try {
      await this.#change(await this.#open(), registry)
      this.#refusals = 0
      this.#notBeforeMs = clock.monotonicMs() + this.#timing.writeEveryMs
      return false
    } catch (thrown) {
      const error = toAppError(thrown)
      if (error.code === 'CANCELED') return false
      this.#notBeforeMs = clock.monotonicMs() + this.#pauseAfter(error, tries)
      const { namespace, name } = this.#source.place
      const again = error.code === 'REGISTRY_SOURCE_UNREACHABLE' && tries < mostTries
      if (!again) logger.warn({ namespace, name, err: error }, 'the status of nodes could not be written back')
      return again
    }
  }

  #pauseAfter(error: AppError, tries: number): number {
    const { firstPauseMs, longestPauseMs, firstRefusedPauseMs, longestRefusedPauseMs } = this.#timing
    const random = (this.#dependencies.random ?? Math.random)()
    if (isTransient(error)) return backoffMs(tries, random, { firstMs: firstPauseMs, mostMs: longestPauseMs })
    this.#refusals += 1
    return backoffMs(this.#refusals, random, { firstMs: firstRefusedPauseMs, mostMs: longestRefusedPauseMs })
  }

  async #open(): Promise<ConfigMapApi> {
    const { clock, environment } = this.#dependencies
    const { place } = this.#source
    this.#access = await openCluster(
      place,
      environment === undefined ? { clock } : { clock, environment },
      this.#access,
    )
    const { callTimeoutMs: timeoutMs, watchSeconds, watchGraceMs } = this.#timing
    const { namespace, name } = place
    const signal = this.#stopped.signal
    return configMapApi(this.#access, { clock, timeoutMs, signal, namespace, name, watchSeconds, watchGraceMs })
  }

  async #change(api: ConfigMapApi, registry: NodeRegistry): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#changeOnce(api, registry)
      } catch (thrown) {
        if (!isConflict(thrown) || tries === mostConflicts) throw thrown
      }
    }
  }

  /** Changes what is there now, and only if nobody has written since it was read. */
  async #changeOnce(api: ConfigMapApi, registry: NodeRegistry): Promise<void> {
    const { place } = this.#source
    const map = await api.get()
    if (map === null) throw mapMissing(place.namespace, place.name)
    const { key, text: before } = registryText(map, place)
    const after = writeNodeStatus(before, registry)
    if (after === null)
      throw new AppError(
        'REGISTRY_INVALID',
        `The status of nodes cannot be written into ${place.namespace}/${place.name}: its text is no node registry that can be changed in place.`,
      )
    if (after !== before) await api.setKey(key, after, map.metadata.resourceVersion)
  }
}
