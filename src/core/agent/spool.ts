/** A report that could not be sent yet. */
export interface SpooledFile {
  /** Sorts by time. */
  readonly name: string
  readonly writtenAtMs: number
}

export const spoolLimits = { files: 100, ageMs: 30 * 24 * 60 * 60 * 1000 } as const

/** Which reports to give up so that the spool stays bounded: the too old, then the oldest (D8). */
export function reportsToDrop(files: readonly SpooledFile[], nowMs: number): readonly string[] {
  const oldestFirst = [...files].sort((left, right) => (left.name < right.name ? -1 : 1))
  const old = oldestFirst.filter((file) => nowMs - file.writtenAtMs > spoolLimits.ageMs)
  const young = oldestFirst.filter((file) => !old.includes(file))
  const surplus = young.slice(0, Math.max(0, young.length - spoolLimits.files))
  return [...old, ...surplus].map((file) => file.name)
}
