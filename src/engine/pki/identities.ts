import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { maxAutomationLifetimeSeconds } from '../../core/ca/policy.ts'
import { defaultMinValidSeconds, needsRenewal } from '../../core/ca/validity.ts'
import type { Clock } from '../../platform/clock.ts'
import { ed25519Blob, parsePublicKeyLine } from '../../platform/openssh/publicKey.ts'
import type { IssuedCertificate } from '../../shared/model/certificate.ts'
import type { NodeId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { CertificateAuthority, CertificateIdentity, Identities, SigningRequest } from '../ports.ts'

type IdentityPurpose = CertificateIdentity['purpose']
type IdentityNode = Pick<FleetNode, 'id' | 'name' | 'principal'>

interface IdentityDependencies {
  readonly authority: Pick<CertificateAuthority, 'sign'>
  readonly clock: Pick<Clock, 'nowMs'>
  /** Default: the longest the policy allows. */
  readonly lifetimeSeconds?: number
  /** Renew when less than this is left and the caller asks for nothing else (S0.38). Default one hour. */
  readonly minValidSeconds?: number
}

interface IssueOptions {
  readonly purpose: IdentityPurpose
  readonly requestedBy: string
  readonly reason: string
}

/** A certificate with less left may expire between this check and the node's. */
const lastResortMs = 60_000

const keyOf = (nodeId: NodeId, purpose: IdentityPurpose): string => `${nodeId} ${purpose}`

/**
 * Subject keys that exist in memory only, one for each node and purpose, each with its certificate. Keys are
 * never written, never serialised, and a new certificate always comes with a new key.
 */
export function createIdentities(dependencies: IdentityDependencies): Identities<CertificateIdentity> {
  const { clock } = dependencies
  const lifetimeSeconds = dependencies.lifetimeSeconds ?? maxAutomationLifetimeSeconds
  const usualMinValidMs = (dependencies.minValidSeconds ?? Math.min(defaultMinValidSeconds, lifetimeSeconds / 2)) * 1000
  /** Who wants more than a certificate can give gets a fresh one now and then, not one at every call. */
  const longestUseful = (wantedMs = usualMinValidMs): number => Math.min(wantedMs, lifetimeSeconds * 900)
  const live = new Map<string, CertificateIdentity>()
  /** Issues under way: who asks meanwhile gets the same identity, and only the newest issue may become the live one. */
  const pending = new Map<string, Promise<CertificateIdentity>>()

  const usable = (node: IdentityNode, purpose: IdentityPurpose, minValidMs: number): CertificateIdentity | null => {
    const identity = live.get(keyOf(node.id, purpose))
    if (identity === undefined || needsRenewal(identity.certificate, clock.nowMs(), minValidMs)) return null
    return identity.certificate.principals.includes(node.principal) ? identity : null
  }

  const issue = (nodes: readonly IdentityNode[], options: IssueOptions): Promise<CertificateIdentity>[] => {
    if (nodes.length === 0) return []
    const batch = issueBatch(dependencies.authority, nodes, { ...options, lifetimeSeconds })
    return nodes.map((node, index) => {
      const key = keyOf(node.id, options.purpose)
      const one = batch.then((identities) => {
        const identity = identities[index] as CertificateIdentity
        if (pending.get(key) === one) live.set(key, identity)
        return identity
      })
      pending.set(key, one)
      const done = (): void => {
        if (pending.get(key) === one) pending.delete(key)
      }
      one.then(done, done)
      return one
    })
  }

  const ensureMany: Identities<CertificateIdentity>['ensureMany'] = async (nodes, purpose, options = {}) => {
    const minValidMs = longestUseful(options.minValidMs)
    const found = new Map<NodeId, CertificateIdentity | Promise<CertificateIdentity>>()
    const missing = new Map<NodeId, FleetNode>()
    for (const node of nodes) {
      const identity = usable(node, purpose, minValidMs) ?? pending.get(keyOf(node.id, purpose))
      if (identity === undefined) missing.set(node.id, node)
      else found.set(node.id, identity)
    }
    const wanted = [...missing.values()]
    const issued = issue(wanted, {
      purpose,
      requestedBy: 'engine',
      reason: options.reason ?? 'needed to reach the node',
    })
    wanted.forEach((node, index) => void found.set(node.id, issued[index] as Promise<CertificateIdentity>))
    return Promise.all(nodes.map((node) => found.get(node.id) as CertificateIdentity | Promise<CertificateIdentity>))
  }

  const renew: Identities<CertificateIdentity>['renew'] = async (nodes, options) => {
    const unique = [...new Map(nodes.map((node) => [node.id, node])).values()]
    const withTerminal = unique.filter((node) => live.has(keyOf(node.id, 'terminal')))
    const automation = issue(unique, { ...options, purpose: 'automation' })
    const terminal = issue(withTerminal, { ...options, purpose: 'terminal' })
    const [identities] = await Promise.all([Promise.all(automation), Promise.all(terminal)])
    return identities
  }

  return {
    ensureMany,
    ensure: async (node, purpose, options) => {
      const ready = usable(node, purpose, longestUseful(options?.minValidMs))
      if (ready !== null) return ready
      try {
        return (await ensureMany([node], purpose, options))[0] as CertificateIdentity
      } catch (thrown) {
        // A full disk here, or an authority that is away, must not cut off a node that still takes what we have. Who
        // needs a longer life said so.
        const enoughMs = options?.enoughMs ?? (options?.minValidMs === undefined ? lastResortMs : null)
        const still = enoughMs === null ? null : usable(node, purpose, Math.max(enoughMs, lastResortMs))
        if (still === null) throw thrown
        return still
      }
    },
    renew,
    current: (nodeId, purpose) => live.get(keyOf(nodeId, purpose)) ?? null,
    all: () => [...live.values()],
    forget: (nodeId) => {
      for (const purpose of ['automation', 'terminal'] as const) {
        live.delete(keyOf(nodeId, purpose))
        pending.delete(keyOf(nodeId, purpose))
      }
    },
  }
}

async function issueBatch(
  authority: Pick<CertificateAuthority, 'sign'>,
  nodes: readonly IdentityNode[],
  options: IssueOptions & { readonly lifetimeSeconds: number },
): Promise<CertificateIdentity[]> {
  const keys = nodes.map(() => createSubjectKey())
  const requests = nodes.map((node, index): SigningRequest => {
    const subject = keys[index] as SubjectKey
    return {
      subjectPublicKey: subject.publicKeyBlob,
      keyId: `lockstep/${options.purpose}/${node.id}`,
      principals: [node.principal],
      purpose: options.purpose,
      lifetimeSeconds: options.lifetimeSeconds,
      nodeId: node.id,
      nodeName: node.name,
      requestedBy: options.requestedBy,
      reason: options.reason,
    }
  })
  const certificates = await authority.sign(requests)
  return certificates.map((certificate, index) =>
    createIdentity(nodes[index] as IdentityNode, options.purpose, { certificate, subject: keys[index] as SubjectKey }),
  )
}

export interface SubjectKey {
  readonly publicKeyBlob: Buffer
  readonly sign: (data: Uint8Array) => Uint8Array
}

/** A new key pair; the private half is reachable through `sign` only. */
export function createSubjectKey(): SubjectKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  return { publicKeyBlob: ed25519Blob(publicKey), sign: signerOf(privateKey) }
}

function signerOf(privateKey: KeyObject): SubjectKey['sign'] {
  return (data) => sign(null, data, privateKey)
}

export function createIdentity(
  node: Pick<FleetNode, 'id'>,
  purpose: IdentityPurpose,
  parts: { readonly certificate: IssuedCertificate; readonly subject: SubjectKey },
): CertificateIdentity {
  const { certificate, subject } = parts
  return {
    kind: 'certificate',
    nodeId: node.id,
    purpose,
    certificate,
    publicKeyBlob: subject.publicKeyBlob,
    certificateBlob: parsePublicKeyLine(certificate.certificate).blob,
    sign: subject.sign,
  }
}
