const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** `1.4 MiB` */
export function sizeWords(sizeBytes: number): string {
  let value = sizeBytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${value.toFixed(unit === 0 || value >= 100 ? 0 : 1)} ${units[unit]}`
}

/** `820 ms`, `4.2 s`, `3 min 5 s`, `2 h 10 min` */
export function durationWords(durationMs: number): string {
  if (durationMs < 1_000) return `${Math.round(durationMs)} ms`
  if (durationMs < 60_000) return `${(durationMs / 1_000).toFixed(1)} s`
  const minutes = Math.floor(durationMs / 60_000)
  if (minutes < 60) return `${minutes} min ${Math.floor((durationMs % 60_000) / 1_000)} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** ISO-8601 in UTC to the second, as S1.20 writes it. */
export const isoTime = (atMs: number): string => new Date(atMs).toISOString().replace(/\.\d{3}Z$/, 'Z')

export const isoTimeOr = (atMs: number | null, otherwise: string): string => (atMs === null ? otherwise : isoTime(atMs))

/** `1 node`, `12 nodes` */
export const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`
