import { classNames } from '../../components/classNames.ts'
import { formatHash } from '../../stores/route.ts'

const tabs = [
  { id: 'runs', label: 'Runs', href: formatHash({ view: 'runs' }) },
  { id: 'rollouts', label: 'Rollouts', href: formatHash({ view: 'runs', path: ['rollouts'] }) },
] as const

/** Single runs, or the changes they are part of. */
export function RunsTabs({ current }: { readonly current: (typeof tabs)[number]['id'] }) {
  return (
    <nav aria-label="Runs or rollouts" className="flex gap-1">
      {tabs.map(({ id, label, href }) => (
        <a
          key={id}
          href={href}
          aria-current={id === current ? 'page' : undefined}
          className={classNames(
            'rounded-md px-2 py-0.5 hover:bg-hover hover:text-text',
            id === current && 'bg-hover text-text',
          )}
        >
          {label}
        </a>
      ))}
    </nav>
  )
}
