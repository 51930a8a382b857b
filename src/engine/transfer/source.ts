import { createHash } from 'node:crypto'
import { readlink } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import type { ByteName } from '../../core/parse/rsync.ts'
import {
  compareFacts,
  compareListing,
  type EntryFacts,
  factsOf,
  type ListingDifference,
  listingHead,
  listingLine,
} from '../../core/transfer/listing.ts'
import { changedSince, type Manifest, type ManifestEntry, pathOf, readManifest } from './manifest.ts'

/** A tree that many nodes get, as it was listed once for all of them. */
export interface Source {
  readonly manifest: Manifest
  readonly facts: ReadonlyMap<ByteName, EntryFacts>
  /** SHA-256 over all lines of the listing: what a node computes that holds the same. */
  readonly digest: string
}

const mostKept = 8
const batchSize = 1_000

/** Manifests of trees that do not change: each is read once, and looked at again now and then. */
export class Sources {
  readonly #kept = new Map<string, { readonly source: Promise<Source>; readonly check: SharedCheck }>()
  /** Those of them that have been read. */
  readonly #byDigest = new Map<string, WeakRef<Source>>()
  readonly #differences = new WeakMap<Source, Map<string, Promise<ListingDifference | null>>>()

  /**
   * @param directory absolute; nobody writes there any more
   * @throws SOURCE_MISSING
   */
  of(directory: string, excludes: readonly string[]): Promise<Source> {
    const key = JSON.stringify([directory, excludes])
    const known = this.#kept.get(key)
    this.#kept.delete(key)
    // Not cut with one of those who wait for it.
    const source = known?.source ?? readSource(directory, excludes)
    const entry = known ?? { source, check: new SharedCheck(async () => changedSinceListed(await source)) }
    this.#kept.set(key, entry)
    source.then(
      (read) => void this.#byDigest.set(read.digest, new WeakRef(read)),
      () => void this.#kept.delete(key),
    )
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= mostKept) break
      this.#kept.delete(oldest)
    }
    for (const [digest, read] of this.#byDigest) if (read.deref() === undefined) this.#byDigest.delete(digest)
    return source
  }

  /**
   * What has to be done where a listing has this digest. Known of trees that are remembered here; of others one listing
   * is asked for, by whoever comes first, and holds for all that have the same.
   *
   * @returns null when the listing tells nothing
   */
  differenceFrom(
    digest: string,
    wanted: Source,
    list: () => Promise<readonly string[]>,
  ): Promise<ListingDifference | null> {
    const known = this.#differences.get(wanted) ?? new Map<string, Promise<ListingDifference | null>>()
    this.#differences.set(wanted, known)
    const found = known.get(digest)
    if (found !== undefined) return found
    const there = this.#byDigest.get(digest)?.deref()
    const difference =
      there === undefined
        ? list().then((lines) => (digestOf(lines) === digest ? compareListing(wanted.facts, lines) : null))
        : Promise.resolve(compareFacts(wanted.facts, there.facts))
    known.set(digest, difference)
    // What one node could not say, the next may.
    difference.then(
      (told) => told ?? known.delete(digest),
      () => known.delete(digest),
    )
    return difference
  }

  /** Whether somebody has read a tree with this listing, and still has it. */
  isKnown(digest: string): boolean {
    return this.#byDigest.get(digest)?.deref() !== undefined
  }

  /** Names that are not as they were listed, by a look that begins after the call; then it is listed anew for the next. */
  async changes(source: Source): Promise<ByteName[]> {
    for (const [key, entry] of this.#kept) {
      if ((await entry.source.catch(() => null)) !== source) continue
      const changed = await entry.check.ask()
      if (changed.length > 0) this.#kept.delete(key)
      return changed
    }
    return changedSinceListed(source)
  }
}

/** A snapshot that shares files with this one moves their change time, and nothing else. */
const changedSinceListed = ({ manifest }: Source): Promise<ByteName[]> => changedSince(manifest, { mayGainLinks: true })

/** Everybody who asks while one look is under way shares the next one. */
class SharedCheck {
  readonly #look: () => Promise<ByteName[]>
  #running: Promise<unknown> | null = null
  #next: Promise<ByteName[]> | null = null

  constructor(look: () => Promise<ByteName[]>) {
    this.#look = look
  }

  ask(): Promise<ByteName[]> {
    if (this.#running === null) return this.#begin()
    this.#next ??= this.#running.then(() => {
      this.#next = null
      return this.#begin()
    })
    return this.#next
  }

  #begin(): Promise<ByteName[]> {
    const result = this.#look()
    const running: Promise<void> = result.then(
      () => this.#ended(running),
      () => this.#ended(running),
    )
    this.#running = running
    return result
  }

  #ended(running: Promise<unknown>): void {
    if (this.#running === running) this.#running = null
  }
}

async function readSource(directory: string, excludes: readonly string[]): Promise<Source> {
  const manifest = await readManifest(directory, excludes)
  const facts = new Map<ByteName, EntryFacts>()
  const lines: string[] = []
  for (const [index, entry] of manifest.entries.entries()) {
    if (index % batchSize === batchSize - 1) await setImmediate()
    if (entry.name === '.') continue
    const described = { ...entry, linkTarget: await linkTargetOf(directory, entry) }
    const known = factsOf(described)
    facts.set(entry.name, known)
    lines.push(listingLine(described, known))
  }
  return { manifest, facts, digest: digestOf(lines) }
}

/** As `l_digest` of a node computes it. */
function digestOf(lines: readonly string[]): string {
  const hash = createHash('sha256')
  for (const line of [listingHead, ...lines.toSorted(byBytes)]) hash.update(Buffer.from(`${line}\0`, 'latin1'))
  return hash.digest('hex')
}

async function linkTargetOf(directory: string, entry: ManifestEntry): Promise<ByteName | null> {
  if (entry.type !== 'symlink') return null
  return (await readlink(pathOf(directory, entry.name), 'buffer')).toString('latin1')
}

const byBytes = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0)
