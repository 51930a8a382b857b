// biome-ignore-all lint/a11y/useSemanticElements: a virtualised grid places its rows itself, which a table element does not allow
// biome-ignore-all lint/a11y/useFocusableInteractive: the focus stays on the grid, which names the cell as its active descendant
// biome-ignore-all lint/a11y/useKeyWithClickEvents: the grid around the cells handles the keys
import { useVirtualizer } from '@tanstack/react-virtual'
import { ArrowDown, ArrowUp } from 'lucide-react'
import { type KeyboardEvent, type ReactNode, useEffect, useId, useMemo, useRef, useState } from 'react'
import { classNames } from '../../../components/classNames.ts'
import type { CellOutcome } from './CellEditor.tsx'
import { type GridActions, GridRow } from './GridRow.tsx'
import type { GridColumn } from './gridColumn.ts'
import { gridMove } from './gridKeys.ts'
import type { TableRow } from './rows.ts'

interface GridSort {
  readonly columnId: string
  readonly direction: 'ascending' | 'descending'
}

/** Goes to a cell and shows it; another object goes there again. */
export interface GridTarget {
  readonly rowId: string
  readonly columnId: string
  /** Begins to edit it at once. */
  readonly edit: boolean
}

interface EntryGridProps {
  readonly label: string
  readonly rows: readonly TableRow[]
  readonly columns: readonly GridColumn[]
  readonly target: GridTarget | null
  readonly locked: boolean
  readonly empty: ReactNode
  readonly onEdit: (row: TableRow, columnId: string, text: string) => void
  readonly onRemove: (row: TableRow) => void
  readonly onAdd: () => void
  readonly onUndo: () => void
  readonly onRedo: () => void
}

const rowHeight = 32

const compare = (left: string | number, right: string | number): number =>
  typeof left === 'number' && typeof right === 'number'
    ? left - right
    : String(left).localeCompare(String(right), 'en', { numeric: true })

function sortRows(rows: readonly TableRow[], columns: readonly GridColumn[], sort: GridSort): readonly TableRow[] {
  const sortValue = columns.find(({ id }) => id === sort.columnId)?.sortValue
  if (sortValue === undefined) return rows
  const sign = sort.direction === 'ascending' ? 1 : -1
  return rows
    .map((row) => ({ row, value: sortValue(row) }))
    .sort((left, right) => sign * compare(left.value, right.value))
    .map(({ row }) => row)
}

interface Active {
  readonly rowId: string
  readonly columnId: string
}

/**
 * A table to be edited with the keyboard: arrows walk the cells, Enter or typing edits, Enter or Tab takes it over,
 * Escape leaves it as it was, Delete takes the entry out, Insert begins a new one.
 */
export function EntryGrid(props: EntryGridProps) {
  const { rows, columns, target, locked } = props
  const [sort, setSort] = useState<GridSort>({ columnId: 'name', direction: 'ascending' })
  const [active, setActive] = useState<Active | null>(null)
  const [editing, setEditing] = useState<{ readonly typed: string | null } | null>(null)
  const scroller = useRef<HTMLDivElement>(null)
  const gridId = useId()
  const sorted = useMemo(() => sortRows(rows, columns, sort), [rows, columns, sort])
  const virtualizer = useVirtualizer({
    count: sorted.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    getItemKey: (index) => sorted[index]?.id ?? index,
    overscan: 10,
    scrollPaddingStart: rowHeight,
  })
  const activeRow = Math.max(
    0,
    sorted.findIndex(({ id }) => id === active?.rowId),
  )
  const activeColumn = Math.max(
    0,
    columns.findIndex(({ id }) => id === active?.columnId),
  )
  const template = columns.map(({ width }) => width).join(' ')

  const moveTo = (row: number, column: number): void => {
    const next = sorted[Math.max(0, Math.min(sorted.length - 1, row))]
    const nextColumn = columns[Math.max(0, Math.min(columns.length - 1, column))]
    if (next === undefined || nextColumn === undefined) return
    setActive({ rowId: next.id, columnId: nextColumn.id })
    virtualizer.scrollToIndex(sorted.indexOf(next))
  }
  const sortedNow = useRef(sorted)
  sortedNow.current = sorted
  // biome-ignore lint/correctness/useExhaustiveDependencies: another target object is another wish; rows that change later are not
  useEffect(() => {
    if (target === null) return
    setActive({ rowId: target.rowId, columnId: target.columnId })
    setEditing(target.edit ? { typed: null } : null)
    const index = sortedNow.current.findIndex(({ id }) => id === target.rowId)
    if (index >= 0) virtualizer.scrollToIndex(index, { align: 'center' })
    if (!target.edit) scroller.current?.focus({ preventScroll: true })
  }, [target])

  const edit = (row: TableRow, column: GridColumn, typed: string | null): void => {
    if (locked || row.state === 'removed' || column.edit === null) return
    setActive({ rowId: row.id, columnId: column.id })
    if (column.edit.kind !== 'toggle') setEditing({ typed })
    else if (typed === null) props.onEdit(row, column.id, row.entry.values[column.id] === 'true' ? 'false' : 'true')
  }
  const finish = (row: TableRow, column: GridColumn, outcome: CellOutcome): void => {
    setEditing(null)
    if (outcome.text !== null && outcome.text !== (row.entry.values[column.id] ?? ''))
      props.onEdit(row, column.id, outcome.text)
    if (outcome.step === null) return
    const editable = columns.filter((each) => each.edit !== null)
    const next = outcome.step === 0 ? undefined : editable[editable.indexOf(column) + outcome.step]
    if (next !== undefined) setActive({ rowId: row.id, columnId: next.id })
    // Tab goes on writing in the next field, so that an entry is filled in without a pause.
    if (next !== undefined && next.edit?.kind !== 'toggle') setEditing({ typed: null })
    else scroller.current?.focus({ preventScroll: true })
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.target !== scroller.current) return
    const row = sorted[activeRow]
    const column = columns[activeColumn]
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight) - 2)
    const move = gridMove(event, {
      row: activeRow,
      column: activeColumn,
      rows: sorted.length,
      columns: columns.length,
      page,
    })
    if (move !== null) moveTo(move.row, move.column)
    else if (event.key === 'Insert') props.onAdd()
    else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'z')
      event.shiftKey ? props.onRedo() : props.onUndo()
    else if (row === undefined || column === undefined) return
    else if (event.key === 'Delete') props.onRemove(row)
    else if (event.key === 'Enter' || event.key === 'F2' || (event.key === ' ' && column.edit?.kind === 'toggle'))
      edit(row, column, null)
    else if (isTyped(event) && column.edit?.kind === 'text' && !locked) edit(row, column, event.key)
    else return
    event.preventDefault()
  }

  const latest = useRef({ edit, finish })
  latest.current = { edit, finish }
  // The same object for good, so that a step of the arrow keys draws two rows anew and not all in sight.
  const [actions] = useState<GridActions>(() => ({
    activate: (row, column) => {
      setActive({ rowId: row.id, columnId: column.id })
      if (column.edit?.kind === 'toggle') latest.current.edit(row, column, null)
      scroller.current?.focus({ preventScroll: true })
    },
    edit: (row, column) => latest.current.edit(row, column, null),
    finish: (row, column, outcome) => latest.current.finish(row, column, outcome),
  }))

  return (
    <div
      ref={scroller}
      role="grid"
      tabIndex={0}
      aria-label={props.label}
      aria-rowcount={sorted.length + 1}
      aria-colcount={columns.length}
      aria-readonly={locked}
      aria-activedescendant={sorted.length > 0 ? `${gridId}-${activeRow}-${activeColumn}` : undefined}
      onKeyDown={onKeyDown}
      className="group h-full overflow-auto outline-none"
    >
      <div
        role="row"
        aria-rowindex={1}
        className="sticky top-0 z-10 grid border-b bg-surface text-12 text-faint"
        style={{ gridTemplateColumns: template, height: rowHeight }}
      >
        {columns.map((column) => (
          <Header key={column.id} column={column} sort={sort} onSort={setSort} />
        ))}
      </div>
      {sorted.length === 0 && props.empty}
      <div role="presentation" className="relative" style={{ height: virtualizer.getTotalSize() }}>
        {virtualizer.getVirtualItems().map((item) => {
          const row = sorted[item.index] as TableRow
          const isActive = item.index === activeRow
          return (
            <GridRow
              key={item.key}
              id={`${gridId}-${item.index}`}
              index={item.index}
              top={item.start}
              height={item.size}
              row={row}
              columns={columns}
              template={template}
              activeColumn={isActive ? activeColumn : -1}
              editing={isActive ? editing : null}
              locked={locked}
              actions={actions}
            />
          )
        })}
      </div>
    </div>
  )
}

/** A letter that begins a text; `/` and `?` keep what they do everywhere. */
const isTyped = (event: KeyboardEvent): boolean =>
  event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey && !/^[ /?]$/.test(event.key)

interface HeaderProps {
  readonly column: GridColumn
  readonly sort: GridSort
  readonly onSort: (sort: GridSort) => void
}

function Header({ column, sort, onSort }: HeaderProps) {
  const direction = sort.columnId === column.id ? sort.direction : undefined
  const className = classNames('flex h-full w-full items-center gap-1 px-3', column.align === 'right' && 'justify-end')
  if (column.sortValue === undefined) {
    return (
      <div role="columnheader" className={className}>
        {column.header}
      </div>
    )
  }
  const Arrow = direction === 'descending' ? ArrowDown : ArrowUp
  const next = direction === 'ascending' ? 'descending' : 'ascending'
  return (
    <div role="columnheader" aria-sort={direction ?? 'none'}>
      <button
        type="button"
        className={classNames(className, 'hover:text-text')}
        onClick={() => onSort({ columnId: column.id, direction: next })}
      >
        {column.header}
        {direction !== undefined && <Arrow aria-hidden className="size-3" />}
      </button>
    </div>
  )
}
