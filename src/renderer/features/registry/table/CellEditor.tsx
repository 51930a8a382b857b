import { type KeyboardEvent, useEffect, useRef } from 'react'
import type { GridColumn } from './gridColumn.ts'

export interface CellOutcome {
  /** Null: leave it as it was. */
  readonly text: string | null
  /** How many fields to go on; null when the focus went elsewhere by itself. */
  readonly step: number | null
}

interface CellEditorProps {
  readonly label: string
  readonly edit: Extract<GridColumn['edit'], { kind: 'text' | 'choice' }>
  readonly initial: string
  readonly selectAll: boolean
  readonly onFinish: (outcome: CellOutcome) => void
}

const style = 'absolute inset-0 w-full border-2 border-accent bg-ground px-2.5 text-text outline-none'

/** Takes over on Enter, Tab and when the focus goes elsewhere; Escape takes nothing over. */
export function CellEditor({ label, edit, initial, selectAll, onFinish }: CellEditorProps) {
  const field = useRef<HTMLInputElement & HTMLSelectElement>(null)
  const done = useRef(false)
  useEffect(() => {
    field.current?.focus({ preventScroll: true })
    if (selectAll) field.current?.select?.()
    else field.current?.setSelectionRange?.(field.current.value.length, field.current.value.length)
  }, [selectAll])
  const finish = (text: string | null, step: number | null): void => {
    if (done.current) return
    done.current = true
    onFinish({ text, step })
  }
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement | HTMLSelectElement>): void => {
    if (event.nativeEvent.isComposing) return
    const { value } = event.currentTarget
    if (event.key === 'Enter') finish(value.trim(), 0)
    else if (event.key === 'Escape') finish(null, 0)
    else if (event.key === 'Tab') finish(value.trim(), event.shiftKey ? -1 : 1)
    else return
    event.preventDefault()
    event.stopPropagation()
  }
  const shared = {
    ref: field,
    'aria-label': label,
    className: style,
    onKeyDown,
    onClick: (event: { stopPropagation(): void }) => event.stopPropagation(),
    defaultValue: initial,
  }
  if (edit.kind === 'choice') {
    return (
      <select {...shared} onBlur={(event) => finish(event.target.value, null)}>
        {edit.options.map(({ value, label: words }) => (
          <option key={value} value={value}>
            {words}
          </option>
        ))}
      </select>
    )
  }
  return (
    <input
      {...shared}
      spellCheck={false}
      autoCapitalize="off"
      autoComplete="off"
      onBlur={(event) => finish(event.target.value.trim(), null)}
    />
  )
}
