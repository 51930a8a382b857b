import type { NodeId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { CertificateIdentity, Identities, NodeIdentity, StaticKeyIdentity } from '../ports.ts'
import type { StaticKeys } from './staticKeys.ts'

interface LoginIdentityDependencies {
  readonly certificates: Identities<CertificateIdentity>
  readonly staticKeys: StaticKeys
}

type Purpose = NodeIdentity['purpose']
const keyOf = (nodeId: NodeId, purpose: Purpose): string => `${nodeId} ${purpose}`

/**
 * The one provider of identities (D9): certificates, and static keys where a node names one, whether it is the only one
 * to do so or not. No certificate is issued for a node with a static key.
 */
export function createLoginIdentities({ certificates, staticKeys }: LoginIdentityDependencies): Identities {
  const held = new Map<string, StaticKeyIdentity>()

  const ensureStatic = async (node: FleetNode, purpose: Purpose, keyFile: string): Promise<StaticKeyIdentity> => {
    const key = keyOf(node.id, purpose)
    try {
      const read = await staticKeys.read(node, keyFile)
      const identity: StaticKeyIdentity = { kind: 'static-key', nodeId: node.id, purpose, keyFile, ...read }
      held.set(key, identity)
      return identity
    } catch (thrown) {
      held.delete(key)
      throw thrown
    }
  }
  const withCertificate = (nodes: readonly FleetNode[]): FleetNode[] =>
    nodes.filter(({ login }) => login.kind === 'certificate')

  return {
    ensure: async (node, purpose, options) => {
      if (node.login.kind === 'static-key') return ensureStatic(node, purpose, node.login.keyFile)
      held.delete(keyOf(node.id, purpose))
      return certificates.ensure(node, purpose, options)
    },
    ensureMany: (nodes, purpose, options) => certificates.ensureMany(withCertificate(nodes), purpose, options),
    renew: (nodes, options) => certificates.renew(withCertificate(nodes), options),
    current: (nodeId, purpose) => held.get(keyOf(nodeId, purpose)) ?? certificates.current(nodeId, purpose),
    all: () => certificates.all(),
    forget: (nodeId) => {
      for (const purpose of ['automation', 'terminal'] as const) held.delete(keyOf(nodeId, purpose))
      certificates.forget(nodeId)
    },
  }
}
