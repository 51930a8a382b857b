import { createHash } from 'node:crypto'
import type { ByteName, ListedEntry } from '../../core/parse/rsync.ts'
import type { TreeVerify } from '../../shared/model/plan.ts'
import type { Fingerprint } from './manifest.ts'

export type SampledEntry = Pick<ListedEntry, 'type' | 'name'>

/** What every choice from one list needs, made once: many nodes get the same tree. */
interface Candidates<Entry> {
  readonly entries: readonly Entry[]
  /** FNV-1a of each name. */
  readonly hashes: Uint32Array
}

const candidatesOfLists = new WeakMap<readonly SampledEntry[], Candidates<SampledEntry>>()

function candidatesOf<Entry extends SampledEntry>(list: readonly Entry[]): Candidates<Entry> {
  const known = candidatesOfLists.get(list) as Candidates<Entry> | undefined
  if (known !== undefined) return known
  const entries = list.filter(({ type }) => type !== 'directory')
  const candidates = { entries, hashes: Uint32Array.from(entries, ({ name }) => hashOf(name)) }
  candidatesOfLists.set(list, candidates)
  return candidates
}

/**
 * The files a run verifies: all of them, or as many as the plan says. What the run has just sent comes first; the
 * rest is drawn by the seed, so that another run looks at other files and the same run always at the same.
 *
 * @param list not changed afterwards
 */
export function chooseSample<Entry extends SampledEntry>(
  list: readonly Entry[],
  rule: { readonly verify: TreeVerify; readonly seed: string; readonly transferred: ReadonlySet<ByteName> },
): Entry[] {
  const { entries, hashes } = candidatesOf(list)
  const { verify, seed, transferred } = rule
  if (verify.mode === 'full' || entries.length <= verify.files) return [...entries]
  const seedHash = hashOf(seed)
  const ranks = new Float64Array(entries.length)
  for (let index = 0; index < ranks.length; index += 1) ranks[index] = mixed(hashes[index] ?? 0, seedHash)
  // Sent just now: before all others.
  if (transferred.size > 0)
    for (const [index, { name }] of entries.entries())
      if (transferred.has(name)) ranks[index] = (ranks[index] ?? 0) - 2 ** 32
  const largest = ranks.toSorted()[verify.files - 1] ?? 0
  const chosen: { readonly entry: Entry; readonly rank: number }[] = []
  for (let index = 0; index < ranks.length; index += 1) {
    const rank = ranks[index] ?? 0
    const entry = entries[index]
    if (rank <= largest && entry !== undefined) chosen.push({ entry, rank })
  }
  return chosen
    .sort((left, right) => left.rank - right.rank)
    .slice(0, verify.files)
    .map(({ entry }) => entry)
}

/** FNV-1a: fast, the same on every machine. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return hash >>> 0
}

/** Chance without a generator: spread evenly over 32 bits, another order for each seed. */
function mixed(hash: number, seedHash: number): number {
  let rank = Math.imul(hash ^ seedHash, 0x9e3779b1)
  rank = Math.imul(rank ^ (rank >>> 16), 0x85ebca6b)
  rank = Math.imul(rank ^ (rank >>> 13), 0xc2b2ae35)
  return (rank ^ (rank >>> 16)) >>> 0
}

/** One digest over what was read back: independent of order, bound to names. */
export function digestOf(fingerprints: ReadonlyMap<ByteName, Fingerprint>): string {
  const hash = createHash('sha256')
  for (const name of [...fingerprints.keys()].sort()) {
    hash.update(Buffer.from(`${name}\0${fingerprints.get(name)}\0`, 'latin1'))
  }
  return hash.digest('hex')
}
