import type { FleetNode, NodeCertificate, NodeHostCertificate } from '../../shared/model/node.ts'
import { needsRenewal, type ValidityPeriod } from './validity.ts'

/** A certificate that can be used for logins now; its key is in memory. */
export type HeldCertificate = ValidityPeriod & { readonly authorityFingerprint: string }

export interface RenewalContext {
  readonly nowMs: number
  readonly minValidMs: number
  /** The authority that must have signed; null: whoever did. Set while one takes the place of another. */
  readonly signer: string | null
}

/** Can anything be done about certificates on this node without a person or another try to reach it? */
export function canBeRenewed(node: Pick<FleetNode, 'transport' | 'maintenance' | 'reachability'>): boolean {
  return node.transport === 'push' && !node.maintenance && node.reachability.status !== 'unreachable'
}

/**
 * True when the login certificate of a node should be replaced (S0.38, F55). What we hold counts; after a restart
 * nothing is held, and what the node accepted last says when it will matter. A node that never let us in has nothing to
 * renew: its first run gets it a certificate.
 */
export function loginCertificateIsDue(
  held: HeldCertificate | null,
  accepted: Pick<NodeCertificate, 'validAfter' | 'validBefore' | 'authorityFingerprint'> | null,
  { nowMs, minValidMs, signer }: RenewalContext,
): boolean {
  const certificate = held ?? accepted
  if (certificate === null) return false
  if (signer !== null && certificate.authorityFingerprint !== signer) return true
  return needsRenewal(certificate, nowMs, minValidMs)
}

/** True from two thirds of its life on (F54), and when another authority signs now. */
export function hostCertificateIsDue(
  certificate: Pick<NodeHostCertificate, 'validAfter' | 'validBefore' | 'authorityFingerprint'>,
  { nowMs, signer }: Pick<RenewalContext, 'nowMs' | 'signer'>,
): boolean {
  const { validAfter, validBefore, authorityFingerprint } = certificate
  if (signer !== null && authorityFingerprint !== signer) return true
  return nowMs < validAfter || nowMs >= validAfter + ((validBefore - validAfter) * 2) / 3
}
