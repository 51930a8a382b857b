import type { ComponentProps } from 'react'
import { classNames } from './classNames.ts'
import { Labelled } from './Labelled.tsx'

interface FieldProps extends Omit<ComponentProps<'input'>, 'id'> {
  readonly label: string
  /** What is wrong with the value and what to do; null while nothing is. */
  readonly problem?: string | null
  readonly hint?: string
}

/** A labelled text field whose problem is read out with it. */
export function Field({ label, problem, hint, className, ...rest }: FieldProps) {
  return (
    <Labelled label={label} problem={problem} hint={hint} className={className}>
      {(control, border) => (
        <input
          {...control}
          {...rest}
          className={classNames('h-8 rounded-md border bg-ground px-2 placeholder:text-faint', border)}
        />
      )}
    </Labelled>
  )
}
