import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { FleetNode, NodeCertificate } from '../../shared/model/node.ts'

/** The certificate a login was made with. */
export type LoginCertificate = Omit<NodeCertificate, 'acceptedAt'>

/** What a successful login taught us about a node. */
export interface LoginObservation {
  readonly at: number
  /** Node clock minus ours; null when this login did not measure it. */
  readonly clockSkewMs: number | null
  /** The certificate the login used; null for logins that did not prove it. */
  readonly certificate: LoginCertificate | null
}

/** The node answered and let us in. */
export function withLogin(node: FleetNode, observation: LoginObservation): FleetNode {
  const before = node.reachability
  const known = before.status === 'reachable'
  return {
    ...node,
    reachability: {
      status: 'reachable',
      since: known ? before.since : observation.at,
      checkedAt: observation.at,
      clockSkewMs: observation.clockSkewMs ?? (known ? before.clockSkewMs : null),
    },
    certificate:
      observation.certificate === null ? node.certificate : { ...observation.certificate, acceptedAt: observation.at },
  }
}

/**
 * The node did not answer, or did not let us in. `since` keeps the moment this began, whatever the cause turned into. One
 * that was active waits for a sync from now on: what happens to it meanwhile is not known (S1.65, S1.72).
 */
export function withoutLogin(node: FleetNode, diagnosis: Diagnosis, at: number): FleetNode {
  const before = node.reachability
  const since = before.status === 'unreachable' ? before.since : at
  const seen: FleetNode = { ...node, reachability: { status: 'unreachable', since, checkedAt: at, diagnosis } }
  return node.status === 'active' ? { ...seen, status: 'pending_sync', statusReason: diagnosis } : seen
}
