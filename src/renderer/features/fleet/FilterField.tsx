import { Search, X } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import type { FilterResult } from '../../../core/fleet/filter.ts'
import { classNames } from '../../components/classNames.ts'
import { IconButton } from '../../components/IconButton.tsx'
import { KeyHint } from '../../components/KeyHint.tsx'
import { useShortcuts } from '../../stores/shortcuts.ts'

interface FilterFieldProps {
  readonly value: string
  readonly parsed: FilterResult
  readonly onChange: (filter: string) => void
  /** Enter or the down arrow: on to what was found. */
  readonly onLeave: () => void
}

/** The filter language of the map. What is wrong is said at the place where it is wrong. */
export function FilterField({ value, parsed, onChange, onLeave }: FilterFieldProps) {
  const input = useRef<HTMLInputElement>(null)
  const [text, setText] = useState(value)
  useEffect(() => setText(value), [value])
  useShortcuts([{ keys: '/', label: 'Filter the fleet', group: 'Fleet', run: () => input.current?.select() }])
  const change = (next: string): void => {
    setText(next)
    onChange(next)
  }
  return (
    <div className="relative w-[272px] min-w-36 shrink">
      <Search aria-hidden className="absolute top-2 left-2 size-4 text-faint" />
      <input
        ref={input}
        type="text"
        spellCheck={false}
        autoComplete="off"
        aria-label="Filter the fleet"
        aria-invalid={!parsed.ok || undefined}
        aria-describedby={parsed.ok ? undefined : 'filter-problem'}
        placeholder="Filter, e.g. kind:vps not tile:in-step"
        value={text}
        onChange={(event) => change(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') {
            if (text !== '') change('')
            else input.current?.blur()
          } else if (event.key === 'Enter' || event.key === 'ArrowDown') onLeave()
          else return
          event.preventDefault()
        }}
        className={classNames(
          'h-8 w-full rounded-md border bg-ground pr-8 pl-8 placeholder:text-faint',
          parsed.ok ? 'border-line-strong' : 'border-error',
        )}
      />
      <span className="absolute top-1 right-1 flex h-6 items-center">
        {text === '' ? (
          <KeyHint keys="/" />
        ) : (
          <IconButton
            label="Clear the filter"
            icon={<X className="size-3.5" />}
            className="size-6"
            onClick={() => change('')}
          />
        )}
      </span>
      {!parsed.ok && <FilterProblem text={text} position={parsed.position} message={parsed.message} />}
    </div>
  )
}

function FilterProblem({
  text,
  position,
  message,
}: {
  readonly text: string
  readonly position: number
  readonly message: string
}) {
  return (
    <div
      id="filter-problem"
      role="alert"
      className="absolute top-9 right-0 left-0 z-30 rounded-md border border-error bg-raised p-2 text-12 shadow-float"
    >
      <pre aria-hidden className="overflow-hidden text-muted">
        {text.slice(0, position)}
        <mark className="border-b-2 border-error bg-transparent text-error">
          {text.slice(position, position + 1) || '␣'}
        </mark>
        {text.slice(position + 1)}
      </pre>
      <p>
        At character {position + 1}: {message}.
      </p>
    </div>
  )
}
