/** A value that can be watched; the shape React's `useSyncExternalStore` takes. */
export interface Subscribable<Value> {
  get(): Value
  /** @returns unsubscribe */
  subscribe(listener: () => void): () => void
}

export interface Settable<Value> extends Subscribable<Value> {
  set(value: Value): void
}

/** Listeners run synchronously, only when the value has changed. */
export function createSubscribable<Value>(initial: Value): Settable<Value> {
  let current = initial
  const listeners = new Set<() => void>()
  return {
    get: () => current,
    set: (value) => {
      if (Object.is(value, current)) return
      current = value
      for (const listener of [...listeners]) listener()
    },
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
