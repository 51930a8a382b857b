/** What of a keyboard event decides which shortcut it means. */
export interface KeyPress {
  readonly key: string
  readonly ctrlKey: boolean
  readonly metaKey: boolean
  readonly altKey: boolean
}

/** @returns the name of a press as shortcuts are written, e.g. `r`, `Mod+k`, `Ctrl+backtick`; null for a bare modifier. */
export function nameOf(press: KeyPress, isMac: boolean): string | null {
  if (['Control', 'Shift', 'Alt', 'Meta', 'AltGraph'].includes(press.key) || press.altKey) return null
  const key = press.key === '`' ? 'backtick' : press.key.length === 1 ? press.key.toLowerCase() : press.key
  if (isMac ? press.metaKey : press.ctrlKey) return key === 'backtick' && !isMac ? `Ctrl+${key}` : `Mod+${key}`
  if (press.ctrlKey) return `Ctrl+${key}`
  return press.metaKey ? null : key
}

/** Follows two-key sequences: the first key is remembered until the second one comes or `sequenceMs` have passed. */
export const sequenceMs = 1200

export interface SequenceState {
  readonly prefix: string | null
  readonly atMs: number
}

/** @returns the keys to look up, longest first. */
export function candidates(state: SequenceState, name: string, nowMs: number): readonly string[] {
  const live = state.prefix !== null && nowMs - state.atMs <= sequenceMs
  return live ? [`${state.prefix} ${name}`, name] : [name]
}

/** Single letters and sequences of them may be switched off (WCAG 2.1.4). */
export const isSingleLetter = (keys: string): boolean => !keys.includes('+')
