import { realpath } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { withoutTrailingSlashes } from '../../core/transfer/paths.ts'
import { AppError } from '../../shared/errors.ts'

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
