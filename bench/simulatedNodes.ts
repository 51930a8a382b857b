import { createHash } from 'node:crypto'
import type { Identities, LoginProof, NodeAnswer, NodeChannels, NodeOrder, SshPool } from '../src/engine/ports.ts'
import type { Clock } from '../src/platform/clock.ts'
import type { NodeId } from '../src/shared/model/ids.ts'
import type { FleetNode } from '../src/shared/model/node.ts'

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const usualHosts = Buffer.from('127.0.0.1\tlocalhost\n')

interface Parts {
  readonly identities: Identities
  readonly clock: Clock
}

/**
 * Nodes that exist in memory alone and obey like real ones: what is left to measure is our own part. Every node answers
 * in the next turn of the loop.
 */
export function simulatedTransport({ identities, clock }: Parts): { sshPool: SshPool; channels: NodeChannels } {
  const files = new Map<string, Uint8Array>()
  const seen = new Set<NodeId>()

  const prove = async (node: FleetNode): Promise<LoginProof> => {
    const identity = await identities.ensure(node, 'automation')
    seen.add(node.id)
    return {
      nodeId: node.id,
      certificateSerial: identity.kind === 'certificate' ? identity.certificate.serial : null,
      staticKey: null,
      at: clock.nowMs(),
      clockSkewMs: 0,
    }
  }
  const obey = (node: FleetNode, order: NodeOrder): NodeAnswer => {
    if (order.kind === 'run') return { kind: 'ran', exitCode: 0, stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) }
    const key = `${node.id} ${order.path}`
    const content = files.get(key) ?? usualHosts
    const state = sha256(content)
    if (order.kind === 'read')
      return order.unlessState === state ? { kind: 'same', state } : { kind: 'content', state, content }
    const wanted = sha256(order.content)
    if (state === wanted) return { kind: 'same', state }
    if (order.ifState !== 'any' && order.ifState !== state) return { kind: 'content', state, content }
    files.set(key, order.content)
    return { kind: 'replaced', state: wanted, how: 'renamed' }
  }

  return {
    sshPool: {
      exec: () => Promise.reject(new Error('a simulated node has no shell')),
      login: prove,
      drop: (nodeId) => void seen.delete(nodeId),
      onLost: () => () => undefined,
      openConnections: () => seen.size,
      isOpen: (nodeId) => seen.has(nodeId),
      close: async () => undefined,
    },
    channels: {
      exchange: async (node, orders) => {
        const login = await prove(node)
        await new Promise((resolve) => setImmediate(resolve))
        return { answers: orders.map((order) => obey(node, order)), login, via: 'channel', bytes: 2_000 }
      },
      openChannels: () => seen.size,
      close: async () => undefined,
    },
  }
}
