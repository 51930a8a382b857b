import type { TerminalDuplex } from '../link.ts'

export interface DuplexSource {
  readonly send: (frame: Uint8Array<ArrayBuffer>) => void
  readonly close: () => void
}

export interface DuplexFeed {
  readonly duplex: TerminalDuplex
  readonly receive: (frame: Uint8Array) => void
  readonly closed: () => void
}

/** The bookkeeping both transports share: early frames are kept, the end is told once. */
export function createDuplex(source: DuplexSource): DuplexFeed {
  const frameListeners = new Set<(frame: Uint8Array) => void>()
  const closeListeners = new Set<() => void>()
  let early: Uint8Array[] = []
  let isClosed = false

  const receive = (frame: Uint8Array): void => {
    if (frameListeners.size === 0) early.push(frame)
    for (const listener of [...frameListeners]) listener(frame)
  }
  const closed = (): void => {
    if (isClosed) return
    isClosed = true
    for (const listener of [...closeListeners]) listener()
  }
  const duplex: TerminalDuplex = {
    send: (frame) => {
      if (!isClosed) source.send(frame)
    },
    onFrame: (listener) => {
      frameListeners.add(listener)
      const kept = early
      early = []
      for (const frame of kept) listener(frame)
      return () => frameListeners.delete(listener)
    },
    onClose: (listener) => {
      if (isClosed) listener()
      closeListeners.add(listener)
      return () => closeListeners.delete(listener)
    },
    close: () => {
      source.close()
      closed()
    },
  }
  return { duplex, receive, closed }
}
