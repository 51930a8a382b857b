import { randomUUID } from 'node:crypto'
import { chmod, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formatPublicKeyLine } from '../../platform/openssh/publicKey.ts'
import type { NodeId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Identities, NodeIdentity, OpenSshAccess } from '../ports.ts'
import { type AgentSocket, serveAgent } from './agentSocket.ts'
import { renderKnownHosts, renderSshConfig, type SshFiles, sshCommandFor } from './sshConfig.ts'

interface OpenSshDependencies {
  /** Made 0700; everything of an earlier engine in it is removed. Sockets lie here too, so keep the path short. */
  readonly directory: string
  readonly identities: Pick<Identities, 'ensure' | 'current'>
}

export interface ManagedOpenSshAccess extends OpenSshAccess {
  /** Removes the files and sockets of a node that is gone. */
  forget(nodeId: NodeId): Promise<void>
  close(): Promise<void>
}

type Purpose = NodeIdentity['purpose']

/**
 * Gives system `ssh` and `rsync` a configuration and an agent socket for each node and purpose. A socket for each,
 * and not one for all: `ssh` reads at most some hundred keys from an agent, and a transfer to one node can use no
 * other node's key.
 */
export async function createOpenSshAccess({
  directory,
  identities,
}: OpenSshDependencies): Promise<ManagedOpenSshAccess> {
  await emptyDirectory(directory)
  const agents = new Map<string, Promise<AgentSocket>>()
  const written = new Map<string, string>()
  let sockets = 0

  const agentFor = (nodeId: NodeId, purpose: Purpose): Promise<AgentSocket> => {
    const key = `${nodeId} ${purpose}`
    let agent = agents.get(key)
    if (agent === undefined) {
      sockets += 1
      // Short, because the whole path must fit in 104 bytes.
      agent = serveAgent(join(directory, `a${sockets.toString(36)}`), () => identities.current(nodeId, purpose))
      agents.set(key, agent)
      agent.catch(() => agents.delete(key))
    }
    return agent
  }

  const writeChanged = async (path: string, content: string): Promise<void> => {
    if (written.get(path) === content) return
    await replaceFile(path, content)
    written.set(path, content)
  }

  const prepare: OpenSshAccess['prepare'] = async (node, purpose) => {
    const identity = await identities.ensure(node, purpose, { reason: `reach the node with ssh (${purpose})` })
    const files = filesFor(directory, node, purpose)
    const paths: SshFiles = {
      ...files,
      certificate: identity.kind === 'certificate' ? files.certificate : null,
      agentSocket: (await agentFor(node.id, purpose)).path,
    }
    await writeChanged(paths.knownHosts, renderKnownHosts(node))
    await writeChanged(paths.publicKey, `${formatPublicKeyLine(identity.publicKeyBlob)}\n`)
    if (identity.kind === 'certificate') await writeChanged(files.certificate, `${identity.certificate.certificate}\n`)
    await writeChanged(paths.config, renderSshConfig(node, paths))
    return {
      sshArguments: ['ssh', '-F', paths.config, node.id],
      sshCommand: sshCommandFor(paths.config),
      hostAlias: node.id,
    }
  }

  const forget = async (nodeId: NodeId): Promise<void> => {
    for (const purpose of ['automation', 'terminal'] as const) {
      const key = `${nodeId} ${purpose}`
      const agent = agents.get(key)
      agents.delete(key)
      await agent?.then((open) => open.close())
      for (const path of Object.values(filesFor(directory, { id: nodeId }, purpose))) {
        written.delete(path)
        await rm(path, { force: true })
      }
    }
  }

  return {
    prepare,
    forget,
    close: async () => {
      const open = await Promise.allSettled(agents.values())
      agents.clear()
      await Promise.all(open.map((agent) => (agent.status === 'fulfilled' ? agent.value.close() : undefined)))
      await emptyDirectory(directory)
      written.clear()
    },
  }
}

function filesFor(directory: string, node: Pick<FleetNode, 'id'>, purpose: Purpose) {
  const base = join(directory, `${node.id}-${purpose}`)
  return {
    config: `${base}.conf`,
    publicKey: `${base}.pub`,
    certificate: `${base}-cert.pub`,
    knownHosts: `${base}.known_hosts`,
  }
}

async function emptyDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await chmod(directory, 0o700)
  for (const name of await readdir(directory)) await rm(join(directory, name), { recursive: true, force: true })
}

/** Whole or not at all for a reader. Not synced: after a power loss the next engine writes it anew. */
async function replaceFile(path: string, content: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`
  await writeFile(temporary, content, { mode: 0o600, flag: 'wx' })
  await rename(temporary, path)
}
