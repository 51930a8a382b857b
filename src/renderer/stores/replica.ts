import { createStore, type StoreApi } from 'zustand'
import type { ErrorBody } from '../../shared/errors.ts'
import type { Change, WatchMessage } from '../../shared/model/event.ts'
import type { RunId } from '../../shared/model/ids.ts'
import type { RunProgress } from '../../shared/model/run.ts'
import type { EngineStatus, Snapshot } from '../../shared/model/system.ts'
import { toErrorBody } from '../api/errors.ts'
import type { EngineLink, LinkStatus } from '../api/link.ts'
import { applyChanges, type ReplicaData } from './applyChanges.ts'
import { setEngineClock } from './clock.ts'

/** The page's copy of the fleet. While `connection` is not `live`, everything in it is the last known state. */
export interface ReplicaState extends ReplicaData {
  /** False until the first snapshot is here. */
  readonly loaded: boolean
  readonly connection: LinkStatus
  /** The event this copy is as new as. */
  readonly seq: number
  readonly engine: EngineStatus | null
  /** When the engine was last heard, by this machine's clock; null before the first word. */
  readonly heardAt: number | null
  /** Why the last attempt to load failed; null when it did not. */
  readonly loadError: ErrorBody | null
}

export interface Replica {
  readonly store: StoreApi<ReplicaState>
  /** Takes over an engine status that a call has returned. */
  setEngine(engine: EngineStatus): void
  stop(): void
}

export interface ReplicaOptions {
  /** Shortest time between two updates of the store: at most ten a second by default. */
  readonly flushIntervalMs?: number
  /** Without any message for this long the engine counts as silent and is asked again. */
  readonly silenceMs?: number
  readonly minRetryMs?: number
  readonly maxRetryMs?: number
}

const emptyState: ReplicaState = {
  nodes: new Map(),
  plans: new Map(),
  agents: new Map(),
  runs: new Map(),
  certificates: new Map(),
  krl: null,
  registries: new Map(),
  rollouts: new Map(),
  revisions: { authorities: 0, joinTokens: 0, gateway: 0, sources: 0, repositories: 0 },
  progress: new Map(),
  loaded: false,
  connection: 'connecting',
  seq: 0,
  engine: null,
  heardAt: null,
  loadError: null,
}

/** The stream can no longer be followed from where we are; only a new snapshot helps. */
class GapError extends Error {}

const byId = <Item extends { readonly id: string }>(items: readonly Item[]): Map<Item['id'], Item> =>
  new Map(items.map((item) => [item.id, item]))

class ReplicaSync implements Replica {
  readonly store: StoreApi<ReplicaState> = createStore(() => emptyState)
  readonly #link: EngineLink
  readonly #options: Required<ReplicaOptions>
  readonly #stopped = new AbortController()
  readonly #unsubscribe: () => void
  /** Newest event that was received; the store's `seq` follows with the next flush. */
  #receivedSeq = 0
  #changes: Change[] = []
  #progress = new Map<RunId, RunProgress>()
  #flushTimer: ReturnType<typeof setTimeout> | null = null
  #lastFlushAt = 0
  /** True while events are streaming and all of the past was replayed. */
  #following = false
  /** Heartbeats in a row that knew of events which had not arrived. */
  #aheadBeats = 0

  constructor(link: EngineLink, options: ReplicaOptions) {
    this.#link = link
    this.#options = { flushIntervalMs: 100, silenceMs: 30_000, minRetryMs: 250, maxRetryMs: 10_000, ...options }
    this.#unsubscribe = link.status.subscribe(() => this.#showConnection())
    void this.#run()
  }

  setEngine(engine: EngineStatus): void {
    setEngineClock(engine.now)
    this.store.setState({ engine })
  }

  stop(): void {
    this.#stopped.abort()
    this.#unsubscribe()
    if (this.#flushTimer !== null) clearTimeout(this.#flushTimer)
  }

  #showConnection(): void {
    const transport = this.#link.status.get()
    const { loaded } = this.store.getState()
    if (transport !== 'live') this.#following = false
    const connection = transport !== 'live' || this.#following ? transport : loaded ? 'out-of-sync' : 'connecting'
    if (connection !== this.store.getState().connection) this.store.setState({ connection })
  }

  async #run(): Promise<void> {
    let retryMs = this.#options.minRetryMs
    let needsSnapshot = true
    while (!this.#stopped.signal.aborted) {
      try {
        needsSnapshot = (await this.#restarted()) || needsSnapshot
        if (needsSnapshot)
          this.#applySnapshot(await this.#link.client.system.snapshot(undefined, { signal: this.#stopped.signal }))
        needsSnapshot = false
        retryMs = this.#options.minRetryMs
        await this.#follow()
      } catch (error) {
        if (this.#stopped.signal.aborted) return
        needsSnapshot ||= error instanceof GapError
        if (!(error instanceof GapError)) this.store.setState({ loadError: toErrorBody(error) })
      }
      this.#following = false
      this.#showConnection()
      await this.#pause(retryMs)
      retryMs = Math.min(this.#options.maxRetryMs, retryMs * 2)
    }
  }

  /** Another instance id means that another engine answers; its log may have been replaced, so we start over. */
  async #restarted(): Promise<boolean> {
    const before = this.store.getState().engine?.instanceId
    const engine = await this.#link.client.system.status(undefined, { signal: this.#stopped.signal })
    this.setEngine(engine)
    return before !== engine.instanceId
  }

  #applySnapshot(snapshot: Snapshot): void {
    this.#dropPending()
    this.#receivedSeq = snapshot.seq
    setEngineClock(snapshot.engine.now)
    const { revisions } = this.store.getState()
    this.store.setState({
      nodes: byId(snapshot.nodes),
      plans: byId(snapshot.plans),
      agents: byId(snapshot.agents),
      // What was missed may have changed any of these.
      krl: null,
      revisions: {
        authorities: revisions.authorities + 1,
        joinTokens: revisions.joinTokens + 1,
        gateway: revisions.gateway + 1,
        sources: revisions.sources + 1,
        repositories: revisions.repositories + 1,
      },
      registries: new Map(snapshot.registries.map((revision) => [revision.registry, revision])),
      rollouts: byId(snapshot.rollouts),
      runs: byId(snapshot.runs),
      progress: new Map(),
      loaded: true,
      seq: snapshot.seq,
      engine: snapshot.engine,
      heardAt: Date.now(),
      loadError: null,
    })
  }

  async #follow(): Promise<void> {
    const silence = new AbortController()
    const signal = AbortSignal.any([this.#stopped.signal, silence.signal])
    let silenceTimer: ReturnType<typeof setTimeout> | undefined
    const heard = (): void => {
      clearTimeout(silenceTimer)
      silenceTimer = setTimeout(() => silence.abort(), this.#options.silenceMs)
    }
    heard()
    try {
      const messages = await this.#link.client.system.watch({ afterSeq: this.#receivedSeq }, { signal })
      for await (const message of messages) {
        heard()
        this.#receive(message)
      }
    } finally {
      clearTimeout(silenceTimer)
      this.#flush()
    }
  }

  #receive(message: WatchMessage): void {
    if (message.kind === 'gap') throw new GapError()
    if (message.kind === 'event') this.#receiveEvent(message.event.seq, message.event.change)
    if (message.kind === 'progress') this.#progress.set(message.runId, message.progress)
    if (message.kind === 'live') {
      if (message.seq > this.#receivedSeq) throw new GapError()
      this.#following = true
      this.#flush()
      this.#showConnection()
    }
    if (message.kind === 'heartbeat') this.#receiveHeartbeat(message.seq)
    this.#scheduleFlush()
  }

  #receiveEvent(seq: number, change: Change): void {
    if (seq <= this.#receivedSeq) return
    if (seq !== this.#receivedSeq + 1) throw new GapError()
    this.#receivedSeq = seq
    this.#changes.push(change)
  }

  /** One beat may overtake an event that is still on its way; two in a row mean that it was lost. */
  #receiveHeartbeat(seq: number): void {
    this.#aheadBeats = seq > this.#receivedSeq ? this.#aheadBeats + 1 : 0
    if (this.#aheadBeats < 2) return
    this.#aheadBeats = 0
    throw new GapError()
  }

  #scheduleFlush(): void {
    if (this.#flushTimer !== null) return
    const waitMs = Math.max(0, this.#lastFlushAt + this.#options.flushIntervalMs - Date.now())
    this.#flushTimer = setTimeout(() => this.#flush(), waitMs)
  }

  #flush(): void {
    const changes = this.#changes
    const progress = this.#progress
    this.#dropPending()
    this.#lastFlushAt = Date.now()
    const heard = { heardAt: this.#lastFlushAt, seq: this.#receivedSeq, loadError: null }
    const hasNews = changes.length > 0 || progress.size > 0
    this.store.setState((state) => (hasNews ? { ...applyChanges(state, changes, progress), ...heard } : heard))
  }

  #dropPending(): void {
    this.#changes = []
    this.#progress = new Map()
    if (this.#flushTimer !== null) clearTimeout(this.#flushTimer)
    this.#flushTimer = null
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(timer)
        unsubscribe()
        this.#stopped.signal.removeEventListener('abort', finish)
        resolve()
      }
      const timer = setTimeout(finish, delayMs)
      const unsubscribe = this.#link.status.subscribe(() => this.#link.status.get() === 'live' && finish())
      this.#stopped.signal.addEventListener('abort', finish, { once: true })
    })
  }
}

/** Starts following the engine at once; see {@link ReplicaState} for what it says while it cannot. */
export function createReplica(link: EngineLink, options: ReplicaOptions = {}): Replica {
  return new ReplicaSync(link, options)
}
