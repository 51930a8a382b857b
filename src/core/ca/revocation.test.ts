import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keepExpiredMs, type RevokedCertificate, revocableSerial, revokedSerials } from './revocation.ts'

const now = 1_767_778_272_345
const revoked = (serial: string, over: Partial<RevokedCertificate> = {}): RevokedCertificate => ({
  serial,
  authorityFingerprint: 'SHA256:one',
  validBefore: now + 3_600_000,
  ...over,
})

describe('the content of a revocation list', () => {
  it('F56 is sorted by number, each serial once, authority by authority', () => {
    const rows = [
      revoked('10'),
      revoked('9'),
      revoked('18446744073709551615'),
      revoked('9', { authorityFingerprint: 'SHA256:other' }),
      revoked('10', { validBefore: now }),
    ]
    expect(revokedSerials(rows, now)).toEqual([
      { authorityFingerprint: 'SHA256:one', serials: [9n, 10n, 2n ** 64n - 1n] },
      { authorityFingerprint: 'SHA256:other', serials: [9n] },
    ])
    expect(revokedSerials([], now)).toEqual([])
  })

  it('F56 keeps what ended until thirty days later, and for ever what has no end', () => {
    const rows = [
      revoked('1', { validBefore: now - keepExpiredMs }),
      revoked('2', { validBefore: now - keepExpiredMs + 1 }),
      revoked('3', { validBefore: null }),
    ]
    expect(revokedSerials(rows, now)[0]?.serials).toEqual([2n, 3n])
    expect(revokedSerials(rows, now + 1)[0]?.serials).toEqual([3n])
  })

  it('F56 has the same content whatever the order of the rows, and loses nothing but what ended', () => {
    const row = fc.record({
      serial: fc.bigInt({ min: 1n, max: 50n }).map(String),
      authorityFingerprint: fc.constantFrom('SHA256:one', 'SHA256:other'),
      validBefore: fc.option(fc.integer({ min: now - 2 * keepExpiredMs, max: now + keepExpiredMs })),
    })
    const twice = fc
      .array(row)
      .chain((rows) => fc.tuple(fc.constant(rows), fc.shuffledSubarray(rows, { minLength: rows.length })))
    fc.assert(
      fc.property(twice, fc.nat(keepExpiredMs), ([rows, shuffled], laterMs) => {
        const content = revokedSerials(rows, now)
        expect(revokedSerials(shuffled, now)).toEqual(content)
        const listed = new Set(
          content.flatMap((one) => one.serials.map((serial) => `${one.authorityFingerprint} ${serial}`)),
        )
        for (const { serial, authorityFingerprint, validBefore } of rows)
          if (validBefore === null || validBefore > now - keepExpiredMs)
            expect(listed.has(`${authorityFingerprint} ${serial}`)).toBe(true)
        const later = revokedSerials(rows, now + laterMs)
        for (const one of later)
          for (const serial of one.serials) expect(listed.has(`${one.authorityFingerprint} ${serial}`)).toBe(true)
      }),
    )
  })

  it.each(['0', '', '-1', '1.5', '0x10', ' 1', '01', '18446744073709551616', '99999999999999999999999'])(
    'F56 refuses the serial "%s" instead of leaving it out',
    (serial) => {
      expect(() => revocableSerial(serial)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }))
      expect(() => revokedSerials([revoked('7'), revoked(serial)], now)).toThrow(/^serial: /)
    },
  )

  it('F55 takes every serial that a certificate can be revoked by', () => {
    for (const serial of [1n, 10n, 2n ** 63n, 2n ** 64n - 1n]) expect(revocableSerial(String(serial))).toBe(serial)
  })
})
