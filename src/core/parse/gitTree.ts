/*
 * What `git ls-tree -r -t -z` lists, and which of it may be written to a disk. Names are byte strings: one character (0
 * to 255) for each byte.
 */

export type TreeEntryKind = 'file' | 'executable' | 'symlink' | 'directory' | 'submodule'

export interface TreeEntry {
  readonly kind: TreeEntryKind
  /** Object name; of the commit, for a submodule. */
  readonly hash: string
  readonly path: string
}

const kinds: Readonly<Record<string, TreeEntryKind>> = {
  '040000': 'directory',
  '100644': 'file',
  // What old versions of git wrote; it means the same.
  '100664': 'file',
  '100755': 'executable',
  '120000': 'symlink',
  '160000': 'submodule',
}

/** Entries by kind; paths of a mode that no git writes stand apart. */
export function parseTree(listing: string): { readonly entries: TreeEntry[]; readonly unknown: string[] } {
  const entries: TreeEntry[] = []
  const unknown: string[] = []
  let start = 0
  while (start < listing.length) {
    const end = listing.indexOf('\0', start)
    const record = listing.slice(start, end < 0 ? listing.length : end)
    start = end < 0 ? listing.length : end + 1
    const tab = record.indexOf('\t')
    const [mode = '', , hash = ''] = record.slice(0, tab).split(' ')
    const path = record.slice(tab + 1)
    const kind = kinds[mode]
    if (kind === undefined) unknown.push(path)
    else entries.push({ kind, hash, path })
  }
  return { entries, unknown }
}

/** Characters that HFS+ leaves out when it compares names, as UTF-8 bytes. */
const ignoredByHfs = /\u00e2\u0080[\u008c-\u008f\u00aa-\u00ae]|\u00e2\u0081[\u00aa-\u00af]|\u00ef\u00bb\u00bf/g

/** Would some file system take this name for `.git`? */
export function looksLikeDotGit(name: string): boolean {
  // Nearly all names: one that begins otherwise is like it to no file system.
  if (!/^[.gG\u00e2\u00ef]/.test(name)) return false
  const plain = name.replace(ignoredByHfs, '').toLowerCase()
  // NTFS leaves out dots and spaces at the end, and a colon begins the name of a stream.
  const ntfs = (plain.split(':')[0] ?? '').replace(/[. ]+$/, '')
  return ntfs === '.git' || ntfs === 'git~1'
}

/** Why an entry must not be delivered; null when it may be. A directory that was looked at is not looked at again. */
function nameProblem(path: string, directories: ReadonlySet<string>): string | null {
  if (path === '' || path.startsWith('/')) return 'is an absolute path'
  const slash = path.lastIndexOf('/')
  const unknown = slash < 0 || directories.has(path.slice(0, slash)) ? path.slice(slash + 1) : path
  for (const name of unknown.split('/')) {
    if (name === '..' || name === '.' || name === '') return 'climbs out of the tree'
    if (looksLikeDotGit(name)) return 'is a name that git keeps for itself'
  }
  return null
}

const mostLinks = 40

/**
 * Where a link leads, through other links of the tree: null when it stays inside, else why not. Lexical `..` is not
 * enough, because a link to a directory changes what `..` means behind it. What lies in a submodule is not known here, and
 * any of it may be such a link: `..` behind a name in there could lead anywhere.
 *
 * @param submodules their directories
 */
export function linkProblem(
  path: string,
  links: ReadonlyMap<string, string>,
  submodules: ReadonlySet<string> = new Set(),
): string | null {
  let followed = 0
  const pending = [...path.split('/')].reverse()
  const at: string[] = []
  while (pending.length > 0) {
    const name = pending.pop() ?? ''
    if (name === '' || name === '.') continue
    if (name === '..') {
      if (at.length === 0) return 'points outside of the tree'
      if (submodules.size > 0 && isBelow(at, submodules))
        return 'points through a submodule and up again, which may lead outside of the tree'
      at.pop()
      continue
    }
    at.push(name)
    const target = links.get(at.join('/'))
    if (target === undefined) continue
    followed += 1
    // A circle leads nowhere, and so not outside.
    if (followed > mostLinks) return null
    if (target.startsWith('/')) return 'points to an absolute path'
    at.pop()
    pending.push(...target.split('/').reverse())
  }
  return null
}

/** The directory of a submodule itself is a plain one. */
const isBelow = (at: readonly string[], submodules: ReadonlySet<string>): boolean =>
  at.some((_name, index) => index > 0 && submodules.has(at.slice(0, index).join('/')))

export interface UnsafeEntry {
  readonly path: string
  readonly reason: string
}

/**
 * What of a tree cannot be delivered safely, in the order of the tree.
 * @param links contents of the symbolic links by path, as bytes
 */
export function unsafeEntries(
  { entries, unknown }: ReturnType<typeof parseTree>,
  links: ReadonlyMap<string, string>,
): UnsafeEntry[] {
  const unsafe: UnsafeEntry[] = unknown.map((path) => ({ path, reason: 'is of a kind that git does not know' }))
  const seen = new Set<string>()
  const directories = new Set<string>()
  const submodules = new Set(entries.filter(({ kind }) => kind === 'submodule').map(({ path }) => path))
  for (const { path, kind } of entries) {
    const reason =
      nameProblem(path, directories) ??
      (seen.has(path) ? 'is there twice' : null) ??
      (kind === 'symlink' ? linkProblem(path, links, submodules) : null)
    seen.add(path)
    if (kind === 'directory' && reason === null) directories.add(path)
    if (reason !== null) unsafe.push({ path, reason })
  }
  return unsafe
}

/** Paths that are one and the same where a file system does not tell capitals from small letters; pairs, first ones only. */
export function caseClashes(paths: Iterable<string>, most = 5): string[][] {
  const byFolded = new Map<string, string>()
  const clashes: string[][] = []
  for (const path of paths) {
    const folded = utf8(path).normalize('NFC').toLowerCase()
    const before = byFolded.get(folded)
    if (before === undefined) byFolded.set(folded, path)
    else if (before !== path) clashes.push([before, path])
    if (clashes.length >= most) break
  }
  return clashes
}

const decoder = new TextDecoder()

/** Bytes as text; what is not UTF-8 becomes U+FFFD. */
export const utf8 = (bytes: string): string =>
  /^[\u0000-\u007f]*$/.test(bytes) ? bytes : decoder.decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)))
