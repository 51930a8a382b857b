interface GridPosition {
  readonly row: number
  readonly column: number
}

interface GridShape extends GridPosition {
  readonly rows: number
  readonly columns: number
  /** Rows that Page Down goes on. */
  readonly page: number
}

type Key = Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey'>

/** Where a key leads from a cell, as in every spreadsheet; null when it leads nowhere. */
export function gridMove(event: Key, { row, column, rows, columns, page }: GridShape): GridPosition | null {
  const isFar = event.ctrlKey || event.metaKey
  switch (event.key) {
    case 'ArrowDown':
      return { row: row + 1, column }
    case 'ArrowUp':
      return { row: row - 1, column }
    case 'ArrowRight':
      return { row, column: column + 1 }
    case 'ArrowLeft':
      return { row, column: column - 1 }
    case 'PageDown':
      return { row: row + page, column }
    case 'PageUp':
      return { row: row - page, column }
    case 'Home':
      return { row: isFar ? 0 : row, column: 0 }
    case 'End':
      return { row: isFar ? rows - 1 : row, column: columns - 1 }
    default:
      return null
  }
}
