import { classNames } from '../../components/classNames.ts'
import { formatCount, plural } from '../../components/format.ts'
import { Tooltip } from '../../components/Tooltip.tsx'
import type { ExpiryOverview } from './expiry.ts'

/** The next 24 hours: where a wave of certificates runs out, it shows as a hill. */
export function ExpiryStrip({ overview }: { readonly overview: ExpiryOverview }) {
  const most = Math.max(1, ...overview.byHour)
  return (
    <section aria-label="Certificates by hour of expiry" className="flex shrink-0 items-end gap-6 border-b px-4 py-3">
      <div className="min-w-0 flex-1">
        <ol className="flex h-14 items-end gap-0.5">
          {overview.byHour.map((count, hour) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the hour is the identity
            <Hour key={hour} hour={hour} count={count} share={count / most} />
          ))}
        </ol>
        <div aria-hidden className="mt-1 flex justify-between text-12 text-faint">
          {['now', '6 h', '12 h', '18 h', '24 h'].map((label) => (
            <span key={label}>{label}</span>
          ))}
        </div>
      </div>
      <dl className="grid shrink-0 grid-cols-[auto_auto] gap-x-3 text-12">
        <Figure name="expired" count={overview.expired} alarming />
        <Figure name="within the hour" count={overview.byHour[0] ?? 0} alarming={false} />
        <Figure name="later than 24 h" count={overview.later} alarming={false} />
        <Figure name="never issued" count={overview.none} alarming={false} />
      </dl>
    </section>
  )
}

function Hour({ hour, count, share }: { readonly hour: number; readonly count: number; readonly share: number }) {
  const when = hour === 0 ? 'within the hour' : `in ${hour} to ${hour + 1} hours`
  const words = `${plural(count, 'certificate')} ${count === 1 ? 'runs' : 'run'} out ${when}`
  return (
    <Tooltip content={words}>
      <li aria-label={words} className="flex h-full min-w-0 flex-1 flex-col justify-end">
        {count > 0 && <span className="text-center text-12 text-muted">{formatCount(count)}</span>}
        <span
          className={classNames('block rounded-sm', count === 0 ? 'bg-line' : hour === 0 ? 'bg-pending' : 'bg-accent')}
          style={{ height: count === 0 ? 2 : 4 + share * 30 }}
        />
      </li>
    </Tooltip>
  )
}

function Figure({
  name,
  count,
  alarming,
}: {
  readonly name: string
  readonly count: number
  readonly alarming: boolean
}) {
  return (
    <>
      <dd className={classNames('text-right', alarming && count > 0 ? 'text-error' : 'text-text')}>
        {formatCount(count)}
      </dd>
      <dt className="text-muted">{name}</dt>
    </>
  )
}
