import { classNames } from './classNames.ts'

interface ViewTabsProps {
  readonly label: string
  readonly tabs: readonly { readonly id: string; readonly label: string; readonly href: string }[]
  readonly current: string
}

/** The faces of one view, as links: each has an address of its own. */
export function ViewTabs({ label, tabs, current }: ViewTabsProps) {
  return (
    <nav aria-label={label} className="flex gap-1">
      {tabs.map(({ id, label: words, href }) => (
        <a
          key={id}
          href={href}
          aria-current={id === current ? 'page' : undefined}
          className={classNames(
            'rounded-md px-2 py-0.5 hover:bg-hover hover:text-text',
            id === current && 'bg-hover text-text',
          )}
        >
          {words}
        </a>
      ))}
    </nav>
  )
}
