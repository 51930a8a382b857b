/** So many entries may go at once without a question, whatever their share. */
const freeEntries = 10
const mostShare = 0.25

/**
 * True when a source takes away so much at once that it is more likely broken than meant: it brings nothing any more, or
 * lacks more than a quarter of what it had brought. What a person saves was looked at first; a file that was cut, or a map
 * that was emptied, was not.
 *
 * @param counts how many entries it had brought, how many of them are missing, how many it brings now
 */
export function removesTooMuch(counts: {
  readonly before: number
  readonly removed: number
  readonly now: number
}): boolean {
  const { before, removed, now } = counts
  if (removed === 0) return false
  return now === 0 || (removed > freeEntries && removed > before * mostShare)
}
