import { useEffect } from 'react'
import { overlays, toggleOverlay } from '../../stores/overlays.ts'
import { preferences } from '../../stores/preferences.ts'
import { formatHash, navigate } from '../../stores/route.ts'
import { activeShortcuts, type Shortcut, useShortcuts } from '../../stores/shortcuts.ts'
import { views } from '../../views.ts'
import { candidates, isSingleLetter, nameOf, type SequenceState } from './matchKeys.ts'

const isMac = navigator.platform.startsWith('Mac')

const inTerminal = (target: EventTarget | null): boolean =>
  target instanceof Element && target.closest('[data-terminal], .xterm') !== null

const inField = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))

/** A decision or the palette is open: keys belong to it. */
const underDialog = (target: EventTarget | null): boolean =>
  target instanceof Element && target.closest('[role="dialog"], [role="alertdialog"]') !== null

function listen(): () => void {
  let sequence: SequenceState = { prefix: null, atMs: 0 }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.defaultPrevented || event.isComposing || inTerminal(event.target)) return
    const name = nameOf(event, isMac)
    if (name === null) return
    const wanted = candidates(sequence, name, event.timeStamp)
    sequence = { prefix: null, atMs: 0 }
    const lettersAllowed =
      preferences.getState().singleLetterShortcuts && !inField(event.target) && !underDialog(event.target)
    const usable = activeShortcuts().filter((each) => lettersAllowed || !isSingleLetter(each.keys))
    const hit = wanted.flatMap((keys) => usable.filter((each) => each.keys === keys))[0]
    if (hit !== undefined) {
      event.preventDefault()
      hit.run()
    } else if (usable.some((each) => each.keys.startsWith(`${name} `)))
      sequence = { prefix: name, atMs: event.timeStamp }
  }
  window.addEventListener('keydown', onKeyDown)
  return () => window.removeEventListener('keydown', onKeyDown)
}

const frameShortcuts: readonly Shortcut[] = [
  ...views.map(({ id, label, key }) => ({
    keys: `g ${key}`,
    label: `Go to ${label.toLowerCase()}`,
    group: 'Views',
    run: () => navigate(formatHash({ view: id })),
  })),
  { keys: 'Mod+k', label: 'Find anything', group: 'Everywhere', run: () => overlays.setState({ palette: true }) },
  { keys: '?', label: 'Show the shortcuts', group: 'Everywhere', run: () => overlays.setState({ shortcuts: true }) },
  { keys: 'Ctrl+backtick', label: 'Show or hide the terminals', group: 'Everywhere', run: () => toggleOverlay('dock') },
]

/** Keys of the frame, and the one listener for all shortcuts. None of them works inside a terminal. */
export function useGlobalShortcuts(): void {
  useShortcuts(frameShortcuts)
  useEffect(listen, [])
}

/** As printed on the keys of this machine. */
export const displayKeys = (keys: string): string =>
  keys
    .replace(/\+([a-z])$/, (_, letter: string) => `+${letter.toUpperCase()}`)
    .replace('Mod+', isMac ? '⌘ ' : 'Ctrl ')
    .replace('Ctrl+', 'Ctrl ')
    .replace('backtick', '`')
