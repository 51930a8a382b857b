import { TriangleAlert } from 'lucide-react'
import type { ErrorBody } from '../../shared/errors.ts'
import { Button } from './Button.tsx'

interface ErrorNoteProps {
  readonly error: ErrorBody
  /** Tries again what failed. */
  readonly onRetry?: () => void
  readonly retryLabel?: string
}

/** What went wrong, in the engine's words, and the one thing to do about it. */
export function ErrorNote({ error, onRetry, retryLabel }: ErrorNoteProps) {
  const label = retryLabel ?? (error.retry?.kind === 'action' ? error.retry.label : 'Try again')
  return (
    <div role="alert" className="flex items-start gap-2 rounded-md border border-error bg-surface p-2">
      <TriangleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-error" />
      <div className="min-w-0 flex-1">
        <p className="break-words">{error.message}</p>
        <p className="text-12 text-faint">{error.code}</p>
      </div>
      {onRetry !== undefined && (
        <Button size="small" onClick={onRetry}>
          {label}
        </Button>
      )}
    </div>
  )
}
