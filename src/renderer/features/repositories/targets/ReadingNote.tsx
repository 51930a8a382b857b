import type { SentinelReading } from '../../../../shared/model/repository.ts'
import { Button } from '../../../components/Button.tsx'
import { plural } from '../../../components/format.ts'

export const readingWords: Readonly<Record<SentinelReading['status'], string>> = {
  matches: 'matches',
  differs: 'differs',
  absent: 'no sentinel',
  unreadable: 'not readable',
}

/** What the sentinels said just now, in one line; each target says its own. */
export function ReadingNote({
  readings,
  onClose,
}: {
  readonly readings: readonly SentinelReading[]
  readonly onClose: () => void
}) {
  const count = (status: SentinelReading['status']): number => readings.filter((each) => each.status === status).length
  const parts = [
    [count('matches'), 'at the wanted commit', 'text-in-step'],
    [count('differs'), 'at another commit', 'text-pending'],
    [count('absent'), 'without a sentinel: nothing says what lies there', 'text-pending'],
    [count('unreadable'), 'could not be read', 'text-error'],
  ] as const
  return (
    <p role="status" className="flex shrink-0 flex-wrap items-center gap-x-3 border-b bg-surface px-4 py-1.5">
      <span>{plural(readings.length, 'sentinel')} asked for just now:</span>
      {parts
        .filter(([number]) => number > 0)
        .map(([number, words, colour]) => (
          <span key={words}>
            <span className={colour}>{number}</span> {words}
          </span>
        ))}
      <Button size="small" variant="quiet" className="ml-auto" onClick={onClose}>
        Close
      </Button>
    </p>
  )
}
