import { access, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { NodeRecord } from './fleetFile.ts'
import { writeHostKey } from './hostKey.ts'
import { agentsDirectory, type FleetLayout, type NodeLayout } from './layout.ts'
import { fullDiskScript, principalsFile, sessionScript, sshdBaseConfig, sshdConfig } from './nodeTemplates.ts'
import { replaceFile } from './replaceFile.ts'
import { nodeHeader } from './traefikStandIn.ts'

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

const textOf = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')

/** The key the node was born with, or another one while its fault is a changed key. */
async function ensureHostKey(node: NodeRecord, layout: NodeLayout): Promise<void> {
  if (!(await exists(`${layout.originalHostKey}.pub`))) await writeHostKey(layout.originalHostKey, `root@${node.name}`)
  const original = await textOf(`${layout.originalHostKey}.pub`)
  const served = await textOf(`${layout.hostKey}.pub`)
  if (node.fault === 'host-key-changed') {
    if (served === '' || served === original) await writeHostKey(layout.hostKey, `root@${node.name}`)
    return
  }
  await replaceFile(layout.hostKey, await readFile(layout.originalHostKey, 'utf8'), 0o600)
  await replaceFile(`${layout.hostKey}.pub`, original, 0o644)
}

const hostsFileText = (node: NodeRecord): string => `127.0.0.1 localhost\n127.0.1.1 ${node.name}\n`

/** Its directory, and a word of who asks: one process stands for the Traefik of every node. */
async function ensureTraefikFiles(node: NodeRecord, layout: NodeLayout): Promise<void> {
  await mkdir(layout.traefikConfig, { recursive: true, mode: 0o700 })
  await replaceFile(join(layout.home, '.curlrc'), `header = "${nodeHeader}: ${node.name}"\n`, 0o600)
  await replaceFile(join(layout.home, '.wgetrc'), `header = ${nodeHeader}: ${node.name}\n`, 0o600)
}

/** Directories, keys and files that a node keeps for its whole life; what is there already stays as it is. */
async function ensureLasting(node: NodeRecord, layout: NodeLayout): Promise<void> {
  const directories = [dirname(layout.hostKey), dirname(layout.sshdPid), layout.home, layout.fullDiskMount]
  if (node.kind === 'storage') directories.push(join(layout.home, agentsDirectory))
  for (const directory of directories) await mkdir(directory, { recursive: true, mode: 0o700 })
  if (node.kind === 'vps') await ensureTraefikFiles(node, layout)
  if (!(await exists(layout.machineLink))) await symlink('..', layout.machineLink)
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
  await ensureLasting(node, layout)
  await replaceFile(layout.principals, principalsFile(node, options.user), 0o600)
  await replaceFile(layout.session, sessionScript(node, layout), 0o700)
  await replaceFile(layout.fullDisk, fullDiskScript(layout), 0o700)
  await replaceFile(layout.sshdBase, sshdBaseConfig(node, fleet, options), 0o600)
  const config = sshdConfig(layout)
  if (!(await textOf(layout.sshdConfig)).includes(config)) await replaceFile(layout.sshdConfig, config, 0o600)
}
