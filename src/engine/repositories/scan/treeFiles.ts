import { lstatSync, readdirSync, type Stats } from 'node:fs'
import { skipReasons } from '../../../core/scan/skipped.ts'

/** A place below the root of a tree. */
export interface TreeEntry {
  /** As bytes: a name need not be UTF-8. */
  readonly path: Buffer
  /** For people and for the hash of a finding; the same spelling that git's list of changed files has. */
  readonly file: string
  readonly stats: Stats
}

export interface SkippedEntry {
  readonly file: string
  readonly reason: string
}

const slash = Buffer.from('/')
const lossy = '\ufffd'

/** Why a part of the tree cannot be looked at. Its message is our own. */
export class TreeError extends Error {
  readonly file: string

  constructor(file: string, message: string) {
    super(message)
    this.file = file
  }
}

const named = (name: Buffer): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(name)
const below = (parent: string, name: string): string => (parent === '' ? name : `${parent}/${name}`)
const join = (parent: Buffer, name: Buffer): Buffer => Buffer.concat([parent, slash, name])

/**
 * All regular files of a tree, in the order of their bytes. Symbolic links are not followed; what is no regular file is
 * handed to `skip`.
 *
 * @throws TreeError where a directory cannot be read: a part that cannot be seen is no clean part
 */
export function* filesOf(root: string, skip: (entry: SkippedEntry) => void): Iterable<TreeEntry> {
  yield* filesBelow(Buffer.from(root), '', skip)
}

function* filesBelow(directory: Buffer, parent: string, skip: (entry: SkippedEntry) => void): Iterable<TreeEntry> {
  for (const name of namesIn(directory, parent)) {
    yield* entry(join(directory, name), below(parent, named(name)), skip)
  }
}

function namesIn(directory: Buffer, file: string): Buffer[] {
  try {
    return readdirSync(directory, { encoding: 'buffer' }).sort(Buffer.compare)
  } catch (error) {
    throw new TreeError(file === '' ? '.' : file, (error as NodeJS.ErrnoException).code ?? 'unreadable')
  }
}

function* entry(path: Buffer, file: string, skip: (entry: SkippedEntry) => void): Iterable<TreeEntry> {
  const stats = lstatSync(path)
  if (stats.isFile()) yield { path, file, stats }
  else if (stats.isSymbolicLink()) skip({ file, reason: skipReasons.symbolicLink })
  else if (!stats.isDirectory()) skip({ file, reason: skipReasons.notRegular })
  else if (file === '.git') skip({ file, reason: skipReasons.gitData })
  else yield* filesBelow(path, file, skip)
}

/**
 * The files that were named, and what lies below named directories. A replacement character in a name stands for bytes that
 * are no UTF-8: then all that could be meant are taken.
 *
 * @throws TreeError also for a path that leaves the tree
 */
export function* namedFiles(
  root: string,
  files: readonly string[],
  skip: (entry: SkippedEntry) => void,
): Iterable<TreeEntry> {
  for (const file of files) {
    const parts = file.split('/')
    if (parts.some((part) => ['', '.', '..'].includes(part) || part.includes('\0'))) {
      throw new TreeError(file, 'it is not a path below the tree')
    }
    yield* walk(Buffer.from(root), file, parts, skip)
  }
}

function* walk(
  directory: Buffer,
  file: string,
  [part, ...rest]: readonly string[],
  skip: (entry: SkippedEntry) => void,
): Iterable<TreeEntry> {
  for (const name of candidates(directory, part ?? '')) {
    const path = join(directory, name)
    const stats = lstatSync(path, { throwIfNoEntry: false })
    if (stats === undefined) skip({ file, reason: skipReasons.notInTree })
    else if (rest.length === 0) yield* entry(path, file, skip)
    else if (stats.isSymbolicLink()) skip({ file, reason: skipReasons.belowSymbolicLink })
    else if (!stats.isDirectory()) skip({ file, reason: skipReasons.notInTree })
    else yield* walk(path, file, rest, skip)
  }
}

function candidates(directory: Buffer, part: string): Buffer[] {
  if (!part.includes(lossy)) return [Buffer.from(part)]
  const found = namesIn(directory, part).filter((name) => named(name) === part)
  return found.length === 0 ? [Buffer.from(part)] : found
}
