import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { WireError, WireReader, WireWriter } from './wire.ts'

describe('wire encoding', () => {
  it('reads back what it wrote, whatever the sizes', () => {
    const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
    const part = fc.record({
      text: fc.string({ unit: 'grapheme' }),
      bytes: fc.uint8Array({ maxLength: 3000 }),
      number: fc.nat(),
      wide: u64,
    })
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        const writer = new WireWriter()
        for (const { text, bytes, number, wide } of parts) writer.string(text).string(bytes).u32(number).u64(wide)
        const reader = new WireReader(writer.bytes())
        for (const { text, bytes, number, wide } of parts) {
          expect(reader.text()).toBe(text)
          expect(reader.bytes().equals(bytes)).toBe(true)
          expect(reader.u32()).toBe(number)
          expect(reader.u64()).toBe(wide)
        }
        reader.end()
      }),
      { numRuns: 50 },
    )
  })

  it('writes nested strings with the length of what is inside', () => {
    const writer = new WireWriter()
    const mark = writer.beginString()
    writer.string('ab').endString(mark)
    expect([...writer.bytes()]).toEqual([0, 0, 0, 6, 0, 0, 0, 2, 97, 98])
  })

  it('starts over after a reset, and hands out bytes that later writes do not change', () => {
    const writer = new WireWriter()
    const first = writer.string('first').bytes()
    writer.reset().string('other')
    expect(new WireReader(first).text()).toBe('first')
  })

  it('never reads past the end: any cut or lying length is a WireError', () => {
    const whole = new WireWriter().string('abc').u64(7n).bytes()
    for (let length = 0; length < whole.length; length += 1) {
      const reader = new WireReader(whole.subarray(0, length))
      expect(() => {
        reader.text()
        reader.u64()
      }).toThrow(WireError)
    }
    expect(() => new WireReader(Buffer.from([255, 255, 255, 255, 1])).bytes()).toThrow(WireError)
    expect(() => new WireReader(whole).end()).toThrow(/unexpected bytes/)
  })

  it('refuses text that would read back as another name', () => {
    for (const text of ['a\0b', 'a\0', 'half \ud800', '\udc00'])
      expect(() => new WireWriter().string(text)).toThrow(WireError)
    for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [97, 0], [0]])
      expect(() => new WireReader(new WireWriter().string(Buffer.from(bytes)).bytes()).text()).toThrow(WireError)
  })
})
