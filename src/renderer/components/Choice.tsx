import { classNames } from './classNames.ts'
import { Labelled } from './Labelled.tsx'

interface ChoiceProps<Value extends string> {
  readonly label: string
  readonly value: Value
  readonly options: readonly (readonly [Value, string])[]
  readonly problem?: string | null
  readonly hint?: string
  readonly onChange: (value: Value) => void
}

/** One of a few values, under a label. */
export function Choice<Value extends string>({ label, value, options, problem, hint, onChange }: ChoiceProps<Value>) {
  return (
    <Labelled label={label} problem={problem} hint={hint}>
      {(control, border) => (
        <select
          {...control}
          value={value}
          onChange={(event) => onChange(event.target.value as Value)}
          className={classNames('h-8 rounded-md border bg-ground px-2', border)}
        >
          {options.map(([each, words]) => (
            <option key={each} value={each}>
              {words}
            </option>
          ))}
        </select>
      )}
    </Labelled>
  )
}
