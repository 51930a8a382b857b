import { lineTag } from './hosts.ts'

/*
 * Our lines in a hosts file: one block between marks. Everything outside belongs to somebody else and keeps every
 * byte. Texts are latin1, so that bytes that are no UTF-8 survive. A new block goes to the end, because of two lines
 * with one name the first one counts, and that should stay the one a person wrote.
 */

export const hostsBegin = '# lockstep hosts: begin'
/** The line before had no end: the one there now belongs to the block, and goes with it. */
const hostsBeginBelow = '# lockstep hosts: begin (with the end of the line above)'
export const hostsEnd = '# lockstep hosts: end'

/** A block of somebody before us, to be taken over. */
export interface ForeignBlock {
  /** What its first line begins with. */
  readonly begin: string
  /** Its last line; null when it ends at the first line that is no address with names. */
  readonly end: string | null
}

/** What the original `sync-dns.sh` leaves: a heading with a date, the lines, and an empty line. */
export const syncDnsBlock: ForeignBlock = { begin: '# MyNodeOne Services', end: null }

export type HostsChange =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly message: string }

/**
 * The hosts file with these lines of ours and no older ones, wherever those are: in another block, in a block that was
 * cut, in a block of `foreign`. Every other byte stays, and the file's own line ends are used. Applying twice is
 * applying once.
 *
 * @param lines as `renderHosts` makes them; none for no block at all.
 */
export function withHostsBlock(
  text: string,
  lines: string,
  { foreign = [syncDnsBlock] }: { readonly foreign?: readonly ForeignBlock[] } = {},
): HostsChange {
  if (text.includes('\0'))
    return { ok: false, message: 'the hosts file holds a NUL byte: it is damaged or no text, and was left as it is' }
  const { before, after } = withoutOurs(text, foreign)
  if (lines === '') return { ok: true, text: before + after }
  const lineEnd = /\r?\n/.exec(before || after)?.[0] ?? '\n'
  const body = [hostsEnd, ''].join(lineEnd)
  const open = before !== '' && !before.endsWith('\n')
  const head = open ? `${lineEnd}${hostsBeginBelow}${lineEnd}` : `${hostsBegin}${lineEnd}`
  return { ok: true, text: `${before}${head}${lines.replaceAll('\n', lineEnd)}${body}${after}` }
}

/**
 * Our lines as they lie in a hosts file, with line ends as `renderHosts` writes them: what is digested to prove them.
 * Null unless there is exactly one whole block: of two, nobody could say which one counts.
 */
export function readHostsBlock(text: string): string | null {
  const begins = marks(text, [hostsBegin, hostsBeginBelow])
  const ends = marks(text, [hostsEnd])
  const [begin] = begins
  const [end] = ends
  if (begins.length !== 1 || ends.length !== 1 || begin === undefined || end === undefined) return null
  if (end.start < begin.end) return null
  return text.slice(begin.end, end.start).replaceAll('\r\n', '\n')
}

interface Span {
  readonly start: number
  readonly end: number
}

/** Lines that are one of these marks and nothing else, spaces behind it aside; within a line it is somebody's text. */
function marks(text: string, wanted: readonly string[]): Span[] {
  const common = wanted[0] ?? ''
  return linesThatBegin(text, common).filter(({ start, end }) => wanted.includes(text.slice(start, end).trimEnd()))
}

function linesThatBegin(text: string, beginning: string): Span[] {
  const found: Span[] = []
  for (let at = text.indexOf(beginning); at !== -1; at = text.indexOf(beginning, at + 1)) {
    if (at === 0 || text[at - 1] === '\n') found.push(lineFrom(text, at))
  }
  return found
}

/** A line with its end. */
function lineFrom(text: string, start: number): Span {
  const end = text.indexOf('\n', start)
  return { start, end: end === -1 ? text.length : end + 1 }
}

/** The file without anything of ours, cut where the first of it was; else at its end. */
function withoutOurs(
  text: string,
  foreign: readonly ForeignBlock[],
): { readonly before: string; readonly after: string } {
  const own = ownSpans(text)
  const spans = [...own, ...foreign.flatMap((block) => foreignSpans(text, block))].sort(
    (left, right) => left.start - right.start,
  )
  const place = own[0]?.start ?? spans[0]?.start ?? text.length
  const kept = { before: '', after: '' }
  let at = 0
  for (const { start, end } of [...spans, { start: text.length, end: text.length }]) {
    if (start > at) kept[at < place ? 'before' : 'after'] += text.slice(at, start)
    at = Math.max(at, end)
  }
  return kept
}

function ownSpans(text: string): Span[] {
  const ends = marks(text, [hostsEnd])
  const begins = marks(text, [hostsBegin, hostsBeginBelow])
  const endOf = nextMark(ends)
  const spans = begins.map((begin, index): Span => {
    const next = begins[index + 1]?.start ?? text.length
    const end = endOf(begin.end)
    const stop = end === null || end.start >= next ? endOfTagged(text, begin.end) : end.end
    return { start: startOf(text, begin, stop), end: stop }
  })
  return [...spans, ...ends].sort((left, right) => left.start - right.start)
}

/** The first mark at or behind an offset, for offsets that grow. */
function nextMark(spans: readonly Span[]): (from: number) => Span | null {
  let index = 0
  return (from) => {
    while ((spans[index]?.start ?? from) < from) index += 1
    return spans[index] ?? null
  }
}

/** Once there is a line below the block, the line above needs its end itself. */
function startOf(text: string, begin: Span, stop: number): number {
  if (!text.startsWith(hostsBeginBelow, begin.start) || stop < text.length) return begin.start
  const lineEnd = text.slice(begin.start, begin.end).endsWith('\r\n') ? '\r\n' : '\n'
  return text.startsWith(lineEnd, begin.start - lineEnd.length) ? begin.start - lineEnd.length : begin.start
}

/** In a block without its end only the lines that carry our tag are surely ours. */
function endOfTagged(text: string, from: number): number {
  let end = from
  while (end < text.length) {
    const line = lineFrom(text, end)
    if (!text.slice(line.start, line.end).trimEnd().endsWith(lineTag)) break
    end = line.end
  }
  return end
}

const entryLine = /^[ \t]*[0-9A-Fa-f:.]+[ \t]+[A-Za-z0-9._-][A-Za-z0-9._ \t-]*\r?\n?$/

function foreignSpans(text: string, { begin, end }: ForeignBlock): Span[] {
  const endOf = nextMark(end === null ? [] : marks(text, [end]))
  return linesThatBegin(text, begin).flatMap((head): Span[] => {
    if (end === null) return [{ start: head.start, end: endOfEntries(text, head.end) }]
    // Without its end it is left alone: what follows may be anybody's.
    const mark = endOf(head.end)
    return mark === null ? [] : [{ start: head.start, end: mark.end }]
  })
}

/** Behind the entries, and behind the empty line that closes them. */
function endOfEntries(text: string, from: number): number {
  let end = from
  while (end < text.length) {
    const line = lineFrom(text, end)
    const content = text.slice(line.start, line.end)
    if (content.trim() === '') return line.end
    if (!entryLine.test(content)) return end
    end = line.end
  }
  return end
}

/** A name of ours that a line above our block gives another address: programs take that one. */
export interface ShadowedName {
  readonly name: string
  readonly ip: string
  /** The other line, from 1. */
  readonly line: number
}

/**
 * Names that this machine will not resolve to what was delivered, although our block is there and whole: the first line
 * with a name counts (hosts(5)). To be shown as a warning; the line is somebody's, and stays.
 */
export function shadowedNames(text: string): ShadowedName[] {
  const own = new Map(
    hostsEntries(readHostsBlock(text) ?? '').flatMap(({ ip, names }) => names.map((name) => [name, ip])),
  )
  const [begin] = marks(text, [hostsBegin, hostsBeginBelow])
  return hostsEntries(text.slice(0, begin?.start ?? 0)).flatMap(({ ip, names, line }) =>
    names.filter((name) => own.has(name) && own.get(name) !== ip).map((name) => ({ name, ip, line })),
  )
}

interface HostsEntry {
  readonly ip: string
  readonly names: readonly string[]
  readonly line: number
}

/** Addresses with their names, in small letters, as programs read them (hosts(5)). */
export function hostsEntries(text: string): HostsEntry[] {
  return text.split('\n').flatMap((content, index): HostsEntry[] => {
    const [ip = '', ...names] = (content.split('#', 1)[0] ?? '')
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== '')
    return names.length === 0 ? [] : [{ ip, names, line: index + 1 }]
  })
}
