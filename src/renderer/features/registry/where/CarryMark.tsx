import { formatCount } from '../../../components/format.ts'
import { FillMark } from '../../../components/StatusMark.tsx'
import type { CarryState, Tally } from './carriers.ts'

export const carryWords: Readonly<Record<CarryState, string>> = {
  proven: 'proven',
  silent: 'proven, does not answer now',
  behind: 'an older text was read back',
  drift: 'no longer proven',
  never: 'never read back',
}

const fills = {
  proven: 'in-step',
  silent: 'unreachable',
  behind: 'pending',
  drift: 'pending',
  never: 'never-synced',
} as const

/** The shapes of the map, with words of their own. */
export function CarryMark({ state }: { readonly state: CarryState }) {
  return (
    <span className="inline-flex items-center gap-1.5">
      <span aria-hidden>
        <FillMark fill={fills[state]} />
      </span>
      {carryWords[state]}
    </span>
  )
}

/** `12 of 14 proven`, with a bar. */
export function TallyBar({ tally }: { readonly tally: Tally }) {
  if (tally.wanted === 0) return <span className="text-faint">nobody</span>
  const share = tally.proven / tally.wanted
  return (
    <span className="flex items-center gap-2">
      <span aria-hidden className="h-1 w-16 shrink-0 overflow-hidden rounded-full bg-line">
        <span
          className={`block h-full ${share === 1 ? 'bg-in-step' : 'bg-pending'}`}
          style={{ width: `${share * 100}%` }}
        />
      </span>
      <span>
        {formatCount(tally.proven)} of {formatCount(tally.wanted)}
      </span>
    </span>
  )
}
