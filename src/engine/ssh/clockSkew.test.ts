import { describe, expect, it } from 'vitest'
import { clockSkewFrom } from './clockSkew.ts'

const at = (text: string, sentAt: number, receivedAt: number, exitCode: number | null = 0): number | null =>
  clockSkewFrom({ exitCode, stdout: Buffer.from(text) }, { sentAt, receivedAt })

describe('clock skew', () => {
  it('is 0 while the second named by the node overlaps the round trip', () => {
    expect(at('1000\n', 1_000_000, 1_000_020)).toBe(0)
    expect(at('1000\n', 999_990, 1_000_005)).toBe(0)
    expect(at('1000\n', 1_000_999, 1_001_050)).toBe(0)
  })

  it('is how far the clocks are apart at least, with its sign', () => {
    expect(at('1300\n', 1_000_000, 1_000_020)).toBe(299_980)
    expect(at('700\n', 1_000_000, 1_000_020)).toBe(-299_001)
  })

  it('is unknown for anything that is not one number', () => {
    for (const text of ['', 'now', '12 13', '-5', '1e9', '99999999999999999']) expect(at(text, 0, 0)).toBeNull()
    expect(at('1000', 0, 0, 1)).toBeNull()
  })
})
