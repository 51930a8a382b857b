import { preferences } from '../stores/preferences.ts'

const lightQuery = '(prefers-color-scheme: light)'

/** Puts the chosen theme on the document and follows both the choice and the system. @returns stop */
export function followTheme(): () => void {
  const system = window.matchMedia(lightQuery)
  const apply = (): void => {
    const { theme } = preferences.getState()
    document.documentElement.dataset.theme = theme === 'system' ? (system.matches ? 'light' : 'dark') : theme
  }
  apply()
  system.addEventListener('change', apply)
  const unsubscribe = preferences.subscribe(apply)
  return () => {
    system.removeEventListener('change', apply)
    unsubscribe()
  }
}

/** The value of a token in the theme shown now, for the canvas; `name` without the dashes. */
export const tokenValue = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
