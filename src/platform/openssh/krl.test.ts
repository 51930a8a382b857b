import { createHash, generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AuthorityRevocations, decodeKrl, encodeKrl, isRevoked, type KrlContent } from './krl.ts'
import type { SerialRange } from './krlSerials.ts'
import { ed25519Blob, fingerprintOf } from './publicKey.ts'
import { WireError, WireWriter } from './wire.ts'

const newKey = (): Buffer => ed25519Blob(generateKeyPairSync('ed25519').publicKey)
const authorityKey = newKey()
const otherAuthorityKey = newKey()
const subject = newKey()
const largest = 2n ** 64n - 1n

const listOf = (...authorities: Partial<AuthorityRevocations>[]): KrlContent => ({
  version: 7n,
  generatedAtSeconds: 1_700_000_000,
  comment: 'lockstep',
  authorities: authorities.map((one) => ({ publicKeyBlob: authorityKey, serials: [], keyIds: [], ...one })),
})
const serialsIn = (bytes: Uint8Array): SerialRange[] => [...(decodeKrl(bytes).authorities[0]?.serials.ranges() ?? [])]
const withCertificate = (over: Partial<Parameters<typeof isRevoked>[1]> = {}) => ({
  subjectBlob: subject,
  signerBlob: authorityKey,
  serial: 5n,
  keyId: 'node',
  ...over,
})
/** A list of one section, which sshd may not like. */
const rawList = (type: number, write: (writer: WireWriter) => void): Buffer => {
  const writer = new WireWriter().raw(encodeKrl(listOf())).u8(type)
  const mark = writer.beginString()
  write(writer)
  return writer.endString(mark).bytes()
}
const rawSerials = (type: number, ...words: readonly bigint[]): Buffer =>
  rawList(1, (writer) => {
    writer.string(authorityKey).string('').u8(type)
    const mark = writer.beginString()
    for (const word of words) writer.u64(word)
    writer.endString(mark)
  })

const range = fc
  .tuple(fc.bigInt({ min: 1n, max: largest }), fc.bigInt({ min: 0n, max: 40_000n }))
  .map(([first, more]) => ({ first, last: first + more > largest ? largest : first + more }))
const near = fc.bigInt({ min: 1n, max: 60_000n })
const serials = fc.oneof(
  fc.array(near, { maxLength: 300 }),
  fc.array(fc.bigInt({ min: 1n, max: largest }), { maxLength: 60 }),
  fc.array(fc.oneof(near, range), { maxLength: 60 }),
)

describe('key revocation lists', () => {
  it('F56 an empty list is a header, byte for byte', () => {
    expect(encodeKrl(listOf()).toString('hex')).toBe(
      '5353484b524c0a00' +
        '00000001' +
        '0000000000000007' +
        '000000006553f100' +
        '0000000000000000' +
        '00000000' +
        '00000008' +
        Buffer.from('lockstep').toString('hex'),
    )
    expect(decodeKrl(encodeKrl(listOf()))).toEqual({
      version: 7n,
      generatedAtSeconds: 1_700_000_000,
      comment: 'lockstep',
      authorities: [],
      explicitKeys: [],
      fingerprints: [],
      sha1Hashes: [],
    })
  })

  it('F56 reads back who is in it: serials merged and in order, key ids, keys, fingerprints', () => {
    const content = {
      ...listOf({ serials: [9n, 3n, { first: 10n, last: 12n }, 3n], keyIds: ['b', 'ä', 'b'] }),
      explicitKeys: [subject, subject],
      fingerprints: [fingerprintOf(otherAuthorityKey)],
    }
    const krl = decodeKrl(encodeKrl(content))
    expect(serialsIn(encodeKrl(content))).toEqual([
      { first: 3n, last: 3n },
      { first: 9n, last: 12n },
    ])
    expect(krl.authorities[0]).toMatchObject({ publicKeyBlob: authorityKey, keyIds: ['b', 'ä'] })
    expect(krl).toMatchObject({ version: 7n, explicitKeys: [subject], fingerprints: content.fingerprints })
  })

  it('F56 holds exactly the serials it was given, whatever they are', () => {
    fc.assert(
      fc.property(serials, fc.array(near), (wanted, others) => {
        const krl = decodeKrl(encodeKrl(listOf({ serials: wanted })))
        const ranges = [...(krl.authorities[0]?.serials.ranges() ?? [])]
        expect(ranges).toEqual(merged(wanted))
        for (const serial of [
          ...others,
          ...ranges.flatMap(({ first, last }) => [first - 1n, first, last, last + 1n]),
        ]) {
          const inside = ranges.some(({ first, last }) => first <= serial && serial <= last)
          expect(isRevoked(krl, withCertificate({ serial })), String(serial)).toBe(inside)
        }
      }),
      { numRuns: 200 },
    )
  })

  it('F56 is the same bytes for the same content, in whatever order it comes', () => {
    const authorities = [
      { serials: [1n, 5n, 9n], keyIds: ['one', 'two'] },
      { publicKeyBlob: otherAuthorityKey, serials: [2n] },
      { publicKeyBlob: null, keyIds: ['three'] },
    ]
    const shuffled = [
      { publicKeyBlob: null, keyIds: ['three'] },
      { serials: [9n], keyIds: ['two'] },
      { publicKeyBlob: otherAuthorityKey, serials: [{ first: 2n, last: 2n }] },
      { serials: [5n, 1n, 9n], keyIds: ['one'] },
    ]
    const keys = { explicitKeys: [subject, otherAuthorityKey] }
    expect(
      encodeKrl({ ...listOf(...authorities), ...keys }).equals(
        encodeKrl({ ...listOf(...shuffled), explicitKeys: keys.explicitKeys.toReversed() }),
      ),
    ).toBe(true)
  })

  it('F56 no other choice of sections is smaller', () => {
    const small = fc.array(
      fc.oneof(
        fc.bigInt({ min: 1n, max: 400n }),
        fc.bigInt({ min: 1n, max: 40_000n }),
        fc.bigInt({ min: 1n, max: 400n }).map((first) => ({ first, last: first + 30n })),
      ),
      { minLength: 1, maxLength: 9 },
    )
    const without = encodeKrl(listOf({ keyIds: [''] })).length - 9
    fc.assert(
      fc.property(small, (wanted) => {
        expect(encodeKrl(listOf({ serials: wanted })).length - without).toBe(smallestSize(merged(wanted)))
      }),
      { numRuns: 300 },
    )
  })

  it('F55 revokes by serial of this authority only, by key id, by key and by authority', () => {
    const revoked = (content: KrlContent, over?: Parameters<typeof withCertificate>[0]): boolean =>
      isRevoked(decodeKrl(encodeKrl(content)), withCertificate(over))
    expect(revoked(listOf())).toBe(false)
    expect(revoked(listOf({ serials: [5n] }))).toBe(true)
    expect(revoked(listOf({ serials: [4n, 6n] }))).toBe(false)
    expect(revoked(listOf({ serials: [5n] }), { signerBlob: otherAuthorityKey })).toBe(false)
    expect(revoked(listOf({ publicKeyBlob: null, serials: [5n] }), { signerBlob: otherAuthorityKey })).toBe(true)
    expect(revoked(listOf({ keyIds: ['node'] }), { serial: 0n })).toBe(true)
    expect(revoked(listOf({ keyIds: ['node'] }), { keyId: 'node2' })).toBe(false)
    expect(revoked({ ...listOf(), explicitKeys: [subject] })).toBe(true)
    expect(revoked({ ...listOf(), explicitKeys: [authorityKey] })).toBe(true)
    expect(revoked({ ...listOf(), fingerprints: [fingerprintOf(subject)] })).toBe(true)
    expect(revoked({ ...listOf(), fingerprints: [fingerprintOf(otherAuthorityKey)] })).toBe(false)
    const sha1 = createHash('sha1').update(subject).digest()
    expect(isRevoked(decodeKrl(rawList(3, (writer) => writer.string(sha1))), withCertificate())).toBe(true)
    expect(isRevoked(decodeKrl(rawSerials(0x21, 1n, largest)), withCertificate({ serial: 0n }))).toBe(false)
  })

  it.each<[string, () => KrlContent]>([
    ['serial 0', () => listOf({ serials: [0n] })],
    ['a range from 0', () => listOf({ serials: [{ first: 0n, last: 5n }] })],
    ['a range backwards', () => listOf({ serials: [{ first: 5n, last: 4n }] })],
    ['a serial of 65 bits', () => listOf({ serials: [largest + 1n] })],
    ['a negative serial', () => listOf({ serials: [-1n] })],
    ['a key id with a NUL', () => listOf({ keyIds: ['a\0b'] })],
    ['a key id of half a character', () => listOf({ keyIds: ['\ud800'] })],
    ['an authority without a key', () => listOf({ publicKeyBlob: new Uint8Array(0), serials: [1n] })],
    ['an authority with a broken key', () => listOf({ publicKeyBlob: authorityKey.subarray(0, 40), serials: [1n] })],
    ['a comment with a NUL', () => ({ ...listOf(), comment: 'a\0b' })],
    ['a broken key', () => ({ ...listOf(), explicitKeys: [Buffer.from('key')] })],
    ['a cut fingerprint', () => ({ ...listOf(), fingerprints: [fingerprintOf(subject).slice(0, -1)] })],
    ['an MD5 fingerprint', () => ({ ...listOf(), fingerprints: ['MD5:aa:bb'] })],
    ['a time that is no time', () => ({ ...listOf(), generatedAtSeconds: 1.5 })],
    ['more than anybody reads', () => listOf({ keyIds: ['x'.repeat(4 * 1024 * 1024)] })],
  ])('F56 writes no list that locks everyone out: %s', (_label, content) => {
    expect(() => encodeKrl(content())).toThrow(WireError)
  })

  it.each<[string, () => Buffer]>([
    ['no list at all', () => Buffer.from('ssh-ed25519 AAAA')],
    ['another format', () => Buffer.concat([Buffer.from('SSHKRL\n\0\0\0\0\x02'), encodeKrl(listOf()).subarray(12)])],
    ['serial 0 in a list', () => rawSerials(0x20, 1n, 0n)],
    ['a range from 0', () => rawSerials(0x21, 0n, 4n)],
    ['a range backwards', () => rawSerials(0x21, 5n, 4n)],
    ['a range with more behind it', () => rawSerials(0x21, 1n, 4n, 5n)],
    ['a section nobody knows', () => rawSerials(0x24)],
    ['a bitmap below zero', () => rawBitmap(1n, Buffer.from([0x80]))],
    ['a bitmap with serial 0', () => rawBitmap(0n, Buffer.from([1]))],
    ['a bitmap beyond 64 bits', () => rawBitmap(largest, Buffer.from([2]))],
    ['a bitmap that is too wide', () => rawBitmap(1n, Buffer.alloc(2049, 1))],
    ['a signed list', () => rawList(4, (writer) => writer.raw(authorityKey))],
    ['a hash of the wrong length', () => rawList(5, (writer) => writer.string(Buffer.alloc(20)))],
    ['an extension that must be understood', () => rawList(255, (writer) => writer.string('new@x').u8(1).string(''))],
    ['more bytes than are read', () => Buffer.alloc(5 * 1024 * 1024)],
  ])('F56 rejects %s', (_label, bytes) => {
    expect(() => decodeKrl(bytes())).toThrow(WireError)
  })

  it('F56 passes over an extension that need not be understood', () => {
    expect(decodeKrl(rawList(255, (writer) => writer.string('new@x').u8(0).string('content'))).version).toBe(7n)
  })

  it('F56 survives rubbish: what is not a list is a WireError and nothing else', () => {
    const good = encodeKrl({
      ...listOf({ serials: [1n, 3n, 900n, { first: 5000n, last: 6000n }, largest], keyIds: ['a', 'b'] }),
      explicitKeys: [subject],
      fingerprints: [fingerprintOf(subject)],
    })
    const tolerated = (bytes: Uint8Array): void => {
      try {
        for (const { serials } of decodeKrl(bytes).authorities) expect([...serials.ranges()].length).toBeLessThan(1e6)
      } catch (error) {
        expect(error).toBeInstanceOf(WireError)
      }
    }
    for (let length = 0; length < good.length; length += 1) tolerated(good.subarray(0, length))
    const change = fc.record({ at: fc.nat(good.length - 1), value: fc.nat(255) })
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        const bad = Buffer.from(good)
        for (const { at, value } of changes) bad[at] = value
        tolerated(bad)
      }),
      { numRuns: 2000 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (noise) => {
        tolerated(Buffer.concat([good.subarray(0, 52), noise]))
        tolerated(rawList(1, (writer) => writer.string(authorityKey).string('').raw(noise)))
      }),
      { numRuns: 1000 },
    )
  })
})

function rawBitmap(offset: bigint, bits: Buffer): Buffer {
  return rawList(1, (writer) => {
    writer.string(authorityKey).string('').u8(0x22)
    const mark = writer.beginString()
    writer.u64(offset).string(bits).endString(mark)
  })
}

/** The plainest way to say what is in it. */
function merged(serials: readonly (bigint | SerialRange)[]): SerialRange[] {
  const ranges = serials.map((one) => (typeof one === 'bigint' ? { first: one, last: one } : { ...one }))
  for (let again = true; again; ) {
    again = false
    for (const left of ranges) {
      const at = ranges.findIndex(
        (right) => right !== left && right.first <= left.last + 1n && left.first <= right.last + 1n,
      )
      const right = ranges[at]
      if (right === undefined) continue
      left.first = left.first < right.first ? left.first : right.first
      left.last = left.last > right.last ? left.last : right.last
      ranges.splice(at, 1)
      again = true
      break
    }
  }
  return ranges.sort((left, right) => (left.first < right.first ? -1 : 1))
}

/** Tries every way to cut the runs into sections, each in the smallest form that can hold it. */
function smallestSize(runs: readonly SerialRange[]): number {
  if (runs.length === 0) return 0
  const sizes = runs.map((_, index) => sectionSize(runs.slice(0, index + 1)) + smallestSize(runs.slice(index + 1)))
  return Math.min(...sizes)
}

function sectionSize(runs: readonly SerialRange[]): number {
  const count = runs.reduce((sum, { first, last }) => sum + Number(last - first) + 1, 0)
  const bits = Number((runs.at(-1)?.last ?? 0n) - (runs[0]?.first ?? 0n)) + 1
  const bitmap = bits > 16_384 ? Number.POSITIVE_INFINITY : 5 + 8 + 4 + Math.ceil((bits + 1) / 8)
  return Math.min(5 + 8 * count, runs.length === 1 ? 5 + 16 : Number.POSITIVE_INFINITY, bitmap)
}
