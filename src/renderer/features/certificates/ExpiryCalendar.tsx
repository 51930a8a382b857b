import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from 'react'
import { toErrorBody } from '../../api/errors.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { CliEquivalent } from '../../components/CliEquivalent.tsx'
import { classNames } from '../../components/classNames.ts'
import { ErrorNote } from '../../components/ErrorNote.tsx'
import { formatCount, plural } from '../../components/format.ts'
import { Tooltip } from '../../components/Tooltip.tsx'
import { useNow } from '../../stores/clock.ts'
import { usePreference } from '../../stores/preferences.ts'
import { useReplica, useStale } from '../../stores/ReplicaContext.tsx'
import { updateQuery } from '../../stores/route.ts'
import { type CalendarCell, calendarOf, calendarSpan, calendarStepMs } from './calendar.ts'
import { trustCli } from './trustCommands.ts'

const stepMs = 60_000
/** After the last of many new certificates, so that a renewal of the whole fleet asks once. */
const settleMs = 1_000

function useCalendar(nowMs: number, utc: boolean) {
  const { client } = useLink()
  const issued = useReplica((state) => state.certificates)
  const { from, to } = calendarSpan(nowMs, utc)
  const query = useQuery({
    queryKey: ['expiry calendar', from, to],
    queryFn: () => client.certificates.calendar({ from, to, stepMs: calendarStepMs }),
    placeholderData: keepPreviousData,
  })
  const { refetch } = query
  useEffect(() => {
    if (issued.size === 0) return
    const timer = setTimeout(() => void refetch(), settleMs)
    return () => clearTimeout(timer)
  }, [issued, refetch])
  return query
}

/** What ends when: each hour of the next two days, each day of the next five weeks. A cell narrows the issue log. */
export function ExpiryCalendar({ ends }: { readonly ends: { readonly from: number; readonly before: number } | null }) {
  const utc = usePreference((state) => state.utc)
  const now = useNow(stepMs)
  const stale = useStale()
  const query = useCalendar(now, utc)
  const calendar = useMemo(() => calendarOf(query.data ?? [], now, utc), [query.data, now, utc])
  if (query.error !== null && query.data === undefined) {
    return (
      <div className="border-b p-4">
        <ErrorNote error={toErrorBody(query.error)} onRetry={() => void query.refetch()} />
      </div>
    )
  }
  return (
    <section
      aria-label="Expiry calendar"
      className={classNames('flex shrink-0 flex-col gap-2 border-b px-4 pt-2 pb-2', stale && 'stale')}
    >
      <Row name="48 hours" what="certificates end in each of the next 48 hours" cells={calendar.hours} ends={ends}>
        {(cell, most) => <HourBar cell={cell} most={most} />}
      </Row>
      <Row name="35 days" what="certificates end on each of the next 35 days" cells={calendar.days} ends={ends}>
        {(cell, most) => <DayCell cell={cell} most={most} />}
      </Row>
      <Legend />
    </section>
  )
}

interface RowProps {
  readonly name: '48 hours' | '35 days'
  /** Of the row, for assistive technology. */
  readonly what: string
  readonly cells: readonly CalendarCell[]
  readonly ends: { readonly from: number; readonly before: number } | null
  readonly children: (cell: CalendarCell, most: number) => React.ReactNode
}

const isSame = (cell: CalendarCell, ends: RowProps['ends']): boolean =>
  ends !== null && cell.before === ends.before && cell.from === ends.from

/** One stop for the Tab key; the arrows walk the cells. */
function Row({ name, what, cells, ends, children }: RowProps) {
  const [at, setAt] = useState(0)
  const row = useRef<HTMLFieldSetElement>(null)
  const utc = usePreference((state) => state.utc)
  const most = Math.max(1, ...cells.map((cell) => cell.total))
  const onKeyDown = (event: KeyboardEvent): void => {
    const target = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: cells.length - 1 }[event.key]
    if (target === undefined) return
    event.preventDefault()
    const next = Math.max(0, Math.min(cells.length - 1, target))
    setAt(next)
    row.current?.querySelectorAll<HTMLButtonElement>('button')[next]?.focus()
  }
  const isHours = name === '48 hours'
  return (
    <div className="flex items-end gap-3">
      <span className="w-16 shrink-0 pb-4 text-12 text-faint">{name}</span>
      <fieldset ref={row} aria-label={what} onKeyDown={onKeyDown} className="flex min-w-0 flex-1 gap-px">
        {cells.map((cell, index) => (
          <Tooltip key={cell.from} content={cellWords(cell, isHours, utc)}>
            <button
              type="button"
              tabIndex={index === at ? 0 : -1}
              aria-pressed={isSame(cell, ends)}
              onFocus={() => setAt(index)}
              onClick={() => choose(cell, ends)}
              className={classNames(
                'flex min-w-0 flex-1 flex-col rounded-sm focus-visible:z-10',
                isSame(cell, ends) ? 'bg-selection' : 'hover:bg-hover',
              )}
            >
              <span className="sr-only">{cellWords(cell, isHours, utc)}</span>
              <span aria-hidden className="block w-full">
                {children(cell, most)}
              </span>
              <span aria-hidden className="h-4 w-full text-left text-12 whitespace-nowrap text-faint">
                {isHours ? hourTick(cell.from, index, utc) : dayTick(cell.from, index, utc)}
              </span>
            </button>
          </Tooltip>
        ))}
      </fieldset>
    </div>
  )
}

/** Pressed again it lets go. */
function choose(cell: CalendarCell, ends: RowProps['ends']): void {
  const next = isSame(cell, ends) ? { from: undefined, before: undefined } : cell
  updateQuery({ tab: 'issued', from: next.from?.toString(), before: next.before?.toString() })
}

const hourOf = (atMs: number, utc: boolean): number => (utc ? new Date(atMs).getUTCHours() : new Date(atMs).getHours())

const hourTick = (atMs: number, index: number, utc: boolean): string =>
  index === 0 ? 'now' : index > 1 && hourOf(atMs, utc) % 6 === 0 ? `${String(hourOf(atMs, utc)).padStart(2, '0')}h` : ''

const dayFormat = (utc: boolean, options: Intl.DateTimeFormatOptions) =>
  new Intl.DateTimeFormat('en-GB', { ...options, ...(utc ? { timeZone: 'UTC' } : {}) })

const isMonday = (atMs: number, utc: boolean): boolean =>
  (utc ? new Date(atMs).getUTCDay() : new Date(atMs).getDay()) === 1

const dayTick = (atMs: number, index: number, utc: boolean): string =>
  index === 0
    ? 'today'
    : index > 1 && isMonday(atMs, utc)
      ? dayFormat(utc, { day: 'numeric', month: 'short' }).format(atMs)
      : ''

/** `Sat 21 Nov, 14:00 to 15:00`, `Sat 21 Nov`. */
export function spanWords({ from, before }: { readonly from: number; readonly before: number }, utc: boolean): string {
  const day = dayFormat(utc, { weekday: 'short', day: 'numeric', month: 'short' }).format(from)
  if (before - from > 3_600_000) return day
  const clock = dayFormat(utc, { hour: '2-digit', minute: '2-digit' })
  return `${day}, ${clock.format(from)} to ${clock.format(before)}`
}

function cellWords(cell: CalendarCell, isHour: boolean, utc: boolean): string {
  const when = spanWords(cell, utc)
  const parts = [
    ...(cell.user > 0 ? [`${formatCount(cell.user)} user`] : []),
    ...(cell.host > 0 ? [`${formatCount(cell.host)} host`] : []),
    ...(cell.agent > 0 ? [`${formatCount(cell.agent)} agent`] : []),
  ]
  const revoked = cell.revoked === 0 ? '' : `; ${formatCount(cell.revoked)} more are revoked already`
  if (cell.total === 0) return `${when}: nothing ends${isHour ? ' in this hour' : ''}${revoked}`
  return `${when}: ${plural(cell.total, 'certificate')} ${cell.total === 1 ? 'ends' : 'end'} (${parts.join(', ')})${revoked}`
}

const barHeight = 34

/** Shape tells the kinds apart: solid, striped, hollow. */
const kindClass = {
  user: 'bg-accent',
  host: 'bg-halted [background-image:repeating-linear-gradient(45deg,transparent_0_2px,var(--ground)_2px_4px)]',
  agent: 'border border-in-step',
} as const
const cellKinds = ['agent', 'host', 'user'] as const

function HourBar({ cell, most }: { readonly cell: CalendarCell; readonly most: number }) {
  return (
    <span className="flex w-full flex-col justify-end gap-px px-px" style={{ height: barHeight }}>
      {cell.total === 0 && <span className="block h-0.5 bg-line" />}
      {cellKinds.map(
        (kind) =>
          cell[kind] > 0 && (
            <span
              key={kind}
              className={classNames('block rounded-[1px]', kindClass[kind])}
              style={{ height: Math.max(3, (cell[kind] / most) * (barHeight - 6)) }}
            />
          ),
      )}
    </span>
  )
}

/** Five steps of heat; the number says the same. */
function DayCell({ cell, most }: { readonly cell: CalendarCell; readonly most: number }) {
  const heat = cell.total === 0 ? 0 : Math.ceil((Math.log1p(cell.total) / Math.log1p(most)) * 5)
  return (
    <span className="flex w-full flex-col gap-px">
      <span
        className={classNames(
          'block w-full truncate rounded-[2px] text-center text-12',
          heat === 0 ? 'text-faint' : 'text-text',
        )}
        style={{
          height: 18,
          background: heat === 0 ? 'var(--line)' : `color-mix(in srgb, var(--accent) ${heat * 9}%, var(--ground))`,
        }}
      >
        {cell.total === 0 ? '' : compactCount(cell.total)}
      </span>
      <span className="flex h-1 gap-px">
        {cell.host > 0 && <span className={classNames('block h-full flex-1', kindClass.host)} />}
        {cell.agent > 0 && <span className={classNames('block h-full flex-1', kindClass.agent)} />}
      </span>
    </span>
  )
}

/** `980`, `1.2k`, `12k`: it has to fit into a cell; the exact one is on hover. */
const compactCount = (count: number): string =>
  count < 1000 ? String(count) : `${count < 10_000 ? (count / 1000).toFixed(1) : Math.round(count / 1000)}k`

function Legend() {
  return (
    <div className="flex items-center gap-4 pl-19">
      <ul aria-label="Kinds of certificates" className="flex flex-1 flex-wrap gap-x-4 text-12 text-muted">
        {(['user', 'host', 'agent'] as const).map((kind) => (
          <li key={kind} className="flex items-center gap-1.5">
            <span aria-hidden className={classNames('size-2.5 rounded-[1px]', kindClass[kind])} />
            {kind === 'agent' ? 'of agents' : `${kind} certificates`}
          </li>
        ))}
        <li className="text-faint">Press a cell to see what ends then.</li>
      </ul>
      <div className="w-64">
        <CliEquivalent command={trustCli.calendar} />
      </div>
    </div>
  )
}
