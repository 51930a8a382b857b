import { computeTile, type TileFill } from '../../core/fleet/health.ts'
import type { FleetNode, NodeKind, NodeStatus } from '../../shared/model/node.ts'
import { printableLine } from './printable.ts'
import { bad, faint, good, type Paint, paintNodeStatus, waiting } from './style.ts'
import { isoTime } from './words.ts'

const groups: readonly (readonly [NodeKind, string])[] = [
  ['laptop', 'Management Laptops:'],
  ['vps', 'VPS Edge Nodes:'],
  ['worker', 'Worker Nodes:'],
  ['storage', 'Storage Nodes:'],
  ['vm', 'Virtual Machines:'],
]
/** Named by S1.103, so that a script finds them in an empty fleet, too. */
const alwaysShown: readonly NodeKind[] = ['laptop', 'vps', 'worker']

interface NodeHealth {
  readonly name: string
  readonly status: NodeStatus
  /** What a tile of it shows; only `in-step` was read back from the node. */
  readonly fill: TileFill
  /** ISO time. */
  readonly lastSync: string | null
  /** Why it is not in step; null when it is, or when nobody knows. */
  readonly reason: string | null
}

interface HealthGroup {
  readonly kind: NodeKind
  readonly heading: string
  readonly nodes: readonly NodeHealth[]
}

interface Health {
  /** Every node is in step, or in maintenance by somebody's wish. */
  readonly well: boolean
  readonly groups: readonly HealthGroup[]
}

export function healthOf(nodes: readonly FleetNode[], nowMs: number): Health {
  const described = nodes.map((node) => ({ kind: node.kind, health: describe(node, nowMs) }))
  return {
    well: described.every(({ health }) => isWell(health.fill)),
    groups: groups.map(([kind, heading]) => ({
      kind,
      heading,
      nodes: described.filter((node) => node.kind === kind).map(({ health }) => health),
    })),
  }
}

const isWell = (fill: TileFill): boolean => fill === 'in-step' || fill === 'maintenance'

function describe(node: FleetNode, nowMs: number): NodeHealth {
  const { fill, diagnosis } = computeTile(node, nowMs)
  return {
    name: node.name,
    status: node.status,
    fill,
    lastSync: node.lastSyncAt === null ? null : isoTime(node.lastSyncAt),
    reason: diagnosis?.sentence ?? null,
  }
}

/** The marks of S1.70. Nothing but what was read back gets the first one. */
const marks: Record<TileFill, readonly [Paint, string]> = {
  'in-step': [good, '✓'],
  pending: [waiting, '⏳ will retry next cycle'],
  unreachable: [waiting, '⏳ will retry next cycle'],
  'never-synced': [waiting, '⏳ will retry next cycle'],
  maintenance: [faint, 'in maintenance'],
  halted: [bad, '✗ halted, waits for you'],
  error: [bad, '✗ keeps failing, needs you'],
}

/** The lines of S1.103, `• name: status (last sync: ISO time)`, each with its mark behind. */
export function renderHealth({ groups: all }: Health): string {
  return all
    .filter(({ kind, nodes }) => nodes.length > 0 || alwaysShown.includes(kind))
    .map(({ heading, nodes }) => `${heading}\n${nodes.map(line).join('')}`)
    .join('\n')
}

function line({ name, status, fill, lastSync, reason }: NodeHealth): string {
  const [paint, mark] = marks[fill]
  const why = reason === null ? '' : `    ${printableLine(reason)}\n`
  return `• ${printableLine(name)}: ${paintNodeStatus(status)(status)} (last sync: ${lastSync ?? 'never'}) ${paint(mark)}\n${why}`
}
