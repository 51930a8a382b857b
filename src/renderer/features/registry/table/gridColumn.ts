import type { ReactNode } from 'react'
import type { TableRow } from './rows.ts'

export interface GridColumn {
  /** For what can be edited: the name of the field. */
  readonly id: string
  readonly header: string
  /** CSS grid track. */
  readonly width: string
  /** How it is edited; null: shown only. */
  readonly edit:
    | { readonly kind: 'text'; readonly label: string }
    | { readonly kind: 'toggle' }
    | { readonly kind: 'choice'; readonly options: readonly { readonly value: string; readonly label: string }[] }
    | null
  readonly cell: (row: TableRow) => ReactNode
  readonly sortValue?: (row: TableRow) => string | number
  readonly align?: 'right'
}
