import { z } from 'zod'
import { useStore } from 'zustand'
import { createStore } from 'zustand/vanilla'

const storageKey = 'lockstep.preferences'

const Preferences = z.object({
  theme: z.enum(['dark', 'light', 'system']).catch('system'),
  /** Show absolute times in UTC. */
  utc: z.boolean().catch(false),
  /** `r`, `c`, `t`, `g f` and the like. */
  singleLetterShortcuts: z.boolean().catch(true),
  /** Sizes of panes by name, in CSS pixels. */
  paneSizes: z.record(z.string(), z.number().positive()).catch({}),
  /** Titles of map groups that are collapsed to a bar. */
  collapsedGroups: z.array(z.string()).catch([]),
})
export type Preferences = z.infer<typeof Preferences>

/** What this page remembers of its person; nothing of the fleet is ever stored here. */
function load(): Preferences {
  let stored: unknown = {}
  try {
    stored = JSON.parse(localStorage.getItem(storageKey) ?? '{}')
  } catch {
    // Unreadable or switched off: start from the defaults.
  }
  return Preferences.parse(typeof stored === 'object' && stored !== null ? stored : {})
}

export const preferences = createStore<Preferences>(() => load())

preferences.subscribe((state) => {
  try {
    localStorage.setItem(storageKey, JSON.stringify(state))
  } catch {
    // Storage is full or switched off; the choice lasts as long as the window.
  }
})

export function usePreference<Value>(select: (state: Preferences) => Value): Value {
  return useStore(preferences, select)
}

/** @param name of the pane, e.g. `drawer`; the size in CSS pixels is kept across starts. */
export function usePaneSize(name: string, defaultSize: number): readonly [number, (size: number) => void] {
  const size = usePreference((state) => state.paneSizes[name] ?? defaultSize)
  return [
    size,
    (next) => preferences.setState((state) => ({ paneSizes: { ...state.paneSizes, [name]: Math.round(next) } })),
  ]
}
