import { assertNever } from '../../shared/errors.ts'
import { WireError, WireReader, type WireWriter } from './wire.ts'

/** Serials of one authority, both ends included. */
export interface SerialRange {
  readonly first: bigint
  readonly last: bigint
}

const sectionType = { list: 0x20, range: 0x21, bitmap: 0x22 } as const
const maximumU64 = 0xffff_ffff_ffff_ffffn
/**
 * OpenSSH reads a bitmap as a number and takes none with more bits (SSHBUF_MAX_BIGNUM). `ssh-keygen -k` of OpenSSH 9.2
 * writes wider ones all the same, and sshd then refuses every login.
 */
const mostBitmapBits = 16_384

/** Sorted, without overlap and without neighbors. Throws {@link WireError} for 0 and for what is not 64 bits wide. */
export function mergeSerials(serials: readonly (bigint | SerialRange)[]): SerialRange[] {
  const ranges = serials.map((serial) => (typeof serial === 'bigint' ? { first: serial, last: serial } : serial))
  for (const range of ranges) refuseImpossible(range)
  ranges.sort((left, right) => (left.first < right.first ? -1 : left.first > right.first ? 1 : 0))
  const merged: SerialRange[] = []
  for (const { first, last } of ranges) {
    const previous = merged.at(-1)
    if (previous === undefined || first > previous.last + 1n) merged.push({ first, last })
    else if (last > previous.last) merged[merged.length - 1] = { first: previous.first, last }
  }
  return merged
}

/** sshd rejects the whole list over one serial 0, and with it every login. */
function refuseImpossible({ first, last }: SerialRange): void {
  if (first === 0n) throw new WireError('serial 0 means "no serial" and cannot be revoked; revoke the key id')
  if (first < 0n || last > maximumU64 || first > last) throw new WireError(`not a range of serials: ${first}-${last}`)
}

/** `runs[from]` up to, not including, `runs[to]`, written in one section. */
interface Section {
  readonly kind: keyof typeof sectionType
  readonly from: number
  readonly to: number
}

const headBytes = 5
const rangeBytes = headBytes + 16
/** Offset, length of the number, and the one byte of the shortest number. */
const bitmapBytes = headBytes + 8 + 4 + 1
/** A longer run is smaller as a range, whatever stands around it. */
const longestListedRun = 8n

/** With the size of everything up to its end. */
interface SizedSection extends Section {
  readonly bytes: number
}

/**
 * The sections with the fewest bytes in which merged runs can be written, no run torn apart. Goes through the runs once
 * and keeps the smallest size up to each.
 */
function chooseSections(runs: readonly SerialRange[]): Section[] {
  const chosen: SizedSection[] = []
  const bitmaps = new BitmapStarts()
  let list: SizedSection | undefined
  for (const [index, run] of runs.entries()) {
    const next = { run, index, bytesBefore: chosen.at(-1)?.bytes ?? 0 }
    list = listThrough(list, next)
    const range: SizedSection = { kind: 'range', from: index, to: index + 1, bytes: next.bytesBefore + rangeBytes }
    chosen.push(smallest(smallest(range, list), bitmaps.bestThrough(next)))
  }
  return lastOnes(chosen)
}

function smallest(left: SizedSection, right: SizedSection | undefined): SizedSection {
  return right !== undefined && right.bytes < left.bytes ? right : left
}

/** Of the choices for every run those that count: each section must end where the next begins. */
function lastOnes(chosen: readonly SizedSection[]): Section[] {
  const sections: Section[] = []
  for (let section = chosen.at(-1); section !== undefined; section = chosen[section.from - 1]) sections.push(section)
  return sections.reverse()
}

interface NextRun {
  readonly run: SerialRange
  readonly index: number
  /** Size of the smallest sections for the runs before it. */
  readonly bytesBefore: number
}

/** The list goes on or begins anew, whichever is smaller. */
function listThrough(list: SizedSection | undefined, { run, index, bytesBefore }: NextRun): SizedSection | undefined {
  const count = run.last - run.first + 1n
  if (count > longestListedRun) return undefined
  const fresh = { from: index, bytes: bytesBefore + headBytes }
  const { from, bytes } = list === undefined || fresh.bytes < list.bytes ? fresh : list
  return { kind: 'list', from, to: index + 1, bytes: bytes + 8 * Number(count) }
}

/**
 * Where a bitmap through the current run should begin. Beginning at run `s`, with `b` bytes before it, the size through
 * run `j` is `b + 18 + floor((last(j) - first(s) + 1) / 8)`. As `b` is whole, that is smallest for the smallest
 * `8 * b - first(s)`, whatever `j` is: a later candidate pushes out earlier ones that are no better, so those that are
 * left get worse, and the first that is still near enough is the best.
 */
class BitmapStarts {
  readonly #candidates: { readonly from: number; readonly first: bigint; readonly key: bigint }[] = []
  #best = 0

  bestThrough({ run, index, bytesBefore }: NextRun): SizedSection | undefined {
    this.#add({ from: index, first: run.first, key: 8n * BigInt(bytesBefore) - run.first })
    for (;;) {
      const best = this.#candidates[this.#best]
      if (best === undefined) return undefined
      const bytes = bitmapBytes + Number((run.last + 1n + best.key) >> 3n)
      if (run.last - best.first < mostBitmapBits) return { kind: 'bitmap', from: best.from, to: index + 1, bytes }
      this.#best += 1
    }
  }

  #add(candidate: { readonly from: number; readonly first: bigint; readonly key: bigint }): void {
    const { key } = candidate
    while (this.#candidates.length > this.#best && (this.#candidates.at(-1)?.key ?? key) >= key) this.#candidates.pop()
    this.#candidates.push(candidate)
  }
}

/** Writes {@link mergeSerials merged} runs in the fewest bytes. */
export function writeSerials(writer: WireWriter, runs: readonly SerialRange[]): void {
  for (const { kind, from, to } of chooseSections(runs)) {
    const mark = writer.u8(sectionType[kind]).beginString()
    const part = runs.slice(from, to)
    if (kind === 'bitmap') writeBitmap(writer, part)
    else if (kind === 'range') for (const { first, last } of part) writer.u64(first).u64(last)
    else for (const run of part) writeList(writer, run)
    writer.endString(mark)
  }
}

function writeList(writer: WireWriter, { first, last }: SerialRange): void {
  for (let serial = first; serial <= last; serial += 1n) writer.u64(serial)
}

/** A big-endian number whose bit N stands for the serial `offset + N`. */
function writeBitmap(writer: WireWriter, runs: readonly SerialRange[]): void {
  const offset = runs[0]?.first ?? 0n
  const highest = Number((runs.at(-1)?.last ?? 0n) - offset)
  // Room for one bit more than needed: a number whose first bit is set would be negative.
  const bytes = new Uint8Array(((highest + 1) >> 3) + 1)
  for (const { first, last } of runs)
    for (let bit = Number(first - offset); bit <= Number(last - offset); bit += 1) setBit(bytes, bit)
  writer.u64(offset).string(bytes)
}

function setBit(bytes: Uint8Array, bit: number): void {
  const index = bytes.length - 1 - (bit >> 3)
  bytes[index] = (bytes[index] ?? 0) | (1 << (bit & 7))
}

function hasBit(bytes: Uint8Array, bit: number): boolean {
  return ((bytes[bytes.length - 1 - (bit >> 3)] ?? 0) & (1 << (bit & 7))) !== 0
}

type SerialSection =
  /** Eight bytes a serial, as in the file. */
  | { readonly kind: 'list'; readonly bytes: Buffer }
  | { readonly kind: 'range'; readonly range: SerialRange }
  | { readonly kind: 'bitmap'; readonly offset: bigint; readonly bytes: Buffer }

/** The serials of one authority. Sections stay packed as they were read, so that memory is bounded by the file. */
export class RevokedSerials {
  readonly #sections: SerialSection[] = []

  /**
   * Reads one section. Throws {@link WireError} for what sshd would reject.
   * @returns false when it is not one of serials
   */
  read(type: number, data: Uint8Array): boolean {
    const reader = new WireReader(data)
    if (type === sectionType.list) this.#sections.push(readList(reader))
    else if (type === sectionType.range) this.#sections.push(readRange(reader))
    else if (type === sectionType.bitmap) this.#sections.push(readBitmap(reader))
    else return false
    reader.end()
    return true
  }

  has(serial: bigint): boolean {
    return this.#sections.some((section) => holds(section, serial))
  }

  /** In the order of the file; ranges that continue each other come as one. */
  *ranges(): Generator<SerialRange, void, undefined> {
    let open: SerialRange | undefined
    for (const next of this.#pieces()) {
      if (open?.last === next.first - 1n) open = { first: open.first, last: next.last }
      else {
        if (open !== undefined) yield open
        open = next
      }
    }
    if (open !== undefined) yield open
  }

  *#pieces(): Generator<SerialRange, void, undefined> {
    for (const section of this.#sections) {
      if (section.kind === 'range') yield section.range
      else for (const serial of serialsOf(section)) yield { first: serial, last: serial }
    }
  }
}

function readList(reader: WireReader): SerialSection {
  const section = { kind: 'list', bytes: reader.rest() } as const
  if (section.bytes.length % 8 !== 0) throw new WireError('a list of serials ends within one')
  refuseSerials(section)
  return section
}

function readRange(reader: WireReader): SerialSection {
  const range = { first: reader.u64(), last: reader.u64() }
  refuseImpossible(range)
  return { kind: 'range', range }
}

function readBitmap(reader: WireReader): SerialSection {
  const offset = reader.u64()
  const number = reader.bytes()
  if ((number[0] ?? 0) >= 0x80) throw new WireError('a bitmap of serials is negative')
  const bytes = number[0] === 0 ? number.subarray(1) : number
  if (bytes.length * 8 > mostBitmapBits) throw new WireError(`a bitmap of serials has more than ${mostBitmapBits} bits`)
  const section = { kind: 'bitmap', offset, bytes } as const
  refuseSerials(section)
  return section
}

function refuseSerials(section: Exclude<SerialSection, { kind: 'range' }>): void {
  for (const serial of serialsOf(section)) refuseImpossible({ first: serial, last: serial })
}

function* serialsOf(section: Exclude<SerialSection, { kind: 'range' }>): Generator<bigint, void, undefined> {
  const { bytes } = section
  if (section.kind === 'list') for (let at = 0; at < bytes.length; at += 8) yield bytes.readBigUInt64BE(at)
  else for (let bit = 0; bit < bytes.length * 8; bit += 1) if (hasBit(bytes, bit)) yield section.offset + BigInt(bit)
}

function holds(section: SerialSection, serial: bigint): boolean {
  switch (section.kind) {
    case 'list':
      return serialsOf(section).some((one) => one === serial)
    case 'range':
      return section.range.first <= serial && serial <= section.range.last
    case 'bitmap': {
      const bit = serial - section.offset
      return bit >= 0n && bit < BigInt(section.bytes.length * 8) && hasBit(section.bytes, Number(bit))
    }
    default:
      return assertNever(section)
  }
}
