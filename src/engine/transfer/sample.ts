import { createHash } from 'node:crypto'
import type { ByteName, ListedEntry } from '../../core/parse/rsync.ts'
import type { TreeVerify } from '../../shared/model/plan.ts'
import type { Fingerprint } from './manifest.ts'

export type SampledEntry = Pick<ListedEntry, 'type' | 'name'>

/**
 * The files a run verifies: all of them, or as many as the plan says. What the run has just sent comes first; the
 * rest is drawn by the seed, so that another run looks at other files and the same run always at the same.
 */
export function chooseSample<Entry extends SampledEntry>(
  entries: readonly Entry[],
  rule: { readonly verify: TreeVerify; readonly seed: string; readonly transferred: ReadonlySet<ByteName> },
): Entry[] {
  const candidates = entries.filter((entry) => entry.type !== 'directory')
  const { verify, seed, transferred } = rule
  if (verify.mode === 'full' || candidates.length <= verify.files) return candidates
  const fresh = candidates.filter((entry) => transferred.has(entry.name))
  const others = candidates.filter((entry) => !transferred.has(entry.name))
  const chosen = drawn(fresh, seed, verify.files)
  return [...chosen, ...drawn(others, seed, verify.files - chosen.length)]
}

/** Chance without a generator: the entries whose hash with the seed is smallest. */
function drawn<Entry extends SampledEntry>(entries: readonly Entry[], seed: string, count: number): Entry[] {
  if (count <= 0) return []
  if (entries.length <= count) return [...entries]
  const ranks = Uint32Array.from(entries, ({ name }) => rank(seed, name))
  const largest = ranks.toSorted()[count - 1] ?? 0
  const chosen: { readonly entry: Entry; readonly rank: number }[] = []
  for (const [index, entry] of entries.entries()) {
    const ranked = ranks[index] ?? 0
    if (ranked <= largest) chosen.push({ entry, rank: ranked })
  }
  return chosen
    .sort((left, right) => left.rank - right.rank)
    .slice(0, count)
    .map(({ entry }) => entry)
}

/** FNV-1a over seed and name with a final mix: fast, spread evenly, the same on every machine. */
function rank(seed: string, name: ByteName): number {
  let hash = 0x811c9dc5
  for (const text of [seed, name]) {
    for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  return (hash ^ (hash >>> 13)) >>> 0
}

/** One digest over what was read back: independent of order, bound to names. */
export function digestOf(fingerprints: ReadonlyMap<ByteName, Fingerprint>): string {
  const hash = createHash('sha256')
  for (const name of [...fingerprints.keys()].sort()) {
    hash.update(Buffer.from(`${name}\0${fingerprints.get(name)}\0`, 'latin1'))
  }
  return hash.digest('hex')
}
