// biome-ignore-all lint/a11y/useSemanticElements: a virtualised grid places its rows itself, which a table element does not allow
// biome-ignore-all lint/a11y/useFocusableInteractive: the focus stays on the grid, which names the row as its active descendant
import { useVirtualizer } from '@tanstack/react-virtual'
import { ArrowDown, ArrowUp } from 'lucide-react'
import { type KeyboardEvent, type ReactNode, useEffect, useId, useMemo, useRef, useState } from 'react'
import { classNames } from './classNames.ts'

export interface Column<Row> {
  readonly id: string
  readonly header: string
  /** CSS grid track, e.g. `minmax(160px, 2fr)`. */
  readonly width: string
  readonly cell: (row: Row) => ReactNode
  /** Without it the column cannot be sorted by. Null sorts last. */
  readonly sortValue?: (row: Row) => string | number | null
  readonly align?: 'left' | 'right'
}

export interface TableSort {
  readonly columnId: string
  readonly direction: 'ascending' | 'descending'
}

interface DataTableProps<Row> {
  readonly label: string
  readonly rows: readonly Row[]
  readonly rowKey: (row: Row) => string
  readonly columns: readonly Column<Row>[]
  readonly defaultSort?: TableSort
  /** Enter or a click on a row. */
  readonly onOpen?: (row: Row) => void
  readonly isSelected?: (row: Row) => boolean
  /** Space, or a click with Shift, Ctrl or Cmd. */
  readonly onToggleSelected?: (row: Row) => void
  readonly onFocusRow?: (row: Row) => void
  readonly empty?: ReactNode
  /** The last rows came into sight: time to load more. May be called more than once. */
  readonly onEndInSight?: () => void
}

const rowHeight = 32

/** Made once: `localeCompare` makes one for every pair, which is felt with a thousand rows that sort anew with every event. */
const naturalOrder = new Intl.Collator('en', { numeric: true })

function compare(first: string | number | null, second: string | number | null): number {
  if (first === null || second === null) return first === second ? 0 : first === null ? 1 : -1
  if (typeof first === 'number' && typeof second === 'number') return first - second
  return naturalOrder.compare(String(first), String(second))
}

/** Nulls stay at the end in both directions. */
function sortRows<Row>(
  rows: readonly Row[],
  column: Column<Row> | undefined,
  direction: TableSort['direction'],
): readonly Row[] {
  const sortValue = column?.sortValue
  if (sortValue === undefined) return rows
  const sign = direction === 'ascending' ? 1 : -1
  return rows
    .map((row) => ({ row, value: sortValue(row) }))
    .sort((a, b) =>
      a.value === null || b.value === null ? compare(a.value, b.value) : sign * compare(a.value, b.value),
    )
    .map(({ row }) => row)
}

/** A virtualised grid: arrows walk the rows, Enter opens, Space selects. */
export function DataTable<Row>(props: DataTableProps<Row>) {
  const { rows, columns, rowKey } = props
  const [sort, setSort] = useState<TableSort | null>(props.defaultSort ?? null)
  const [focusIndex, setFocusIndex] = useState(0)
  const scroller = useRef<HTMLDivElement>(null)
  const gridId = useId()
  const column = columns.find((each) => each.id === sort?.columnId)
  const sorted = useMemo(() => sortRows(rows, column, sort?.direction ?? 'ascending'), [rows, column, sort?.direction])
  const virtualizer = useVirtualizer({
    count: sorted.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 10,
    scrollPaddingStart: rowHeight,
  })
  const focused = Math.min(focusIndex, sorted.length - 1)
  const lastInSight = virtualizer.getVirtualItems().at(-1)?.index ?? -1
  const isEndInSight = lastInSight >= sorted.length - 1
  const { onEndInSight } = props
  useEffect(() => {
    if (isEndInSight && sorted.length > 0) onEndInSight?.()
  }, [isEndInSight, sorted.length, onEndInSight])
  const template = columns.map((each) => each.width).join(' ')

  const moveTo = (index: number): void => {
    const next = Math.max(0, Math.min(sorted.length - 1, index))
    setFocusIndex(next)
    virtualizer.scrollToIndex(next)
    const row = sorted[next]
    if (row !== undefined) props.onFocusRow?.(row)
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight) - 2)
    const target = {
      ArrowDown: focused + 1,
      ArrowUp: focused - 1,
      PageDown: focused + page,
      PageUp: focused - page,
      Home: 0,
      End: sorted.length - 1,
    }[event.key]
    const row = sorted[focused]
    if (target !== undefined) moveTo(target)
    else if (event.target !== scroller.current) return
    else if (event.key === 'Enter' && row !== undefined) props.onOpen?.(row)
    else if (event.key === ' ' && row !== undefined && props.onToggleSelected !== undefined) props.onToggleSelected(row)
    else return
    event.preventDefault()
  }
  const onRowClick = (
    row: Row,
    index: number,
    event: { readonly shiftKey: boolean; readonly ctrlKey: boolean; readonly metaKey: boolean },
  ): void => {
    setFocusIndex(index)
    if ((event.shiftKey || event.ctrlKey || event.metaKey) && props.onToggleSelected !== undefined)
      props.onToggleSelected(row)
    else props.onOpen?.(row)
  }

  return (
    <div
      ref={scroller}
      role="grid"
      tabIndex={0}
      aria-label={props.label}
      aria-rowcount={sorted.length + 1}
      aria-activedescendant={sorted.length > 0 ? `${gridId}-row-${focused}` : undefined}
      aria-multiselectable={props.onToggleSelected !== undefined || undefined}
      onKeyDown={onKeyDown}
      className="group h-full overflow-auto outline-none"
    >
      <div
        role="row"
        aria-rowindex={1}
        className="sticky top-0 z-10 grid border-b bg-surface text-12 text-faint"
        style={{ gridTemplateColumns: template, height: rowHeight }}
      >
        {columns.map((each) => (
          <HeaderCell key={each.id} column={each} sort={sort} onSort={setSort} />
        ))}
      </div>
      {sorted.length === 0 && props.empty}
      <div role="presentation" className="relative" style={{ height: virtualizer.getTotalSize() }}>
        {virtualizer.getVirtualItems().map((item) => {
          const row = sorted[item.index] as Row
          const selected = props.isSelected?.(row)
          return (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the grid around it handles the keys
            <div
              key={rowKey(row)}
              id={`${gridId}-row-${item.index}`}
              role="row"
              aria-rowindex={item.index + 2}
              aria-selected={selected}
              onClick={(event) => onRowClick(row, item.index, event)}
              className={classNames(
                'absolute inset-x-0 grid items-center border-b border-line',
                props.onOpen !== undefined && 'cursor-pointer hover:bg-hover',
                selected === true && 'bg-selection',
                item.index === focused &&
                  'group-focus-visible:outline-2 group-focus-visible:-outline-offset-2 group-focus-visible:outline-accent',
              )}
              style={{ gridTemplateColumns: template, top: item.start, height: item.size }}
            >
              {columns.map((each) => (
                <div
                  key={each.id}
                  role="gridcell"
                  className={classNames('min-w-0 truncate px-3', each.align === 'right' && 'text-right')}
                >
                  {each.cell(row)}
                </div>
              ))}
            </div>
          )
        })}
      </div>
    </div>
  )
}

interface HeaderCellProps<Row> {
  readonly column: Column<Row>
  readonly sort: TableSort | null
  readonly onSort: (sort: TableSort) => void
}

function HeaderCell<Row>({ column, sort, onSort }: HeaderCellProps<Row>) {
  const active = sort?.columnId === column.id ? sort.direction : undefined
  const className = classNames('flex h-full w-full items-center gap-1 px-3', column.align === 'right' && 'justify-end')
  if (column.sortValue === undefined) {
    return (
      <div role="columnheader" className={className}>
        {column.header}
      </div>
    )
  }
  const Arrow = active === 'descending' ? ArrowDown : ArrowUp
  return (
    <div role="columnheader" aria-sort={active ?? 'none'}>
      <button
        type="button"
        className={classNames(className, 'hover:text-text')}
        onClick={() => onSort({ columnId: column.id, direction: active === 'ascending' ? 'descending' : 'ascending' })}
      >
        {column.header}
        {active !== undefined && <Arrow aria-hidden className="size-3" />}
      </button>
    </div>
  )
}
