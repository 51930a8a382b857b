import type { ExpiryBucket } from '../../../shared/model/certificate.ts'

const hourMs = 3_600_000
const hoursShown = 48
const daysShown = 35

/** One cell of the calendar: an hour or a day, and what ends in it. */
export interface CalendarCell {
  readonly from: number
  readonly before: number
  readonly user: number
  readonly host: number
  readonly agent: number
  readonly revoked: number
  /** Those that still count. */
  readonly total: number
}

export interface Calendar {
  readonly hours: readonly CalendarCell[]
  readonly days: readonly CalendarCell[]
}

/** Midnight of the day that holds `atMs`, `days` later. Days are as long as the zone makes them. */
function midnight(atMs: number, days: number, utc: boolean): number {
  const date = new Date(atMs)
  if (utc) return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate() + days)
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + days).getTime()
}

/** What to ask the engine for: hours from midnight on, from which days of any length can be added up. */
export function calendarSpan(nowMs: number, utc: boolean): { readonly from: number; readonly to: number } {
  return { from: midnight(nowMs, 0, utc), to: midnight(nowMs, daysShown, utc) }
}

export const calendarStepMs = hourMs

function cellOf(buckets: readonly ExpiryBucket[], from: number, before: number): CalendarCell {
  const cell = { from, before, user: 0, host: 0, agent: 0, revoked: 0, total: 0 }
  for (const bucket of buckets) {
    if (bucket.from < from || bucket.from >= before) continue
    cell.user += bucket.user
    cell.host += bucket.host
    cell.agent += bucket.agent
    cell.revoked += bucket.revoked
  }
  return { ...cell, total: cell.user + cell.host + cell.agent }
}

/** The next 48 hours from the current one on, and 35 days from today on; of today only what is still to come. */
export function calendarOf(buckets: readonly ExpiryBucket[], nowMs: number, utc: boolean): Calendar {
  const start = calendarSpan(nowMs, utc).from
  const thisHour = start + Math.floor((nowMs - start) / hourMs) * hourMs
  const hours = Array.from({ length: hoursShown }, (_, index) => {
    const from = thisHour + index * hourMs
    return cellOf(buckets, from, from + hourMs)
  })
  const days = Array.from({ length: daysShown }, (_, index) =>
    cellOf(buckets, index === 0 ? thisHour : midnight(nowMs, index, utc), midnight(nowMs, index + 1, utc)),
  )
  return { hours, days }
}
