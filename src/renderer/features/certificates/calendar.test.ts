import { describe, expect, it } from 'vitest'
import type { ExpiryBucket } from '../../../shared/model/certificate.ts'
import { calendarOf, calendarSpan, calendarStepMs } from './calendar.ts'

const hourMs = 3_600_000
const nowMs = Date.UTC(2026, 2, 10, 14, 41)

function bucketsWith(counts: ReadonlyMap<number, Partial<ExpiryBucket>>): ExpiryBucket[] {
  const { from, to } = calendarSpan(nowMs, true)
  return Array.from({ length: (to - from) / calendarStepMs }, (_, index) => {
    const start = from + index * calendarStepMs
    return { from: start, to: start + calendarStepMs, user: 0, host: 0, agent: 0, revoked: 0, ...counts.get(start) }
  })
}

describe('expiry calendar', () => {
  it('N4 begins with the hour it is now and tells user, host and agent certificates apart', () => {
    const thisHour = Date.UTC(2026, 2, 10, 14)
    const { hours } = calendarOf(
      bucketsWith(new Map([[thisHour, { user: 3, host: 1, agent: 2, revoked: 4 }]])),
      nowMs,
      true,
    )
    expect(hours).toHaveLength(48)
    expect(hours[0]).toEqual({
      from: thisHour,
      before: thisHour + hourMs,
      user: 3,
      host: 1,
      agent: 2,
      revoked: 4,
      total: 6,
    })
    expect(hours.slice(1).every((hour) => hour.total === 0)).toBe(true)
  })

  it('N4 counts of today only what is still to come, and of other days all 24 hours', () => {
    const past = Date.UTC(2026, 2, 10, 13)
    const tonight = Date.UTC(2026, 2, 10, 23)
    const tomorrow = Date.UTC(2026, 2, 11, 0)
    const { days } = calendarOf(
      bucketsWith(
        new Map([
          [past, { user: 50 }],
          [tonight, { user: 1 }],
          [tomorrow, { host: 1 }],
          [tomorrow + 23 * hourMs, { host: 1 }],
        ]),
      ),
      nowMs,
      true,
    )
    expect(days).toHaveLength(35)
    expect(days.slice(0, 3).map((day) => day.total)).toEqual([1, 2, 0])
  })

  it('puts every bucket of the span into exactly one day', () => {
    const buckets = bucketsWith(new Map()).map((bucket) => ({ ...bucket, user: 1 }))
    const { days } = calendarOf(buckets, calendarSpan(nowMs, true).from, true)
    expect(days.reduce((sum, day) => sum + day.total, 0)).toBe(buckets.length)
  })
})
