import { useNow } from '../stores/clock.ts'
import { usePreference } from '../stores/preferences.ts'
import { formatAbsolute, formatRelative } from './format.ts'
import { Tooltip } from './Tooltip.tsx'

interface TimeProps {
  /** Milliseconds since 1970 by the engine's clock; null shows `fallback`. */
  readonly at: number | null
  readonly fallback?: string
  /** Show the absolute time and keep the relative one for the hover. */
  readonly absolute?: boolean
  readonly className?: string
}

/** Relative with the absolute time on hover; the settings choose UTC or local. */
export function Time({ at, fallback = 'never', absolute = false, className }: TimeProps) {
  if (at === null) return <span className={className}>{fallback}</span>
  return <KnownTime at={at} absolute={absolute} className={className} />
}

function KnownTime({
  at,
  absolute,
  className,
}: {
  readonly at: number
  readonly absolute: boolean
  readonly className: string | undefined
}) {
  const now = useNow()
  const utc = usePreference((state) => state.utc)
  const exact = formatAbsolute(at, utc)
  const relative = formatRelative(at, now)
  return (
    <Tooltip content={absolute ? relative : exact}>
      <time dateTime={new Date(at).toISOString()} className={className}>
        {absolute ? exact : relative}
      </time>
    </Tooltip>
  )
}
