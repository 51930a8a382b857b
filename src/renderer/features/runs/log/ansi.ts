/** A piece of a log line in one rendition. `colour` is one of the eight ANSI colours, or null for the text colour. */
export interface TextSpan {
  readonly text: string
  readonly colour: AnsiColour | null
  readonly bold: boolean
}

const ansiColours = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'] as const
export type AnsiColour = (typeof ansiColours)[number]

const controlSequence =
  /\u001b\[([0-9;:?]*)([ -/]*[@-~])|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|\u001b[@-Z\\-_]|\u001b/g
const controlCharacter = /[\u0000-\u0008\u000b-\u001f\u007f]/g

/** The text alone: what is searched, copied and measured. */
export const stripAnsi = (line: string): string => line.replace(controlSequence, '').replace(controlCharacter, '')

function nextColour(code: number, colour: AnsiColour | null): AnsiColour | null {
  if (code === 0 || code === 39) return null
  if (code >= 30 && code <= 37) return ansiColours[code - 30] ?? null
  if (code >= 90 && code <= 97) return ansiColours[code - 90] ?? null
  return colour
}

/** Colours and bold are kept, everything else a terminal would obey is dropped. */
export function parseAnsi(line: string): TextSpan[] {
  const spans: TextSpan[] = []
  let colour: AnsiColour | null = null
  let bold = false
  let at = 0
  const push = (text: string): void => {
    const clean = text.replace(controlCharacter, '')
    if (clean !== '') spans.push({ text: clean, colour, bold })
  }
  for (const match of line.matchAll(controlSequence)) {
    push(line.slice(at, match.index))
    at = match.index + match[0].length
    if (match[2] !== 'm') continue
    for (const code of (match[1] ?? '').split(/[;:]/).map(Number)) {
      colour = nextColour(code, colour)
      if (code === 0 || code === 22) bold = false
      if (code === 1) bold = true
    }
  }
  push(line.slice(at))
  return spans
}
