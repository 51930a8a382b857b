import { describe, expect, it } from 'vitest'
import { shellQuote } from './CliEquivalent.tsx'
import { formatAbsolute, formatBytes, formatDuration, formatRelative, plural } from './format.ts'

describe('formats', () => {
  it('sizes', () => {
    expect([0, 1023, 1024, 1_500_000, 5e15].map(formatBytes)).toEqual([
      '0 B',
      '1023 B',
      '1.0 KiB',
      '1.4 MiB',
      '4.4 PiB',
    ])
  })

  it('durations in the two units that matter', () => {
    expect([0, 820, 4200, 59_000, 185_000, 7_800_000, 356_400_000].map(formatDuration)).toEqual([
      '0 ms',
      '820 ms',
      '4.2 s',
      '59 s',
      '3 min 5 s',
      '2 h 10 min',
      '4 d 3 h',
    ])
  })

  it('moments, past and to come', () => {
    expect(formatRelative(1000, 2000)).toBe('just now')
    expect(formatRelative(0, 240_000)).toBe('4 min ago')
    expect(formatRelative(7_200_000, 0)).toBe('in 2 h')
  })

  it('exact moments in UTC', () => {
    expect(formatAbsolute(1_800_000_000_000, true)).toBe('2027-01-15 08:00:00 UTC')
  })

  it('counts', () => {
    expect([plural(1, 'node'), plural(1204, 'node')]).toEqual(['1 node', '1,204 nodes'])
  })

  it('quotes arguments so that a copied command means what it says', () => {
    expect(shellQuote('vps-01')).toBe('vps-01')
    expect(shellQuote("it's; rm -rf ~")).toBe(`'it'\\''s; rm -rf ~'`)
    expect(shellQuote('')).toBe("''")
  })
})
