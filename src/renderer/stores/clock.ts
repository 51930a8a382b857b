import { useSyncExternalStore } from 'react'

/** The engine's clock minus ours; times of nodes and runs are the engine's. */
let offsetMs = 0
let tickMs = Date.now()
let timer: ReturnType<typeof setInterval> | null = null
const listeners = new Set<() => void>()

/** The present moment by the engine's clock, in ms since 1970. */
export const engineNowMs = (): number => Date.now() + offsetMs

/** Called with `EngineStatus.now` whenever one arrives. */
export function setEngineClock(engineNow: number): void {
  offsetMs = engineNow - Date.now()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  timer ??= setInterval(() => {
    tickMs = engineNowMs()
    for (const each of [...listeners]) each()
  }, 1000)
  return () => {
    listeners.delete(listener)
    if (listeners.size > 0 || timer === null) return
    clearInterval(timer)
    timer = null
  }
}

/**
 * The engine's time, rounded down to `stepMs`, so that a component renders again only when its answer can change.
 * One timer serves the whole page and stops with its last listener.
 */
export function useNow(stepMs = 1000): number {
  return useSyncExternalStore(subscribe, () => {
    const now = timer === null ? engineNowMs() : tickMs
    return Math.floor(now / stepMs) * stepMs
  })
}
