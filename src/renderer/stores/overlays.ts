import { createStore, useStore } from 'zustand'

/** What lies over the frame. Part of no route: a shared link never opens a palette. */
interface Overlays {
  readonly palette: boolean
  readonly shortcuts: boolean
  /** The terminal dock is pulled up. */
  readonly dock: boolean
  /** The desktop app only: which control plane the window shows. */
  readonly connect: boolean
}

export const overlays = createStore<Overlays>(() => ({ palette: false, shortcuts: false, dock: false, connect: false }))

export function useOverlay(name: keyof Overlays): readonly [boolean, (open: boolean) => void] {
  const open = useStore(overlays, (state) => state[name])
  return [open, (next) => overlays.setState({ [name]: next })]
}

export const toggleOverlay = (name: keyof Overlays): void => overlays.setState((state) => ({ [name]: !state[name] }))
