import type { ByteName } from '../parse/rsync.ts'
import { shellQuote } from './remoteShell.ts'
import { partialDirectory } from './rsyncArguments.ts'

/*
 * A tree in one line for each entry, as `find -printf` of GNU writes it and as we can write it of our own tree. Two trees
 * with the same lines hold the same names, kinds, sizes, times to the nanosecond, permissions and link targets.
 */

/** What one entry is, without its name. */
export type EntryFacts = string

/** An entry of a tree with its times; `linkTarget` of links alone. */
export interface DescribedEntry {
  readonly type: 'file' | 'directory' | 'symlink'
  readonly name: ByteName
  readonly sizeBytes: number
  readonly modifiedNs: bigint
  readonly mode: number
  readonly linkTarget: ByteName | null
}

const billion = 1_000_000_000n

/** `%T@`: seconds, a point, ten digits. */
function findTime(modifiedNs: bigint): string {
  const nanoseconds = ((modifiedNs % billion) + billion) % billion
  return `${(modifiedNs - nanoseconds) / billion}.${String(nanoseconds).padStart(9, '0')}0`
}

/** What {@link listingScript} says of an entry that is the same. */
export function factsOf(entry: DescribedEntry): EntryFacts {
  const mode = entry.mode.toString(8)
  if (entry.type === 'directory') return `d ${mode}`
  if (entry.type === 'symlink') return `l ${entry.linkTarget ?? ''}`
  return `f ${mode} ${entry.sizeBytes} ${findTime(entry.modifiedNs)}`
}

/** The whole line of an entry, without the NUL that ends it. */
export function listingLine({ name, sizeBytes }: DescribedEntry, facts: EntryFacts): string {
  return facts.startsWith('l ') ? `l ${sizeBytes} ${name}/${facts.slice(2)}` : `${facts} ${name}`
}

/** Null for a line that says that the tree could not be read completely, or that nobody understands. */
function parseLine(line: string): { readonly name: ByteName; readonly facts: EntryFacts } | null {
  const link = /^l (\d+) /.exec(line)
  if (link !== null) {
    const target = line.length - Number(link[1])
    const name = line.slice(link[0].length, target - 1)
    return line[target - 1] === '/' ? { name, facts: `l ${line.slice(target)}` } : null
  }
  const other = /^(?:f [0-7]+ \d+ -?\d+\.\d+|d [0-7]+|o)(?= )/.exec(line)
  return other === null ? null : { name: line.slice(other[0].length + 1), facts: other[0] }
}

/** What has to be done to a tree to make it the wanted one, as far as listings tell. */
export interface ListingDifference {
  /** Missing or other: to be looked at by rsync. */
  readonly changed: readonly ByteName[]
  /** Something of another kind stands where one of ours goes, or something that we do not have lies there. */
  readonly holdsOther: boolean
}

/** @returns null when the listing cannot be relied on */
export function compareListing(
  wanted: ReadonlyMap<ByteName, EntryFacts>,
  lines: Iterable<string>,
): ListingDifference | null {
  const changed: ByteName[] = []
  const seen = new Set<ByteName>()
  let holdsOther = false
  for (const line of lines) {
    const entry = parseLine(line)
    if (entry === null) return null
    const facts = wanted.get(entry.name)
    if (facts === undefined || facts[0] !== entry.facts[0]) holdsOther = true
    if (facts === undefined) continue
    seen.add(entry.name)
    if (facts !== entry.facts) changed.push(entry.name)
  }
  for (const name of wanted.keys()) if (!seen.has(name)) changed.push(name)
  return { changed, holdsOther }
}

/** The same of two trees whose entries are known here. */
export function compareFacts(
  wanted: ReadonlyMap<ByteName, EntryFacts>,
  there: ReadonlyMap<ByteName, EntryFacts>,
): ListingDifference {
  const changed: ByteName[] = []
  let holdsOther = false
  for (const [name, facts] of wanted) {
    const found = there.get(name)
    if (found !== facts) changed.push(name)
    if (found !== undefined && found[0] !== facts[0]) holdsOther = true
  }
  for (const name of there.keys()) if (!wanted.has(name)) holdsOther = true
  return { changed, holdsOther }
}

/**
 * The test of `find` that means the same as an exclude of rsync; null for the patterns that only rsync understands. Then
 * what they protect shows in the listing as something that we do not have, and rsync is asked.
 */
export function findTestOf(pattern: string): string | null {
  const [body = '', isDirectory] = pattern.endsWith('/') ? [pattern.slice(0, -1), '-type d '] : [pattern, '']
  if (/^\/[A-Za-z0-9._@+=,:~-]+(?:\/[A-Za-z0-9._@+=,:~-]+)*$/.test(body))
    return `${isDirectory}-path ${shellQuote(`.${body}`)}`
  const isSimple = /^[A-Za-z0-9._@+=,:~*-]+$/.test(body) && !body.includes('**')
  return isSimple ? `${isDirectory}-name ${shellQuote(body)}` : null
}

/** In front of all lines, so that a node whose `sort` or `sha256sum` gave nothing does not pass for one with an empty tree. */
export const listingHead = '!'

/** Of a directory with nothing in it: SHA-256 of {@link listingHead} and its NUL. */
export const emptyListing = '8f67d6297ed1da42e485a7330c18cac5f4bf223d85ddccb1dded039a40571849'

/** Where `find` cannot print what we ask for: the head, and `e` for a tree that was not read. */
export const noListing = '4f9bbc926976476edb28c2af72221cf79e3d318850a7fb954d2c8a4b0c92e6cc'

/**
 * Functions of `sh` about the current directory: `l_list` writes one line for each entry, ended by NUL; `l_digest` says
 * the SHA-256 of all sorted lines, or something else where the programs for it are not there. Excluded entries are left out.
 */
export function listingScript(excludes: readonly string[]): string {
  const tests = [`${partialDirectory}/`, ...excludes].flatMap((pattern) => findTestOf(pattern) ?? [])
  const skipped = tests.map((test) => `\\( ${test} \\)`).join(' -o ')
  return `
l_list() {
  find . -mindepth 1 \\( ${skipped} \\) -prune -o \\( -type f -printf 'f %m %s %T@ %P\\0' -o -type d -printf 'd %m %P\\0' -o -type l -printf 'l %s %P/%l\\0' -o -printf 'o %P\\0' \\) || printf 'e\\0'
}
# Left to itself, sort takes memory as if the machine were its own, and threads for it.
l_digest() {
  l_all=$({ printf '${listingHead}\\0'; l_list; } 2>/dev/null | LC_ALL=C sort -z --parallel=1 -S 16M 2>/dev/null | sha256sum 2>/dev/null)
  echo "\${l_all%% *}"
}
`
}
