import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import { severityOf } from '../run/severity.ts'
import { doubtOf } from './drift.ts'

/** What the fill of a tile says; the order is the order of severity, worst first, used for counting and sorting. */
export const tileFills = [
  'error',
  'halted',
  'unreachable',
  'pending',
  'never-synced',
  'maintenance',
  'in-step',
] as const
export type TileFill = (typeof tileFills)[number]

/** `static-key`: no certificate and none wanted; it never ends, which is no good news (D9). */
export type CertificateLevel = 'none' | 'static-key' | 'ok' | 'soon' | 'critical' | 'expired'

/** Everything a tile draws; computed by the same function in the engine and on the page (N1). */
export interface Tile {
  readonly fill: TileFill
  /** A run works on the node now. */
  readonly busy: boolean
  readonly drift: boolean
  readonly locked: boolean
  readonly certificate: {
    readonly level: CertificateLevel
    /** Share of its life that is left, 0 to 1; 1 for a static key. */
    readonly shareLeft: number
    readonly remainingMs: number
  }
  /** At most four words. */
  readonly short: string
  /** Why it is not green; null when it is. */
  readonly diagnosis: Diagnosis | null
  /** Oldest read-back among the node's plans; null when one was never verified. */
  readonly verifiedAt: number | null
}

const hourMs = 3_600_000
const tenMinutesMs = 600_000

function certificateOf(node: FleetNode, nowMs: number): Tile['certificate'] {
  if (node.login.kind === 'static-key') return { level: 'static-key', shareLeft: 1, remainingMs: 0 }
  const certificate = node.certificate
  if (certificate === null) return { level: 'none', shareLeft: 0, remainingMs: 0 }
  const remainingMs = Math.max(0, certificate.validBefore - nowMs)
  const lifeMs = Math.max(1, certificate.validBefore - certificate.validAfter)
  const shareLeft = Math.min(1, remainingMs / lifeMs)
  const level =
    remainingMs === 0 ? 'expired' : remainingMs < tenMinutesMs ? 'critical' : remainingMs < hourMs ? 'soon' : 'ok'
  return { level, shareLeft, remainingMs }
}

function verifiedAtOf(node: FleetNode): number | null {
  if (node.plans.length === 0) return null
  let oldest = Number.POSITIVE_INFINITY
  for (const plan of node.plans) {
    if (plan.observed === null || plan.observed.revision !== plan.desiredRevision) return null
    oldest = Math.min(oldest, plan.observed.verifiedAt)
  }
  return oldest
}

/**
 * Green has one meaning: every plan of the node was read back from it at the revision wanted now, no later look has
 * found something else, the last cycle succeeded and the node still answers.
 */
function fillOf(node: FleetNode, verifiedAt: number | null, drift: boolean): TileFill {
  if (node.maintenance) return 'maintenance'
  if (node.haltedRunId !== null) return 'halted'
  if (node.status === 'error') return 'error'
  if (node.reachability.status === 'unreachable') return 'unreachable'
  if (node.lastSyncAt === null && node.lastAttemptAt === null) return 'never-synced'
  if (verifiedAt === null || drift || node.status !== 'active') return 'pending'
  return 'in-step'
}

const defaultShort: Record<TileFill, string> = {
  error: 'keeps failing',
  halted: 'held back',
  unreachable: 'unreachable',
  pending: 'waiting for sync',
  'never-synced': 'never synced',
  maintenance: 'in maintenance',
  'in-step': 'in step',
}

const isUnreachable = ({ code }: Diagnosis): boolean => severityOf(code) === 'unreachable'

function diagnosisOf(node: FleetNode, fill: TileFill): Diagnosis | null {
  if (fill === 'in-step' || fill === 'maintenance') return null
  if (fill === 'unreachable' && node.reachability.status === 'unreachable') return node.reachability.diagnosis
  const doubt = doubtOf(node.plans)
  // It answers again: that it did not is no reason any more, where there is a better one.
  const { statusReason, reachability } = node
  const isOver = reachability.status === 'reachable' && statusReason !== null && isUnreachable(statusReason)
  return isOver ? (doubt ?? statusReason) : (statusReason ?? doubt)
}

/** @param nowMs wall clock of the caller; only the certificate depends on it. */
export function computeTile(node: FleetNode, nowMs: number): Tile {
  const drift = node.plans.some((plan) => plan.driftSince !== null)
  const verifiedAt = verifiedAtOf(node)
  const fill = fillOf(node, verifiedAt, drift)
  const diagnosis = diagnosisOf(node, fill)
  return {
    fill,
    busy: node.activeRunId !== null,
    drift,
    locked: node.locked,
    certificate: certificateOf(node, nowMs),
    short: diagnosis?.short ?? defaultShort[fill],
    diagnosis,
    verifiedAt,
  }
}

/** How many nodes show each fill; the header line of the console. */
export function countFills(nodes: Iterable<FleetNode>, nowMs: number): Record<TileFill, number> {
  const counts = Object.fromEntries(tileFills.map((fill) => [fill, 0])) as Record<TileFill, number>
  for (const node of nodes) counts[computeTile(node, nowMs).fill] += 1
  return counts
}

/** How many nodes log in with the key in this file: one is a key of its own, more share it (S1.88, S2). */
export function countKeySharers(nodes: Iterable<FleetNode>, keyFile: string): number {
  let count = 0
  for (const { login } of nodes) if (login.kind === 'static-key' && login.keyFile === keyFile) count += 1
  return count
}

/** How many nodes log in with a static key of any kind. */
export function countStaticKeys(nodes: Iterable<FleetNode>): number {
  let count = 0
  for (const { login } of nodes) if (login.kind === 'static-key') count += 1
  return count
}
