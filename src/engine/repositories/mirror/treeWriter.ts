import { chmodSync, linkSync, lstatSync, lutimesSync, mkdirSync, utimesSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { parseTree, type TreeEntry, unsafeEntries, utf8 } from '../../../core/parse/gitTree.ts'
import { AppError } from '../../../shared/errors.ts'
import type { CommitHash } from '../../../shared/model/repository.ts'
import { bytePath } from './bytePath.ts'
import { gitError, shortList } from './failure.ts'
import type { MirrorGit, WorkOptions } from './mirrorGit.ts'
import { inTurns } from './turns.ts'

/** A tree that was written before, by us, and is complete. */
export interface BaseTree {
  readonly entries: readonly TreeEntry[]
  /** Bytes, as {@link bytePath} takes them. */
  readonly directory: string
  /** Nothing in it has a later time. Seconds. */
  readonly stamp: number
  /** Files that hold a pointer of Git LFS in the place of content. Bytes. */
  readonly pointers: readonly string[]
}

export interface WrittenTree {
  readonly entries: readonly TreeEntry[]
  /** Regular files that were not taken over, below the directory. */
  readonly fresh: readonly string[]
}

interface Order {
  readonly mirror: MirrorGit
  readonly commit: CommitHash
  /** Exists and is empty. Bytes. */
  readonly directory: string
  readonly base: BaseTree | null
  /** Time of what is written anew, in seconds. */
  readonly stamp: number
  /** A file that does not exist, for git's own use. */
  readonly indexFile: string
}

/** Less is left than a file of any use takes. */
const fullBytes = 256 * 1024

const fileModes: Readonly<Record<string, number>> = { file: 0o644, executable: 0o755 }

/** What a commit is made of; not looked at more closely. */
export async function listEntries(mirror: MirrorGit, commit: string): Promise<TreeEntry[]> {
  const listing = await mirror.must({ args: ['ls-tree', '-r', '-t', '-z', '--full-tree', commit] })
  return parseTree(listing.toString('latin1')).entries
}

/** @throws AppError REPOSITORY_UNSAFE naming the first entries that must not be written; REF_NOT_FOUND */
export async function readTree(mirror: MirrorGit, commit: CommitHash, options: WorkOptions): Promise<TreeEntry[]> {
  const { signal } = options
  const call = signal === undefined ? {} : { signal }
  const listing = await mirror.must({ args: ['ls-tree', '-r', '-t', '-z', '--full-tree', commit], ...call })
  const tree = parseTree(listing.toString('latin1'))
  const symlinks = tree.entries.filter(({ kind }) => kind === 'symlink')
  const contents = await readBlobs(mirror, new Set(symlinks.map(({ hash }) => hash)), options)
  const links = new Map(symlinks.map(({ path, hash }) => [path, contents.get(hash) ?? '/']))
  const unsafe = unsafeEntries(tree, links)
  if (unsafe.length === 0) return tree.entries
  const named = unsafe.map(({ path, reason }) => `${JSON.stringify(utf8(path))} ${reason}`)
  throw new AppError(
    'REPOSITORY_UNSAFE',
    `The commit ${commit.slice(0, 12)} cannot be delivered: ${shortList(named)}. Have that removed from the repository.`,
    { data: { commit, entries: unsafe.slice(0, 20).map(({ path, reason }) => ({ path: utf8(path), reason })) } },
  )
}

/** Small blobs as byte strings, by hash. */
async function readBlobs(
  mirror: MirrorGit,
  hashes: ReadonlySet<string>,
  { signal }: WorkOptions,
): Promise<Map<string, string>> {
  const contents = new Map<string, string>()
  if (hashes.size === 0) return contents
  const stdin = `${[...hashes].join('\n')}\n`
  const output = await mirror.must({
    args: ['cat-file', '--batch'],
    stdin,
    ...(signal === undefined ? {} : { signal }),
  })
  let at = 0
  while (at < output.length) {
    const lineEnd = output.indexOf(0x0a, at)
    const [hash = '', , size = '0'] = output.toString('latin1', at, lineEnd).split(' ')
    const begin = lineEnd + 1
    contents.set(hash, output.toString('latin1', begin, begin + Number(size)))
    at = begin + Number(size) + 1
  }
  return contents
}

/**
 * Writes the files of a commit as a checkout would have them. What the base has too is a hard link to its file, with its
 * time; the rest is written anew with the time of the order. Modes are 644 and 755, whatever the umask says.
 */
export async function writeTree(order: Order, options: WorkOptions): Promise<WrittenTree> {
  const { mirror, commit, directory } = order
  const entries = await readTree(mirror, commit, options)
  const before = comparable(order.base, entries)
  const pathTo = (path: string): string | Buffer => bytePath(directory, path)

  const directories = entries.filter(({ kind }) => kind === 'directory' || kind === 'submodule')
  await inTurns(directories, ({ path }) => mkdirSync(pathTo(path), { mode: 0o755 }), options)

  const write: TreeEntry[] = []
  await inTurns(
    entries,
    (entry) => {
      if (entry.kind === 'directory' || entry.kind === 'submodule') return
      if (!takenOver(entry, { before, base: order.base, to: pathTo(entry.path) })) write.push(entry)
    },
    options,
  )
  await checkOut(order, write, options)
  await inTurns(write, (entry) => stampEntry(entry, { before, order, path: pathTo(entry.path) }), options)
  return { entries, fresh: write.filter(({ kind }) => kind !== 'symlink').map(({ path }) => path) }
}

type Before = ReadonlyMap<string, TreeEntry>

/** Attributes decide how a file is written: where they differ nothing is taken over. */
function comparable(base: BaseTree | null, entries: readonly TreeEntry[]): Before {
  if (base === null) return new Map()
  const attributes = (list: readonly TreeEntry[]): string =>
    list
      .filter(({ path }) => path === '.gitattributes' || path.endsWith('/.gitattributes'))
      .map(({ path, hash, kind }) => `${kind} ${hash} ${path}`)
      .join('\n')
  if (attributes(base.entries) !== attributes(entries)) return new Map()
  return new Map(base.entries.map((entry) => [entry.path, entry]))
}

const isSame = (left: TreeEntry | undefined, right: TreeEntry): boolean =>
  left !== undefined && left.hash === right.hash && left.kind === right.kind

/** A file that somebody touched since we wrote it is not trusted: its time is not one of ours then. */
function takenOver(
  entry: TreeEntry,
  { before, base, to }: { readonly before: Before; readonly base: BaseTree | null; readonly to: string | Buffer },
): boolean {
  const mode = fileModes[entry.kind]
  if (mode === undefined || base === null || !isSame(before.get(entry.path), entry)) return false
  const from = bytePath(base.directory, entry.path)
  try {
    const stats = lstatSync(from)
    const ours = stats.isFile() && (stats.mode & 0o7777) === mode && stats.mtimeMs % 1000 === 0
    if (!ours || stats.mtimeMs > base.stamp * 1000) return false
    linkSync(from, to)
    return true
  } catch {
    // Gone, or as many links as the file system takes: it is written anew.
    return false
  }
}

async function checkOut(order: Order, write: readonly TreeEntry[], { signal }: WorkOptions): Promise<void> {
  if (write.length === 0) return
  const { mirror, commit, directory, indexFile } = order
  const call = { environment: { GIT_INDEX_FILE: indexFile }, ...(signal === undefined ? {} : { signal }) }
  await mirror.must({ args: ['read-tree', commit], ...call })
  const stdin = Buffer.from(write.map(({ path }) => `${path}\0`).join(''), 'latin1')
  const written = await mirror.run({
    args: ['checkout-index', '--quiet', '-z', '--stdin'],
    workTree: directory,
    stdin,
    ...call,
  })
  // Some versions tell of a file that could not be written in words only.
  if (written.exitCode === 0 && !/^(?:error|fatal): /m.test(written.stderr)) return
  if (await isFull(directory))
    throw new AppError('LOCAL_DISK_FULL', `no space left to write ${directory}: free some space and try again`)
  throw gitError(written, { place: `the snapshot of ${commit.slice(0, 12)}`, login: 'none', machine: 'this machine' })
}

/** git does not say why it could not write a file; half of it still lies there. */
async function isFull(directory: string): Promise<boolean> {
  const { bavail, bsize } = await statfs(directory)
  return bavail * bsize < fullBytes
}

function stampEntry(
  entry: TreeEntry,
  { before, order, path }: { readonly before: Before; readonly order: Order; readonly path: string | Buffer },
): void {
  const mode = fileModes[entry.kind]
  if (mode !== undefined) {
    chmodSync(path, mode)
    utimesSync(path, order.stamp, order.stamp)
    return
  }
  const time =
    order.base !== null && isSame(before.get(entry.path), entry) ? timeOf(order.base, entry, order) : order.stamp
  lutimesSync(path, time, time)
}

function timeOf(base: BaseTree, { path }: TreeEntry, { stamp }: Order): number {
  try {
    return Math.min(Math.floor(lstatSync(bytePath(base.directory, path)).mtimeMs / 1000), base.stamp)
  } catch {
    return stamp
  }
}

/** Times and modes of the directories: as before where nothing below them has changed. After everything else. */
export async function stampDirectories(
  order: Pick<Order, 'directory' | 'base' | 'stamp'>,
  entries: readonly TreeEntry[],
  options: WorkOptions,
): Promise<void> {
  const { directory, base, stamp } = order
  const before = new Map((base?.entries ?? []).map((entry) => [entry.path, entry]))
  const set = (path: string | Buffer, time: number): void => {
    chmodSync(path, 0o755)
    utimesSync(path, time, time)
  }
  const directories = entries.filter(({ kind }) => kind === 'directory' || kind === 'submodule')
  await inTurns(
    directories,
    (entry) => {
      const unchanged = base !== null && isSame(before.get(entry.path), entry)
      set(bytePath(directory, entry.path), unchanged ? timeOf(base, entry, order as Order) : stamp)
    },
    options,
  )
  set(bytePath(directory, ''), stamp)
}
