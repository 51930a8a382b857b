import { access, mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { NodeRecord } from './fleetFile.ts'
import { writeHostKey } from './hostKey.ts'
import type { FleetLayout, NodeLayout } from './layout.ts'
import { fullDiskScript, principalsFile, sessionScript, sshdConfig } from './nodeTemplates.ts'
import { replaceFile } from './replaceFile.ts'

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

async function ensureHostKey(node: NodeRecord, layout: NodeLayout): Promise<void> {
  if (!(await exists(`${layout.originalHostKey}.pub`))) await writeHostKey(layout.originalHostKey, `root@${node.name}`)
  if (node.fault !== 'host-key-changed') return
  if (!(await exists(`${layout.hostKey}.pub`))) await writeHostKey(layout.hostKey, `root@${node.name}`)
}

/** The key that the node serves now. */
export const servedHostKey = (node: NodeRecord, layout: NodeLayout): string =>
  node.fault === 'host-key-changed' ? layout.hostKey : layout.originalHostKey

const hostsFileText = (node: NodeRecord): string => `127.0.0.1 localhost\n127.0.1.1 ${node.name}\n`

/** Directories, keys and files that a node keeps for its whole life; what is there already stays as it is. */
async function ensureLasting(node: NodeRecord, layout: NodeLayout): Promise<void> {
  const directories = [dirname(layout.hostKey), dirname(layout.sshdPid), layout.home, layout.fullDiskMount]
  for (const directory of directories) await mkdir(directory, { recursive: true, mode: 0o700 })
  await ensureHostKey(node, layout)
  if (!(await exists(layout.hostsFile))) await writeFile(layout.hostsFile, hostsFileText(node))
  const notes = join(layout.home, 'README')
  if (!(await exists(notes))) await writeFile(notes, `This directory is the home of the demo node ${node.name}.\n`)
}

/** Writes what the node's sshd reads, as its fault wants it. Safe to repeat. */
export async function writeNodeFiles(
  node: NodeRecord,
  fleet: FleetLayout,
  options: { readonly user: string; readonly sshVersion: number },
): Promise<void> {
  const layout = fleet.node(node.name)
  if (node.fault !== 'host-key-changed')
    await Promise.all([rm(layout.hostKey, { force: true }), rm(`${layout.hostKey}.pub`, { force: true })])
  await ensureLasting(node, layout)
  await replaceFile(layout.principals, principalsFile(node, options.user), 0o600)
  await replaceFile(layout.session, sessionScript(node, layout), 0o700)
  await replaceFile(layout.fullDisk, fullDiskScript(layout), 0o700)
  await replaceFile(
    layout.sshdConfig,
    sshdConfig(node, fleet, { ...options, hostKey: servedHostKey(node, layout) }),
    0o600,
  )
}
