import { type CertificateLevel, type Tile, type TileFill, tileFills } from '../../../../core/fleet/health.ts'
import { assertNever } from '../../../../shared/errors.ts'
import type { FleetNode } from '../../../../shared/model/node.ts'
import { type KrlStanding, krlStandings } from '../../certificates/krl/coverage.ts'
import { standingOf, standings } from '../../plans/drift/standing.ts'

/** What the fill of a tile is asked to show. */
export type FillBy = 'sync' | 'drift' | 'certificate' | 'krl'

/** What the fill shows, with whatever a node alone does not tell. */
export type Fill =
  | { readonly by: 'sync' | 'drift' | 'certificate' }
  | { readonly by: 'krl'; readonly standingOf: (node: FleetNode) => KrlStanding }

export const parseFillBy = (text: string | undefined): FillBy =>
  text === 'drift' || text === 'certificate' || text === 'krl' ? text : 'sync'

export type Shape = 'solid' | 'half' | 'ring' | 'dashed' | 'flat' | 'hatched' | 'barred' | 'dotted'

/** Shape says it; colour repeats it. `token` is a name of styles/tokens.css. */
export interface TileStyle {
  readonly shape: Shape
  readonly token: string
  readonly word: string
}

const syncStyles: Readonly<Record<TileFill, TileStyle>> = {
  error: { shape: 'ring', token: 'error', word: 'error' },
  halted: { shape: 'barred', token: 'halted', word: 'held back' },
  unreachable: { shape: 'dashed', token: 'unreachable', word: 'unreachable' },
  pending: { shape: 'half', token: 'pending', word: 'pending' },
  'never-synced': { shape: 'flat', token: 'never-synced', word: 'never synced' },
  maintenance: { shape: 'hatched', token: 'maintenance', word: 'in maintenance' },
  'in-step': { shape: 'solid', token: 'in-step', word: 'in step' },
}

export const certificateLevels = [
  'expired',
  'critical',
  'soon',
  'static-key',
  'none',
  'ok',
] as const satisfies readonly CertificateLevel[]

const certificateStyles: Readonly<Record<CertificateLevel, TileStyle>> = {
  expired: { shape: 'barred', token: 'error', word: 'expired' },
  critical: { shape: 'ring', token: 'error', word: 'under 10 minutes' },
  soon: { shape: 'half', token: 'pending', word: 'under an hour' },
  'static-key': { shape: 'dotted', token: 'pending', word: 'static key' },
  none: { shape: 'dashed', token: 'unreachable', word: 'no certificate' },
  ok: { shape: 'solid', token: 'in-step', word: 'an hour or more' },
}

/** Of all plans of a node the one that is worst off; `none`: no plan selects it. */
export const driftLevels = [...standings, 'none'] as const
export type DriftLevel = (typeof driftLevels)[number]

const driftStyles: Readonly<Record<DriftLevel, TileStyle>> = {
  drifted: { shape: 'ring', token: 'error', word: 'no longer proven' },
  behind: { shape: 'half', token: 'pending', word: 'behind' },
  never: { shape: 'flat', token: 'never-synced', word: 'never read back' },
  'as-wanted': { shape: 'solid', token: 'in-step', word: 'as wanted' },
  none: { shape: 'dashed', token: 'unreachable', word: 'without a plan' },
}

export function driftLevelOf(node: FleetNode): DriftLevel {
  const found = new Set(node.plans.map(standingOf))
  return standings.find((standing) => found.has(standing)) ?? 'none'
}

const krlStyles: Readonly<Record<KrlStanding, TileStyle>> = {
  behind: { shape: 'half', token: 'pending', word: 'on an older list' },
  unproven: { shape: 'flat', token: 'never-synced', word: 'list not proven' },
  none: { shape: 'dashed', token: 'unreachable', word: 'without a list' },
  current: { shape: 'solid', token: 'in-step', word: 'on the current list' },
}

/** All styles; the index in this list is what a scene stores for a tile. Worst first within each part. */
export const styles: readonly TileStyle[] = [
  ...tileFills.map((fill) => syncStyles[fill]),
  ...certificateLevels.map((level) => certificateStyles[level]),
  ...krlStandings.map((standing) => krlStyles[standing]),
  ...driftLevels.map((level) => driftStyles[level]),
]

const certificateStart = tileFills.length
const krlStart = certificateStart + certificateLevels.length
const driftStart = krlStart + krlStandings.length

export const syncStyleIndex = (fill: TileFill): number => tileFills.indexOf(fill)

export function styleIndexOf(node: FleetNode, tile: Tile, fill: Fill): number {
  switch (fill.by) {
    case 'sync':
      return syncStyleIndex(tile.fill)
    case 'certificate':
      return certificateStart + certificateLevels.indexOf(tile.certificate.level)
    case 'drift':
      return driftStart + driftLevels.indexOf(driftLevelOf(node))
    case 'krl':
      return krlStart + krlStandings.indexOf(fill.standingOf(node))
    default:
      return assertNever(fill)
  }
}

/** Which styles a fill-by can show, worst first: the legend. */
export function legendOf(fillBy: FillBy): readonly number[] {
  if (fillBy === 'sync') return tileFills.map((_, index) => index)
  if (fillBy === 'certificate') return certificateLevels.map((_, index) => certificateStart + index)
  if (fillBy === 'drift') return driftLevels.map((_, index) => driftStart + index)
  return krlStandings.map((_, index) => krlStart + index)
}
