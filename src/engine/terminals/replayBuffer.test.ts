import { describe, expect, it } from 'vitest'
import { ReplayBuffer } from './replayBuffer.ts'

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

describe('replay buffer', () => {
  it('keeps everything while it fits', () => {
    const buffer = new ReplayBuffer(16)
    buffer.append(Buffer.from('one '))
    buffer.append(Buffer.from('two'))
    expect(text(buffer.snapshot())).toBe('one two')
  })

  it('U14 never holds more than its capacity, and keeps the newest bytes', () => {
    const buffer = new ReplayBuffer(8)
    for (const piece of ['abc', 'defgh', 'ij']) buffer.append(Buffer.from(piece))
    expect(buffer.sizeBytes).toBe(8)
    expect(text(buffer.snapshot())).toBe('cdefghij')
  })

  it('keeps the end of a piece larger than itself', () => {
    const buffer = new ReplayBuffer(4)
    buffer.append(Buffer.from('0123456789'))
    expect(text(buffer.snapshot())).toBe('6789')
  })

  it('begins at a line when it had to cut', () => {
    const buffer = new ReplayBuffer(12)
    buffer.append(Buffer.from('\u001b[31mred\r\nnext\r\nlast'))
    expect(text(buffer.snapshot())).toBe('next\r\nlast')
  })
})
