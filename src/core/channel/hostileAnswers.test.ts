import { describe, expect, it } from 'vitest'
import { BrokenReply, ReplyReader } from './answers.ts'

const nonce = 'a'.repeat(32)
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** @returns how many bytes it took before it refused, or -1 */
function takenOf(chunk: Uint8Array, { orders = 1, begin = '', most = 200 }): number {
  const reader = new ReplyReader(nonce, orders)
  if (begin !== '') reader.push(bytes(begin))
  for (let count = 1; count <= most; count += 1) {
    try {
      reader.push(chunk)
    } catch (error) {
      expect(error).toBeInstanceOf(BrokenReply)
      return count * chunk.length
    }
  }
  return -1
}

describe('answers of a node that lies', () => {
  const megabyte = new Uint8Array(1024 * 1024).fill(120)

  it('S1.78 S1.80 refuses a file that is announced larger than any, before it fills our memory', () => {
    const taken = takenOf(megabyte, { begin: `${nonce} begin - sh\n${nonce} content ${'b'.repeat(64)} 999999999\n` })
    expect(taken).toBeGreaterThan(16 * 1024 * 1024)
    expect(taken).toBeLessThanOrEqual(41 * 1024 * 1024)
  })

  it('S1.80 refuses more answers than there were orders at once, not at an end that never comes', () => {
    const answers = bytes(`${nonce} same missing\n`.repeat(10))
    expect(takenOf(answers, { orders: 2 })).toBe(answers.length)
  })

  it('S1.80 refuses output that never ends', () => {
    const lines = bytes(`o ${'61 '.repeat(16)}\n`.repeat(20_000))
    expect(takenOf(lines, { begin: `${nonce} tagged\n` })).toBeGreaterThan(0)
  })

  it('S1.80 refuses more output than a worker keeps, and keeps of a reason what a person reads', () => {
    const reader = new ReplyReader(nonce, 1)
    expect(() => reader.push(bytes(`${nonce} begin - sh\n${nonce} ran 0 262145 0\n`))).toThrow(BrokenReply)
    const refused = new ReplyReader(nonce, 1).push(
      bytes(`${nonce} said ${'.'.repeat(60_000)}\n${nonce} refused REMOTE_COMMAND_FAILED\n${nonce} end\n`),
    )
    expect(refused?.answers).toMatchObject([{ kind: 'refused', evidence: ['.'.repeat(1_000)] }])
  })

  it.each(['9'.repeat(400), '1'.repeat(13), '-1', '1e9', ''])('believes no clock that says %j', (clock) => {
    const reply = new ReplyReader(nonce, 0).push(bytes(`${nonce} begin ${clock} sh\n${nonce} end\n`))
    expect(reply?.clockSeconds).toBeNull()
  })

  it('takes as many answers as there were orders, and no more bytes than a large file needs', () => {
    const reader = new ReplyReader(nonce, 2)
    const reply = reader.push(bytes(`${nonce} begin 1 sh\n${nonce} same missing\n${nonce} skipped\n${nonce} end\n`))
    expect(reply?.answers).toHaveLength(2)
  })
})
