/** The name of the sentinel unless a plan says otherwise. */
export const defaultSentinel = '.sync_rev'

const split = (listing: string): string[] => listing.split('\0').filter((path) => path !== '')

/** The directories in which a path lies, the outermost first. */
function parentsOf(path: string): string[] {
  const names = path.split('/')
  return names.slice(1).map((_name, index) => names.slice(0, index + 1).join('/'))
}

/**
 * Files that git does not know and that a tree needs the place of: the same path, a file where a directory has to be, or
 * the other way round. Both listings are NUL-separated byte strings (`ls-files --others`, `ls-tree --name-only`).
 */
export function untrackedInTheWay(untracked: string, tree: string): string[] {
  const files = split(tree)
  const taken = new Set(files)
  const directories = new Set(files.flatMap(parentsOf))
  return split(untracked)
    .map((path) => path.replace(/\/$/, ''))
    .filter((path) => taken.has(path) || directories.has(path) || parentsOf(path).some((parent) => taken.has(parent)))
}
