/** A pending call. Canceling one that has fired, or was canceled, does nothing. */
export interface Timer {
  cancel(): void
}

export interface TimerOptions {
  /** Let the process end although this timer is pending. Default false. */
  readonly unref?: boolean
}

/** The only source of time. Everything that waits or stamps takes one, so that tests decide what time it is. */
export interface Clock {
  /** Wall clock in epoch milliseconds. Jumps when the machine wakes up or is set. */
  nowMs(): number
  /** Milliseconds since an arbitrary start. Never goes backwards; only differences mean anything. */
  monotonicMs(): number
  /** Calls `fire` once after `delayMs`, of any length. A negative delay counts as 0. */
  setTimer(delayMs: number, fire: () => void, options?: TimerOptions): Timer
}

/** Node fires at once when a delay does not fit 31 bits; longer ones are waited for in pieces. */
const longestNodeDelayMs = 2 ** 31 - 1

function setSystemTimer(delayMs: number, fire: () => void, options: TimerOptions = {}): Timer {
  let handle: NodeJS.Timeout
  const arm = (remainingMs: number): void => {
    const pieceMs = Math.min(remainingMs, longestNodeDelayMs)
    handle = setTimeout(() => (remainingMs > pieceMs ? arm(remainingMs - pieceMs) : fire()), pieceMs)
    if (options.unref === true) handle.unref()
  }
  arm(Math.max(0, delayMs))
  return { cancel: () => clearTimeout(handle) }
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer: setSystemTimer,
}
