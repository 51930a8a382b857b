import { type CertificateLevel, type Tile, type TileFill, tileFills } from '../../../../core/fleet/health.ts'

/** What the fill of a tile is asked to show. */
export type FillBy = 'sync' | 'certificate'

export type Shape = 'solid' | 'half' | 'ring' | 'dashed' | 'flat' | 'hatched' | 'barred'

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
  'none',
  'ok',
] as const satisfies readonly CertificateLevel[]

const certificateStyles: Readonly<Record<CertificateLevel, TileStyle>> = {
  expired: { shape: 'barred', token: 'error', word: 'expired' },
  critical: { shape: 'ring', token: 'error', word: 'under 10 minutes' },
  soon: { shape: 'half', token: 'pending', word: 'under an hour' },
  none: { shape: 'dashed', token: 'unreachable', word: 'no certificate' },
  ok: { shape: 'solid', token: 'in-step', word: 'an hour or more' },
}

/** All styles; the index in this list is what a scene stores for a tile. Worst first within each part. */
export const styles: readonly TileStyle[] = [
  ...tileFills.map((fill) => syncStyles[fill]),
  ...certificateLevels.map((level) => certificateStyles[level]),
]

export const syncStyleIndex = (fill: TileFill): number => tileFills.indexOf(fill)

export const styleIndexOf = (tile: Tile, fillBy: FillBy): number =>
  fillBy === 'sync' ? syncStyleIndex(tile.fill) : tileFills.length + certificateLevels.indexOf(tile.certificate.level)

/** Which styles a fill-by can show, worst first: the legend. */
export const legendOf = (fillBy: FillBy): readonly number[] =>
  fillBy === 'sync' ? tileFills.map((_, index) => index) : certificateLevels.map((_, index) => tileFills.length + index)
