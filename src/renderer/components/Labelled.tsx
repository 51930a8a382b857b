import { type ReactNode, useId } from 'react'
import { classNames } from './classNames.ts'

interface ControlProps {
  readonly id: string
  readonly 'aria-invalid': true | undefined
  readonly 'aria-describedby': string | undefined
}

interface LabelledProps {
  readonly label: string
  /** What is wrong with the value and what to do; null while nothing is. */
  readonly problem?: string | null | undefined
  readonly hint?: string | undefined
  readonly className?: string | undefined
  /** The control; `border` is its colour. */
  readonly children: (control: ControlProps, border: string) => ReactNode
}

/** A control under its label, with what is wrong with it, or how to use it, read out with it. */
export function Labelled({ label, problem = null, hint, className, children }: LabelledProps) {
  const id = useId()
  const noteId = `${id}-note`
  const note = problem ?? hint
  const control: ControlProps = {
    id,
    'aria-invalid': problem !== null || undefined,
    'aria-describedby': note === undefined ? undefined : noteId,
  }
  return (
    <div className={classNames('flex flex-col gap-1', className)}>
      <label htmlFor={id} className="text-12 text-muted">
        {label}
      </label>
      {children(control, problem === null ? 'border-line-strong' : 'border-error')}
      {note !== undefined && (
        <p id={noteId} className={classNames('text-12', problem === null ? 'text-faint' : 'text-error')}>
          {note}
        </p>
      )}
    </div>
  )
}
