import type { Clock, Timer } from '../../platform/clock.ts'
import type { EngineEvent, WatchMessage } from '../../shared/model/event.ts'
import type { RunId } from '../../shared/model/ids.ts'
import type { RunProgress } from '../../shared/model/run.ts'
import type { Store } from '../ports.ts'

/** What a slow watcher may owe us before it is told to start over. */
const maxQueuedMessages = 20_000
const replayPageSize = 500
const heartbeatIntervalMs = 10_000

export interface EventHub {
  /** Replays from the event log after `afterSeq`, then streams until `signal` aborts. Ends after a `gap`. */
  watch(afterSeq: number, signal: AbortSignal | undefined): AsyncGenerator<WatchMessage, void, void>
  publishProgress(runId: RunId, progress: RunProgress): void
  close(): void
}

/** Unbounded by time, bounded by size: `take` waits, `put` never does. */
class Mailbox {
  #messages: WatchMessage[] = []
  #wake: (() => void) | null = null
  overflown = false
  closed = false

  put(message: WatchMessage): void {
    if (this.overflown || this.closed) return
    if (this.#messages.length >= maxQueuedMessages) this.overflown = true
    else this.#messages.push(message)
    this.#wake?.()
  }

  close(): void {
    this.closed = true
    this.#wake?.()
  }

  async take(): Promise<WatchMessage[]> {
    if (this.#messages.length === 0 && !this.overflown && !this.closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#wake = null
    }
    return this.#messages.splice(0)
  }
}

export function createEventHub({ store, clock }: { readonly store: Store; readonly clock: Clock }): EventHub {
  const mailboxes = new Set<Mailbox>()
  const putAll = (message: WatchMessage): void => {
    for (const mailbox of mailboxes) mailbox.put(message)
  }
  const unsubscribe = store.onCommitted((events: readonly EngineEvent[]) => {
    for (const event of events) putAll({ kind: 'event', event })
  })
  let heartbeat: Timer = clock.setTimer(heartbeatIntervalMs, beat, { unref: true })

  function beat(): void {
    heartbeat = clock.setTimer(heartbeatIntervalMs, beat, { unref: true })
    if (mailboxes.size === 0) return
    // A failed read shows as a missing heartbeat, which is what the watcher needs to see.
    store.headSeq().then(
      (seq) => putAll({ kind: 'heartbeat', seq, at: clock.nowMs() }),
      () => undefined,
    )
  }

  async function gap(): Promise<WatchMessage> {
    return { kind: 'gap', oldestSeq: await store.oldestSeq(), headSeq: await store.headSeq() }
  }

  /** Everything committed after `afterSeq` and before now, in pages. @returns the last seq replayed. */
  async function* replay(afterSeq: number): AsyncGenerator<WatchMessage, number, void> {
    let seq = afterSeq
    for (;;) {
      const page = await store.eventsAfter(seq, replayPageSize)
      for (const event of page) yield { kind: 'event', event }
      seq = page.at(-1)?.seq ?? seq
      if (page.length < replayPageSize) return seq
    }
  }

  async function* stream(mailbox: Mailbox, afterSeq: number): AsyncGenerator<WatchMessage, void, void> {
    const head = await store.headSeq()
    const unknownFuture = afterSeq > head
    if (unknownFuture || afterSeq + 1 < (await store.oldestSeq())) {
      yield await gap()
      return
    }
    const replayedSeq = yield* replay(afterSeq)
    yield { kind: 'live', seq: replayedSeq }
    while (!mailbox.closed) {
      for (const message of await mailbox.take()) {
        // The mailbox was opened before the replay, so that nothing falls between the two.
        if (message.kind !== 'event' || message.event.seq > replayedSeq) yield message
      }
      if (mailbox.overflown) {
        yield await gap()
        return
      }
    }
  }

  async function* watch(afterSeq: number, signal: AbortSignal | undefined): AsyncGenerator<WatchMessage, void, void> {
    const mailbox = new Mailbox()
    const close = (): void => mailbox.close()
    mailboxes.add(mailbox)
    signal?.addEventListener('abort', close)
    try {
      yield* stream(mailbox, afterSeq)
    } finally {
      mailboxes.delete(mailbox)
      signal?.removeEventListener('abort', close)
    }
  }

  return {
    watch,
    publishProgress: (runId, progress) => putAll({ kind: 'progress', runId, progress }),
    close() {
      unsubscribe()
      heartbeat.cancel()
      for (const mailbox of mailboxes) mailbox.close()
    },
  }
}
