// biome-ignore-all lint/a11y/useSemanticElements: a virtualised grid places its rows itself, which a table element does not allow
// biome-ignore-all lint/a11y/useFocusableInteractive: the focus stays on the grid, which names the cell as its active descendant
// biome-ignore-all lint/a11y/useKeyWithClickEvents: the grid around the cells handles the keys
import { memo } from 'react'
import { classNames } from '../../../components/classNames.ts'
import { CellEditor, type CellOutcome } from './CellEditor.tsx'
import type { GridColumn } from './gridColumn.ts'
import type { TableRow } from './rows.ts'

/** What cells tell the grid; the same object for good. */
export interface GridActions {
  readonly activate: (row: TableRow, column: GridColumn) => void
  readonly edit: (row: TableRow, column: GridColumn) => void
  readonly finish: (row: TableRow, column: GridColumn, outcome: CellOutcome) => void
}

interface GridRowProps {
  readonly id: string
  readonly index: number
  readonly top: number
  readonly height: number
  readonly row: TableRow
  readonly columns: readonly GridColumn[]
  readonly template: string
  /** Index of the cell that the keyboard is at; -1 in all other rows. */
  readonly activeColumn: number
  readonly editing: { readonly typed: string | null } | null
  readonly locked: boolean
  readonly actions: GridActions
}

const stateClass: Readonly<Record<TableRow['state'], string>> = {
  same: '',
  new: 'bg-in-step/10',
  changed: 'bg-pending/10',
  removed: 'bg-error/10 text-muted line-through',
}

/** One line. Drawn anew only when something of it has changed. */
export const GridRow = memo(function GridRow({ row, columns, ...props }: GridRowProps) {
  const { id, index, activeColumn, editing, locked, actions } = props
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      className={classNames('group/row absolute inset-x-0 grid items-stretch border-b', stateClass[row.state])}
      style={{ gridTemplateColumns: props.template, top: props.top, height: props.height }}
    >
      {columns.map((column, at) => {
        const isActive = at === activeColumn
        const problem = row.problems.get(column.id)
        return (
          <div
            key={column.id}
            id={`${id}-${at}`}
            role="gridcell"
            aria-colindex={at + 1}
            aria-invalid={problem === undefined ? undefined : true}
            aria-readonly={column.edit === null || undefined}
            title={problem}
            onClick={() => actions.activate(row, column)}
            onDoubleClick={() => column.edit?.kind !== 'toggle' && actions.edit(row, column)}
            className={classNames(
              'relative flex min-w-0 items-center px-3',
              column.align === 'right' && 'justify-end',
              column.edit !== null && !locked && 'cursor-text',
              problem !== undefined && 'shadow-[inset_0_-2px_0_var(--error)]',
              isActive &&
                'group-focus-visible:outline-2 group-focus-visible:-outline-offset-2 group-focus-visible:outline-accent',
            )}
          >
            {isActive && editing !== null && column.edit !== null && column.edit.kind !== 'toggle' ? (
              <CellEditor
                label={`${column.header} of ${row.entry.name === '' ? 'the new entry' : row.entry.name}`}
                edit={column.edit}
                initial={editing.typed ?? row.entry.values[column.id] ?? ''}
                selectAll={editing.typed === null}
                onFinish={(outcome) => actions.finish(row, column, outcome)}
              />
            ) : (
              <span className="min-w-0 truncate">{column.cell(row)}</span>
            )}
          </div>
        )
      })}
    </div>
  )
})
