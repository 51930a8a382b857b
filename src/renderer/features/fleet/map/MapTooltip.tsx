import type { Tile } from '../../../../core/fleet/health.ts'
import type { FleetNode } from '../../../../shared/model/node.ts'
import { classNames } from '../../../components/classNames.ts'
import { FillMark } from '../../../components/StatusMark.tsx'
import { useNow } from '../../../stores/clock.ts'
import { loginWords, verifiedWords } from '../tileWords.ts'
import type { Point } from './layout.ts'

interface MapTooltipProps {
  readonly node: FleetNode | undefined
  readonly tile: Tile | undefined
  /** Pointer within the map. */
  readonly at: Point
}

const offsetPixels = 14
const widthPixels = 240
const heightPixels = 104

/** The five answers of a tile, in words, beside the pointer. */
export function MapTooltip({ node, tile, at }: MapTooltipProps) {
  const now = useNow()
  if (node === undefined || tile === undefined) return null
  const left =
    at.x + offsetPixels + widthPixels > window.innerWidth - 60 ? at.x - widthPixels - offsetPixels : at.x + offsetPixels
  const top = at.y + heightPixels > window.innerHeight - 120 ? at.y - heightPixels : at.y + offsetPixels
  const facts = [tile.busy && 'a run works on it', tile.drift && 'not proven', tile.locked && 'locked'].filter(Boolean)
  return (
    <div
      aria-hidden
      className="pointer-events-none absolute z-10 rounded-md border border-line-strong bg-raised px-3 py-2 text-12 shadow-float"
      style={{ left, top, width: widthPixels }}
    >
      <p className="truncate text-13 font-semibold">{node.name}</p>
      <p className="flex items-center gap-1.5 text-muted">
        <FillMark fill={tile.fill} withWord />
        {tile.diagnosis !== null && <span className="truncate">· {tile.short}</span>}
      </p>
      <p className="text-faint">{verifiedWords(tile, now)}</p>
      <p className="text-faint">
        <span className={classNames(tile.certificate.level === 'static-key' && 'text-pending')}>
          {loginWords(tile)}
        </span>
        {node.krl !== null && ` · revocation list ${node.krl.version}`}
        {facts.length > 0 && ` · ${facts.join(' · ')}`}
      </p>
    </div>
  )
}
