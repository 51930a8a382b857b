import { describe, expect, it } from 'vitest'
import { type Bucket, takeFromBucket, waitForBucket } from './bucket.ts'

const rule = { most: 3, perSecond: 0.5 }

describe('a bucket', () => {
  it('gives what is in it at once, then as fast as it fills, and never holds more than fits', () => {
    let bucket: Bucket | null = null
    for (const expected of [0, 0, 0, 2_000]) {
      expect(waitForBucket(bucket, rule, 0)).toBe(expected)
      if (expected === 0) bucket = takeFromBucket(bucket, rule, { amount: 1, nowMs: 0 })
    }
    expect(waitForBucket(bucket, rule, 1_000)).toBe(1_000)
    expect(waitForBucket(bucket, rule, 2_000)).toBe(0)
    const later = takeFromBucket(bucket, rule, { amount: 3, nowMs: 1_000_000 })
    expect(later.left).toBe(0)
  })

  it('lets through what is larger than what is left, and makes up for it afterwards', () => {
    const bucket = takeFromBucket(null, rule, { amount: 13, nowMs: 0 })
    expect(waitForBucket(bucket, rule, 0)).toBe(22_000)
  })
})
