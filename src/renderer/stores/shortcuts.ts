import { useEffect, useRef } from 'react'
import { createStore, useStore } from 'zustand'

/** One thing that a key does. Also an action of the palette, so that nobody has to know the key. */
export interface Shortcut {
  /** `r`, `?`, `g f` (one after the other), `Mod+k` (Ctrl, or Cmd on macOS), `Ctrl+backtick`. Empty: palette only. */
  readonly keys: string
  readonly label: string
  /** Heading in the sheet. */
  readonly group: string
  readonly run: () => void
}

interface Registered {
  readonly shortcuts: ReadonlyMap<symbol, readonly Shortcut[]>
}

export const shortcutRegistry = createStore<Registered>(() => ({ shortcuts: new Map() }))

/** The later a component registered, the more specific it is: its keys win. */
export const activeShortcuts = (): readonly Shortcut[] =>
  [...shortcutRegistry.getState().shortcuts.values()].reverse().flat()

/** Registers while the component is there. The list may be a new array each time; `run` is always the newest one. */
export function useShortcuts(shortcuts: readonly Shortcut[]): void {
  const latest = useRef(shortcuts)
  latest.current = shortcuts
  const signature = shortcuts.map(({ keys, label }) => `${keys} ${label}`).join('\n')
  // biome-ignore lint/correctness/useExhaustiveDependencies: the signature stands for the list
  useEffect(() => {
    const id = Symbol('shortcuts')
    const stable = latest.current.map((shortcut, index) => ({ ...shortcut, run: () => latest.current[index]?.run() }))
    shortcutRegistry.setState((state) => ({ shortcuts: new Map(state.shortcuts).set(id, stable) }))
    return () =>
      shortcutRegistry.setState((state) => {
        const rest = new Map(state.shortcuts)
        rest.delete(id)
        return { shortcuts: rest }
      })
  }, [signature])
}

export const useActiveShortcuts = (): readonly Shortcut[] =>
  [...useStore(shortcutRegistry, (state) => state.shortcuts).values()].reverse().flat()
