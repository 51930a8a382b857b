import type { ITheme } from '@xterm/xterm'

/** Reads a colour token of the theme that is shown now. */
type ReadToken = (name: string) => string

const fromDocument: ReadToken = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()

type Channels = readonly [number, number, number]

function parseHex(colour: string): Channels {
  const digits = /^#([0-9a-f]{6})$/i.exec(colour)?.[1] ?? '808080'
  return [0, 2, 4].map((at) => Number.parseInt(digits.slice(at, at + 2), 16)) as unknown as Channels
}

/** @param share of `other`, 0 to 1 */
export function mixColours(colour: string, other: string, share: number): string {
  const [left, right] = [parseHex(colour), parseHex(other)]
  const mixed = left.map((value, at) => Math.round(value * (1 - share) + (right[at] as number) * share))
  return `#${mixed.map((value) => value.toString(16).padStart(2, '0')).join('')}`
}

/** The sixteen colours of a terminal, from the same tokens as the rest of the console. */
export function terminalTheme(read: ReadToken = fromDocument): ITheme {
  const text = read('text')
  const ground = read('ground')
  const bright = (token: string): string => mixColours(read(token), text, 0.35)
  const cyan = mixColours(read('accent'), read('in-step'), 0.5)
  return {
    background: ground,
    foreground: text,
    cursor: read('accent'),
    cursorAccent: ground,
    selectionBackground: read('selection'),
    black: mixColours(ground, text, 0.25),
    red: read('error'),
    green: read('in-step'),
    yellow: read('pending'),
    blue: read('accent'),
    magenta: read('halted'),
    cyan,
    white: read('muted'),
    brightBlack: read('faint'),
    brightRed: bright('error'),
    brightGreen: bright('in-step'),
    brightYellow: bright('pending'),
    brightBlue: bright('accent'),
    brightMagenta: bright('halted'),
    brightCyan: mixColours(cyan, text, 0.35),
    brightWhite: text,
  }
}

/** Calls back when another theme is shown. @returns stop */
export function onThemeChange(listener: () => void): () => void {
  const observer = new MutationObserver(listener)
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] })
  return () => observer.disconnect()
}
