import type { ReactNode } from 'react'

interface EmptyStateProps {
  readonly title: string
  /** What this place is for and how it fills. */
  readonly children?: ReactNode
  readonly actions?: ReactNode
}

/** An empty place teaches what would be here. */
export function EmptyState({ title, children, actions }: EmptyStateProps) {
  return (
    <div className="flex h-full flex-col items-center justify-center gap-3 p-8 text-center">
      <h2 className="text-18 font-semibold">{title}</h2>
      {children !== undefined && <div className="max-w-md text-muted">{children}</div>}
      {actions !== undefined && <div className="mt-2 flex flex-wrap justify-center gap-2">{actions}</div>}
    </div>
  )
}
