import { tokenValue } from '../../../styles/theme.ts'
import type { MapTheme } from './frame.ts'
import { styles } from './styles.ts'

/** Reads the tokens that are in force now. */
export const readMapTheme = (): MapTheme => ({
  ground: tokenValue('ground'),
  surface: tokenValue('surface'),
  line: tokenValue('line'),
  lineStrong: tokenValue('line-strong'),
  text: tokenValue('text'),
  muted: tokenValue('muted'),
  faint: tokenValue('faint'),
  accent: tokenValue('accent'),
  busy: tokenValue('busy'),
  pending: tokenValue('pending'),
  error: tokenValue('error'),
  onAccent: tokenValue('on-accent'),
  styleColours: styles.map((style) => tokenValue(style.token)),
})

/** @returns stop */
export function onThemeChange(listener: () => void): () => void {
  const observer = new MutationObserver(listener)
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] })
  return () => observer.disconnect()
}
