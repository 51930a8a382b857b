import { type ComponentProps, useId } from 'react'
import { classNames } from './classNames.ts'

interface FieldProps extends Omit<ComponentProps<'input'>, 'id'> {
  readonly label: string
  /** What is wrong with the value and what to do; null while nothing is. */
  readonly problem?: string | null
  readonly hint?: string
}

/** A labelled text field whose problem is read out with it. */
export function Field({ label, problem = null, hint, className, ...rest }: FieldProps) {
  const id = useId()
  const noteId = `${id}-note`
  const note = problem ?? hint
  return (
    <div className={classNames('flex flex-col gap-1', className)}>
      <label htmlFor={id} className="text-12 text-muted">
        {label}
      </label>
      <input
        id={id}
        aria-invalid={problem !== null || undefined}
        aria-describedby={note === undefined ? undefined : noteId}
        {...rest}
        className={classNames(
          'h-8 rounded-md border bg-ground px-2 placeholder:text-faint',
          problem === null ? 'border-line-strong' : 'border-error',
        )}
      />
      {note !== undefined && (
        <p id={noteId} className={classNames('text-12', problem === null ? 'text-faint' : 'text-error')}>
          {note}
        </p>
      )}
    </div>
  )
}
