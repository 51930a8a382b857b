import { backoffMs } from '../../../core/agent/duration.ts'
import { withoutStatus } from '../../../core/registry/nodeStatusText.ts'
import { type AppError, toAppError } from '../../../shared/errors.ts'
import type { SourceFollower, SourceListener, StoredSource } from '../../ports.ts'
import { diagnosisOf, isForbidden, isTransient, mapMissing } from './apiFailure.ts'
import { type ClusterAccess, openCluster } from './clusterAccess.ts'
import { type ConfigMap, registryText } from './configMap.ts'
import { type ConfigMapApi, configMapApi } from './configMapApi.ts'
import type { ConfigMapPlace } from './kubeconfig.ts'
import { type ConfigMapDependencies, pause, type Timing, usualTiming } from './timing.ts'

export interface ConfigMapSource extends StoredSource {
  readonly place: ConfigMapPlace
}

/**
 * Follows one ConfigMap (S1.27-34): looks at it, watches it from there, and looks again when the watch ends for whatever
 * reason. That the watch tells everything is checked every poll interval over a connection of its own, so that a dead one
 * is noticed as soon as it matters. Where watching is not permitted, the poll alone is left (S1.29).
 */
export function createConfigMapFollower(
  source: ConfigMapSource,
  listener: SourceListener,
  dependencies: ConfigMapDependencies,
): SourceFollower {
  return new ConfigMapFollower(source, listener, dependencies)
}

class ConfigMapFollower implements SourceFollower {
  readonly #source: ConfigMapSource
  readonly #listener: SourceListener
  readonly #dependencies: ConfigMapDependencies
  readonly #timing: Timing
  readonly #stopped = new AbortController()
  /** Ends what the present cycle waits for. */
  #wake = new AbortController()
  #running: Promise<void> | null = null
  /** Wait for a look that begins after they asked. */
  #waiting: (() => void)[] = []
  #access: ClusterAccess | null = null
  #mayWatch = true
  /** Version of the map at the last look, null for none. */
  #known: string | null = null
  #last: { readonly text: string; readonly version: string } | null = null
  #failing: { readonly error: AppError; readonly sinceMs: number } | null = null
  #quickEnds = 0
  #refusals = 0

  constructor(source: ConfigMapSource, listener: SourceListener, dependencies: ConfigMapDependencies) {
    this.#source = source
    this.#listener = listener
    this.#dependencies = dependencies
    this.#timing = { ...usualTiming, ...dependencies.timing }
  }

  start(): Promise<void> {
    const looked = this.#nextLook()
    this.#running ??= this.#follow()
    return looked
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    this.#wake.abort()
    await this.#running
    this.#access?.close()
    for (const resolve of this.#waiting) resolve()
  }

  refresh(): Promise<void> {
    if (this.#running === null || this.#stopped.signal.aborted) return Promise.resolve()
    const looked = this.#nextLook()
    this.#mayWatch = true
    this.#wake.abort()
    return looked
  }

  #nextLook(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  async #follow(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      this.#wake = new AbortController()
      const { signal } = this.#wake
      const pauseMs = await this.#cycle(signal)
      if (pauseMs > 0) await pause(this.#dependencies.clock, pauseMs, { signal })
    }
  }

  /** @returns how long to wait before the next one */
  async #cycle(wake: AbortSignal): Promise<number> {
    const waiting = this.#waiting.splice(0)
    const { clock } = this.#dependencies
    const beganMs = clock.monotonicMs()
    try {
      const api = await this.#open()
      const from = await this.#look(api)
      for (const resolve of waiting) resolve()
      this.#refusals = 0
      if (this.#mayWatch) await this.#watch(api, from, wake)
      else await pause(clock, this.#dependencies.pollIntervalMs, { signal: wake })
      return this.#mayWatch ? this.#pauseAfterWatch(clock.monotonicMs() - beganMs) : 0
    } catch (thrown) {
      const error = toAppError(thrown)
      if (error.code === 'CANCELED' || this.#stopped.signal.aborted) return 0
      return this.#pauseAfterFailure(error, clock.monotonicMs() - beganMs)
    } finally {
      for (const resolve of waiting) resolve()
    }
  }

  /** The kubeconfig is read for every look, see {@link openCluster}. */
  async #open(): Promise<ConfigMapApi> {
    const { clock, environment } = this.#dependencies
    const { place } = this.#source
    try {
      this.#access = await openCluster(
        place,
        environment === undefined ? { clock } : { clock, environment },
        this.#access,
      )
    } catch (thrown) {
      throw this.#told(toAppError(thrown))
    }
    const { callTimeoutMs: timeoutMs, watchSeconds, watchGraceMs } = this.#timing
    const { namespace, name } = place
    const signal = this.#stopped.signal
    return configMapApi(this.#access, { clock, timeoutMs, signal, namespace, name, watchSeconds, watchGraceMs })
  }

  /** Says what is there now. @returns the version to watch from */
  async #look(api: ConfigMapApi): Promise<string> {
    try {
      const { map, version } = await this.#read(api)
      await this.#tell(map)
      return version
    } catch (thrown) {
      throw this.#told(toAppError(thrown))
    }
  }

  async #read(api: ConfigMapApi): Promise<{ readonly map: ConfigMap | null; readonly version: string }> {
    if (this.#mayWatch) {
      try {
        return await api.list()
      } catch (thrown) {
        if (!isForbidden(thrown)) throw thrown
      }
    }
    const map = await api.get()
    this.#pollOnly()
    return { map, version: map?.metadata.resourceVersion ?? '' }
  }

  #pollOnly(): void {
    if (!this.#mayWatch) return
    this.#mayWatch = false
    this.#dependencies.logger.warn(this.#fields(), 'watching the ConfigMap is not permitted; it is polled instead')
  }

  async #watch(api: ConfigMapApi, from: string, wake: AbortSignal): Promise<void> {
    const end = new AbortController()
    const endNow = (): void => end.abort()
    wake.addEventListener('abort', endNow, { once: true })
    if (wake.aborted) endNow()
    const polling = this.#poll(api, end)
    try {
      for await (const event of api.watch(from, end.signal)) {
        if (event.kind === 'there') await this.#tell(event.map)
        if (event.kind === 'deleted') await this.#tell(null)
      }
    } catch (thrown) {
      if (!isForbidden(thrown)) throw thrown
      this.#pollOnly()
    } finally {
      wake.removeEventListener('abort', endNow)
      end.abort()
      await polling
    }
  }

  /** Ends the watch when the place says something else than we know, or nothing at all: a look then finds out. */
  async #poll(api: ConfigMapApi, watch: AbortController): Promise<void> {
    const { clock, pollIntervalMs } = this.#dependencies
    const { signal } = watch
    while (!signal.aborted) {
      await pause(clock, pollIntervalMs, { signal })
      if (signal.aborted) return
      try {
        if ((await api.version(signal)) !== this.#known) return watch.abort()
        await this.#confirm()
      } catch {
        return watch.abort()
      }
    }
  }

  async #tell(map: ConfigMap | null): Promise<void> {
    this.#known = map?.metadata.resourceVersion ?? null
    const { namespace, name } = this.#source.place
    if (map === null) return this.#fail(mapMissing(namespace, name))
    const text = this.#textOf(map)
    if (text === null) return
    const version = map.metadata.resourceVersion
    const recovered = this.#failing !== null
    this.#failing = null
    if (recovered) this.#dependencies.logger.info({ ...this.#fields(), version }, 'the ConfigMap can be read')
    await this.#listener.read(this.#take(text, version), version, this.#origin(version))
  }

  #textOf(map: ConfigMap): string | null {
    try {
      return registryText(map, this.#source.place).text
    } catch (thrown) {
      this.#fail(toAppError(thrown))
      return null
    }
  }

  /** @returns the text that counts: the one before, when nothing but the status of nodes is new, which we have written */
  #take(text: string, version: string): string {
    const before = this.#last
    const { registry, place } = this.#source
    const ours = place.writeStatusBack && registry === 'nodes'
    const sameButStatus =
      before !== null && (before.text === text || (ours && withoutStatus(before.text) === withoutStatus(text)))
    this.#last = { text: sameButStatus ? before.text : text, version }
    if (before !== null && before.version !== version && !sameButStatus)
      this.#dependencies.logger.info({ ...this.#fields(), version }, 'ConfigMap changed, triggering sync...')
    return this.#last.text
  }

  /** It says what it said at the last look. */
  async #confirm(): Promise<void> {
    if (this.#failing !== null) return this.#fail(this.#failing.error)
    const { text, version } = this.#last ?? {}
    if (text !== undefined && version !== undefined) await this.#listener.read(text, version, this.#origin(version))
  }

  #origin(resourceVersion: string) {
    const { namespace, name } = this.#source.place
    return { kind: 'configMap', cluster: this.#access?.clusterName ?? '', namespace, name, resourceVersion } as const
  }

  #told(error: AppError): AppError {
    if (error.code !== 'CANCELED') this.#fail(error)
    return error
  }

  #fail(error: AppError): void {
    const now = this.#dependencies.clock.nowMs()
    const before = this.#failing
    this.#failing = { error, sinceMs: before?.sinceMs ?? now }
    if (before?.error.message !== error.message)
      this.#dependencies.logger.debug({ ...this.#fields(), err: error }, 'the ConfigMap cannot be followed')
    const { sinceMs: since } = this.#failing
    this.#listener.state({ status: 'failing', since, checkedAt: now, diagnosis: diagnosisOf(error) })
  }

  /** Also after one that ended in peace: a server that ends them at once must not be asked without a pause. */
  #pauseAfterWatch(livedMs: number): number {
    const { firstPauseMs: firstMs, longestPauseMs: mostMs } = this.#timing
    this.#quickEnds = livedMs > mostMs ? 1 : this.#quickEnds + 1
    return backoffMs(this.#quickEnds, this.#random(), { firstMs, mostMs })
  }

  #pauseAfterFailure(error: AppError, livedMs: number): number {
    if (isTransient(error)) return this.#pauseAfterWatch(livedMs)
    const { firstRefusedPauseMs: firstMs, longestRefusedPauseMs: mostMs } = this.#timing
    this.#refusals += 1
    return backoffMs(this.#refusals, this.#random(), { firstMs, mostMs })
  }

  #random(): number {
    return (this.#dependencies.random ?? Math.random)()
  }

  #fields() {
    const { namespace, name, context } = this.#source.place
    return { source: this.#source.name, context: this.#access?.contextName ?? context, namespace, name }
  }
}
