import { useMemo } from 'react'
import type { FleetNode } from '../../../shared/model/node.ts'
import { FillMark, StaticKeyMark } from '../../components/StatusMark.tsx'
import { useNow } from '../../stores/clock.ts'
import { krlStandings } from '../certificates/krl/coverage.ts'
import { krlMarks } from '../certificates/krl/krlWords.ts'
import { TileCache } from './map/scene.ts'
import { certificateLevels, driftLevels, type Fill, type FillBy, legendOf, styleIndexOf, styles } from './map/styles.ts'

const stepMs = 15_000

/** The same shapes as on the map, for reading the other fills; the sync fill is explained by the header's counts. */
export function Legend({ nodes, fill }: { readonly nodes: readonly FleetNode[]; readonly fill: Fill }) {
  const now = useNow(stepMs)
  const counts = useMemo(() => {
    const cache = new TileCache()
    cache.setClock(now)
    const found = new Map<number, number>()
    for (const node of nodes) {
      const style = styleIndexOf(node, cache.get(node), fill)
      found.set(style, (found.get(style) ?? 0) + 1)
    }
    return found
  }, [nodes, fill, now])
  if (fill.by === 'sync') return null
  return (
    <ul
      aria-label={legendLabels[fill.by]}
      className="absolute bottom-3 left-4 z-10 flex gap-4 rounded-md border bg-surface px-3 py-1.5 text-12 shadow-float"
    >
      {legendOf(fill.by).map((style, at) => (
        <li key={style} className="flex items-center gap-1.5">
          <LegendMark by={fill.by} at={at} />
          {counts.get(style) ?? 0} {styles[style]?.word}
        </li>
      ))}
    </ul>
  )
}

const legendLabels = { krl: 'Revocation list', certificate: 'Certificates', drift: 'Drift' } as const

function LegendMark({ by, at }: { readonly by: FillBy; readonly at: number }) {
  if (by === 'krl') return <FillMark fill={krlMarks[krlStandings[at] ?? 'none']} />
  if (by === 'drift') return <FillMark fill={driftMarks[driftLevels[at] ?? 'none']} />
  const level = certificateLevels[at] ?? 'none'
  if (level === 'static-key') return <StaticKeyMark />
  return <FillMark fill={markOf[level]} {...(level === 'expired' ? { colour: 'text-error' } : {})} />
}

/** Which sync mark has the shape of a standing. */
const driftMarks = {
  drifted: 'error',
  behind: 'pending',
  never: 'never-synced',
  'as-wanted': 'in-step',
  none: 'unreachable',
} as const

/** Which sync mark has the shape of a certificate level. */
const markOf = { expired: 'halted', critical: 'error', soon: 'pending', none: 'unreachable', ok: 'in-step' } as const
