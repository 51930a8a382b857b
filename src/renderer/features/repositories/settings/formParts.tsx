import { type ReactNode, useId } from 'react'

interface ChoiceProps<Value extends string> {
  readonly label: string
  readonly value: Value
  readonly options: readonly (readonly [Value, string])[]
  readonly problem?: string | null
  readonly hint?: string
  readonly onChange: (value: Value) => void
}

export function Choice<Value extends string>({
  label,
  value,
  options,
  problem = null,
  hint,
  onChange,
}: ChoiceProps<Value>) {
  const id = useId()
  const note = problem ?? hint
  return (
    <div className="flex flex-col gap-1">
      <label htmlFor={id} className="text-12 text-muted">
        {label}
      </label>
      <select
        id={id}
        value={value}
        aria-invalid={problem !== null || undefined}
        aria-describedby={note === undefined ? undefined : `${id}-note`}
        onChange={(event) => onChange(event.target.value as Value)}
        className={`h-8 rounded-md border bg-ground px-2 ${problem === null ? 'border-line-strong' : 'border-error'}`}
      >
        {options.map(([each, words]) => (
          <option key={each} value={each}>
            {words}
          </option>
        ))}
      </select>
      {note !== undefined && (
        <p id={`${id}-note`} className={`text-12 ${problem === null ? 'text-faint' : 'text-error'}`}>
          {note}
        </p>
      )}
    </div>
  )
}

interface CheckProps {
  readonly checked: boolean
  readonly hint?: string
  readonly onChange: (checked: boolean) => void
  readonly children: ReactNode
}

export function Check({ checked, hint, onChange, children }: CheckProps) {
  return (
    <label className="flex items-start gap-2">
      <input
        type="checkbox"
        className="mt-1 accent-accent"
        checked={checked}
        onChange={(event) => onChange(event.target.checked)}
      />
      <span>
        {children}
        {hint !== undefined && <span className="block text-12 text-faint">{hint}</span>}
      </span>
    </label>
  )
}

export function Group({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <fieldset className="flex min-w-0 flex-col gap-3 border-t pt-3">
      <legend className="pr-2 text-12 font-semibold text-faint">{title}</legend>
      {children}
    </fieldset>
  )
}
