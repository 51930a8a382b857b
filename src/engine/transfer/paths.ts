import { realpath } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { AppError } from '../../shared/errors.ts'
import { shellQuote } from './remoteShell.ts'

/** A directory on this machine: `~/` is our home, `{node}` the node's name (in pull targets). */
export function localDirectory(path: string, nodeName: string): string {
  if (path.includes('{node}') && /^\.*$/.test(nodeName)) {
    throw new AppError('INVALID_INPUT', `The node name "${nodeName}" cannot be part of a path. Rename the node.`, {
      data: { field: 'name' },
    })
  }
  // By function: `$` in a name is a character, not a pattern of replaceAll.
  const named = path.replaceAll('{node}', () => nodeName)
  return withoutTrailingSlashes(named.startsWith('~/') ? join(homedir(), named.slice(2)) : named)
}

/** Where a directory of this machine really is, links resolved, whether it is there already or not. */
export async function realLocalDirectory(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch {
    const parent = dirname(path)
    return parent === path ? path : join(await realLocalDirectory(parent), basename(path))
  }
}

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

function withoutTrailingSlashes(path: string): string {
  // No expression for this: alternatives of slashes and dots cost exponential time on long rows of them.
  let end = path.length
  while (path.endsWith('/', end) || path.endsWith('/.', end)) end -= path.endsWith('/', end) ? 1 : 2
  return path.slice(0, end)
}
