const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** `1.4 MiB`: three digits are enough to compare. */
export function formatBytes(sizeBytes: number): string {
  let value = sizeBytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1
  return `${value.toFixed(digits)} ${units[unit]}`
}

export const formatRate = (bytesPerSecond: number): string => `${formatBytes(bytesPerSecond)}/s`

const secondMs = 1000
const minuteMs = 60 * secondMs
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/** `820 ms`, `4.2 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`: the two units that matter. */
export function formatDuration(durationMs: number): string {
  if (durationMs < secondMs) return `${Math.round(durationMs)} ms`
  if (durationMs < 10 * secondMs) return `${(durationMs / secondMs).toFixed(1)} s`
  if (durationMs < minuteMs) return `${Math.floor(durationMs / secondMs)} s`
  if (durationMs < hourMs) return two(durationMs, minuteMs, 'min', secondMs, 's')
  if (durationMs < dayMs) return two(durationMs, hourMs, 'h', minuteMs, 'min')
  return two(durationMs, dayMs, 'd', hourMs, 'h')
}

function two(durationMs: number, bigMs: number, big: string, smallMs: number, small: string): string {
  const whole = Math.floor(durationMs / bigMs)
  const rest = Math.floor((durationMs % bigMs) / smallMs)
  return rest === 0 ? `${whole} ${big}` : `${whole} ${big} ${rest} ${small}`
}

/** `just now`, `4 min ago`, `in 2 h`: one unit, rounded down, because it is read at a glance. */
export function formatRelative(atMs: number, nowMs: number): string {
  const distanceMs = Math.abs(nowMs - atMs)
  if (distanceMs < 5 * secondMs) return 'just now'
  const amount = coarse(distanceMs)
  return atMs > nowMs ? `in ${amount}` : `${amount} ago`
}

/** `12 s`, `4 min`, `2 h`, `9 d`. */
export function coarse(durationMs: number): string {
  if (durationMs < minuteMs) return `${Math.floor(durationMs / secondMs)} s`
  if (durationMs < hourMs) return `${Math.floor(durationMs / minuteMs)} min`
  if (durationMs < 2 * dayMs) return `${Math.floor(durationMs / hourMs)} h`
  return `${Math.floor(durationMs / dayMs)} d`
}

const pad = (value: number): string => String(value).padStart(2, '0')

/** `2026-03-01 02:41:07 UTC`, or in the zone of this machine with its offset. */
export function formatAbsolute(atMs: number, utc: boolean): string {
  const date = new Date(atMs)
  if (utc) return `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`
  const offsetMinutes = -date.getTimezoneOffset()
  const size = Math.abs(offsetMinutes)
  return `${day} ${time} ${offsetMinutes < 0 ? '-' : '+'}${pad(Math.floor(size / 60))}:${pad(size % 60)}`
}

const counted = new Intl.NumberFormat('en-US')

/** `1,204` */
export const formatCount = (count: number): string => counted.format(count)

/** `1 node`, `1,204 nodes` */
export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${formatCount(count)} ${count === 1 ? one : many}`
