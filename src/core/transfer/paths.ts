import { shellQuote } from './remoteShell.ts'

/** One spelling of a remote directory, so that two plans lock the same thing. */
export function normalizedRemoteDirectory(path: string): string {
  return withoutTrailingSlashes(path.replaceAll(/\/(?:\.?\/)+/g, '/'))
}

/**
 * A remote directory for rsync with protected arguments: nothing expands there, and commands start in the home
 * directory of the login user, so `~/x` is `./x` (D17).
 */
export function rsyncRemoteDirectory(path: string): string {
  const normalized = normalizedRemoteDirectory(path)
  return normalized.startsWith('~/') ? `./${normalized.slice(2)}` : normalized
}

/** The same directory as a word of a remote `sh` script. */
export function shellRemoteDirectory(path: string): string {
  const normalized = normalizedRemoteDirectory(path)
  return normalized.startsWith('~/') ? `"$HOME"/${shellQuote(normalized.slice(2))}` : shellQuote(normalized)
}

/** Is one of the two directories inside the other, or the same? */
export function overlaps(left: string, right: string): boolean {
  return left === right || left.startsWith(`${right}/`) || right.startsWith(`${left}/`)
}

/** Without slashes, and dots that mean nothing, at the end. */
export function withoutTrailingSlashes(path: string): string {
  // No expression for this: alternatives of slashes and dots cost exponential time on long rows of them.
  let end = path.length
  while (path.endsWith('/', end) || path.endsWith('/.', end)) end -= path.endsWith('/', end) ? 1 : 2
  return path.slice(0, end)
}
