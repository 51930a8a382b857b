import { classNames } from './components/classNames.ts'
import { KeyHint } from './components/KeyHint.tsx'
import { Tooltip } from './components/Tooltip.tsx'
import { formatHash } from './stores/route.ts'
import { views } from './views.ts'

/** The left rail: where one can go. */
export function Rail({ current }: { readonly current: string }) {
  return (
    <nav aria-label="Views" className="flex w-12 shrink-0 flex-col items-center gap-1 border-r bg-surface py-2">
      {views.map(({ id, label, icon: Icon, key }) => (
        <Tooltip
          key={id}
          side="right"
          content={
            <span className="flex items-center gap-2">
              {label} <KeyHint keys={`g ${key}`} />
            </span>
          }
        >
          <a
            href={formatHash({ view: id })}
            aria-label={label}
            aria-current={id === current ? 'page' : undefined}
            className={classNames(
              'relative flex size-9 items-center justify-center rounded-md text-faint hover:bg-hover hover:text-text',
              id === current &&
                'bg-hover text-text before:absolute before:-left-1.5 before:h-5 before:w-0.5 before:bg-accent',
              id === 'settings' && 'mt-auto',
            )}
          >
            <Icon aria-hidden className="size-[18px]" />
          </a>
        </Tooltip>
      ))}
    </nav>
  )
}
