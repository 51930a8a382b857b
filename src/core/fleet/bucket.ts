/** What may be used up at once, and how fast it comes back. */
export interface BucketRule {
  readonly most: number
  readonly perSecond: number
}

/** What is left of it; less than nothing after something was larger than what was left. */
export interface Bucket {
  readonly left: number
  /** On a clock that never goes backwards. */
  readonly atMs: number
}

/** As full as it is now; null: never used. */
function filled(bucket: Bucket | null, { most, perSecond }: BucketRule, nowMs: number): Bucket {
  if (bucket === null) return { left: most, atMs: nowMs }
  return { left: Math.min(most, bucket.left + ((nowMs - bucket.atMs) * perSecond) / 1000), atMs: nowMs }
}

/** How long to wait until there is one of it again, in ms; 0 when there is. */
export function waitForBucket(bucket: Bucket | null, rule: BucketRule, nowMs: number): number {
  const { left } = filled(bucket, rule, nowMs)
  return left >= 1 ? 0 : Math.ceil(((1 - left) * 1000) / rule.perSecond)
}

export function takeFromBucket(
  bucket: Bucket | null,
  rule: BucketRule,
  taken: { readonly amount: number; readonly nowMs: number },
): Bucket {
  const now = filled(bucket, rule, taken.nowMs)
  return { ...now, left: now.left - taken.amount }
}
