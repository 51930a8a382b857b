import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeTerminalFrame, encodeTerminalFrame, type TerminalFrame } from './terminalFrames.ts'

const anyFrame: fc.Arbitrary<TerminalFrame> = fc.oneof(
  fc.uint8Array({ maxLength: 100 }).map((bytes): TerminalFrame => ({ kind: 'data', bytes })),
  fc.nat(0xffff_ffff).map((sizeBytes): TerminalFrame => ({ kind: 'acknowledge', sizeBytes })),
  fc.tuple(fc.nat(0xffff), fc.nat(0xffff)).map(([columns, rows]): TerminalFrame => ({ kind: 'resize', columns, rows })),
  fc.integer({ min: -1000, max: 1000 }).map((exitCode): TerminalFrame => ({ kind: 'exit', exitCode })),
)

describe('terminal frames', () => {
  it('come back as they were sent', () => {
    fc.assert(
      fc.property(anyFrame, (frame) => {
        expect(decodeTerminalFrame(encodeTerminalFrame(frame))).toEqual(frame)
      }),
    )
  })

  it('are null for anything else, so that the receiver closes the channel', () => {
    expect(decodeTerminalFrame(new Uint8Array())).toBeNull()
    expect(decodeTerminalFrame(new Uint8Array([1, 0]))).toBeNull()
    expect(decodeTerminalFrame(new Uint8Array([9, 0, 0, 0, 0]))).toBeNull()
  })
})
