import { printableLine } from './printable.ts'
import type { Paint } from './style.ts'

export interface Cell {
  readonly text: string
  readonly paint?: Paint
}

/** Made when a table is: its data is a megabyte that a daemon never needs. */
let graphemes: Intl.Segmenter | undefined
function widthOf(text: string): number {
  graphemes ??= new Intl.Segmenter('en', { granularity: 'grapheme' })
  return [...graphemes.segment(text)].length
}

interface ReadyCell {
  readonly text: string
  readonly width: number
  readonly paint: Paint | undefined
}

function ready(cell: Cell | string): ReadyCell {
  const text = printableLine(typeof cell === 'string' ? cell : cell.text)
  return { text, width: widthOf(text), paint: typeof cell === 'string' ? undefined : cell.paint }
}

/** Columns padded to their widest cell, the last one not padded. Cells are made safe for a terminal here. */
export function renderTable(header: readonly string[], rows: readonly (readonly (Cell | string)[])[]): string {
  const cells = [header, ...rows].map((row) => row.map(ready))
  const widths = header.map((_, column) => cells.reduce((widest, row) => Math.max(widest, row[column]?.width ?? 0), 0))
  return cells
    .map(
      (row) =>
        `${row
          .map((cell, column) => padded(cell, column, widths))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

function padded({ text, width, paint }: ReadyCell, column: number, widths: readonly number[]): string {
  const shown = paint === undefined ? text : paint(text)
  const isLast = column === widths.length - 1
  return isLast ? shown : shown + ' '.repeat((widths[column] ?? 0) - width)
}

/** `name  value` lines; empty values are left out. */
export function renderFacts(facts: readonly (readonly [string, Cell | string | null])[]): string {
  const shown = facts.flatMap(([name, value]) => (value === null || value === '' ? [] : [{ name, cell: ready(value) }]))
  const widest = shown.reduce((width, { name }) => Math.max(width, name.length), 0)
  return shown.map(({ name, cell }) => `${name.padEnd(widest)}  ${cell.paint?.(cell.text) ?? cell.text}\n`).join('')
}
