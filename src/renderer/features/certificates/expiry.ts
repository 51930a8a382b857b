import type { FleetNode } from '../../../shared/model/node.ts'

const hourMs = 3_600_000
export const hoursAhead = 24

/** When the certificates of the fleet run out. */
export interface ExpiryOverview {
  /** One figure for each of the next hours: how many run out in it. */
  readonly byHour: readonly number[]
  readonly expired: number
  /** Nodes that never had one. */
  readonly none: number
  /** Run out after the last hour shown. */
  readonly later: number
}

export function overviewOf(nodes: Iterable<FleetNode>, nowMs: number): ExpiryOverview {
  const byHour = new Array<number>(hoursAhead).fill(0)
  let expired = 0
  let none = 0
  let later = 0
  for (const { certificate } of nodes) {
    if (certificate === null) {
      none += 1
      continue
    }
    const hour = Math.floor((certificate.validBefore - nowMs) / hourMs)
    if (certificate.validBefore <= nowMs) expired += 1
    else if (hour < hoursAhead) byHour[hour] = (byHour[hour] ?? 0) + 1
    else later += 1
  }
  return { byHour, expired, none, later }
}

/** What may be said of a node's certificate. `issued` is not `accepted`: only a login proves it. */
export type CertificateStanding = 'none' | 'issued' | 'accepted' | 'expired'

export function standingOf(node: FleetNode, nowMs: number): CertificateStanding {
  if (node.certificate === null) return 'none'
  if (node.certificate.validBefore <= nowMs) return 'expired'
  return node.certificate.acceptedAt === null ? 'issued' : 'accepted'
}
