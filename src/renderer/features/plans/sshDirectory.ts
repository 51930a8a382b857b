import type { FleetNode } from '../../../shared/model/node.ts'

const usual = '/etc/ssh'

const directoryOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')))

export interface SshDirectory {
  /** Where most of the nodes we push to keep what sshd reads; `/etc/ssh` without nodes. */
  readonly directory: string
  /** Nodes that keep it elsewhere: a file proposed here would not lie beside their sshd_config. */
  readonly elsewhere: number
}

/** Nodes need not have their sshd in `/etc/ssh`; the servers of a demo fleet never do. */
export function sshDirectory(nodes: Iterable<FleetNode>): SshDirectory {
  const counts = new Map<string, number>()
  let total = 0
  for (const node of nodes) {
    if (node.transport !== 'push') continue
    const directory = directoryOf(node.sshd.configFile)
    counts.set(directory, (counts.get(directory) ?? 0) + 1)
    total += 1
  }
  const [most] = [...counts].sort(([, first], [, second]) => second - first)
  return most === undefined ? { directory: usual, elsewhere: 0 } : { directory: most[0], elsewhere: total - most[1] }
}

/** @param path a usual one, below `/etc/ssh` */
export const inSshDirectory = (path: string, directory: string): string =>
  path.startsWith(`${usual}/`) ? `${directory}${path.slice(usual.length)}` : path
