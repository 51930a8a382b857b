import type { ReactNode } from 'react'

interface ViewHeaderProps {
  readonly title: ReactNode
  /** The one line that answers what the view is opened for. */
  readonly summary?: ReactNode
  readonly actions?: ReactNode
}

/** The line at the top of a view: its name, its answer, its actions. */
export function ViewHeader({ title, summary, actions }: ViewHeaderProps) {
  return (
    <header className="flex min-h-12 shrink-0 flex-wrap items-center gap-x-4 gap-y-1 border-b bg-surface px-4 py-2">
      <h1 className="flex min-w-0 items-center gap-2 text-15 font-semibold">{title}</h1>
      <div className="flex min-w-0 flex-1 flex-wrap items-center gap-x-3 text-muted">{summary}</div>
      {actions}
    </header>
  )
}
