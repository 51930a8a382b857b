import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { shellRemoteDirectory } from '../../core/transfer/paths.ts'
import { remoteScript } from '../../core/transfer/remoteShell.ts'
import { partialDirectory } from '../../core/transfer/rsyncArguments.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { SshPool } from '../ports.ts'

/** Removes unfinished files that broken-off transfers left below a directory of the node (U33). */
export async function removeRemoteLeftovers(
  pool: SshPool,
  node: FleetNode,
  directory: string,
  options: { readonly timeoutMs: number },
): Promise<void> {
  const find = `cd ${shellRemoteDirectory(directory)} && find . -type d -name ${partialDirectory} -prune -exec rm -rf {} +`
  const script = remoteScript(find)
  await pool.exec(node, script.command, { stdin: script.stdin, timeoutMs: options.timeoutMs })
}

/** The same below a directory of this machine. */
export async function removeLocalLeftovers(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    if (entry.name === partialDirectory && entry.isDirectory())
      await rm(join(entry.parentPath, entry.name), { recursive: true, force: true })
  }
}
