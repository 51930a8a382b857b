import { useMemo } from 'react'
import type { FleetNode } from '../../../shared/model/node.ts'
import { FillMark } from '../../components/StatusMark.tsx'
import { useNow } from '../../stores/clock.ts'
import { TileCache } from './map/scene.ts'
import { certificateLevels, type FillBy, legendOf, styleIndexOf, styles } from './map/styles.ts'

const stepMs = 15_000

/** The same shapes as on the map, for reading the certificate fill; the sync fill is explained by the header's counts. */
export function Legend({ nodes, fillBy }: { readonly nodes: readonly FleetNode[]; readonly fillBy: FillBy }) {
  const now = useNow(stepMs)
  const counts = useMemo(() => {
    const cache = new TileCache()
    cache.setClock(now)
    const found = new Map<number, number>()
    for (const node of nodes) {
      const style = styleIndexOf(cache.get(node), fillBy)
      found.set(style, (found.get(style) ?? 0) + 1)
    }
    return found
  }, [nodes, fillBy, now])
  if (fillBy === 'sync') return null
  return (
    <ul
      aria-label="Certificates"
      className="absolute bottom-3 left-4 z-10 flex gap-4 rounded-md border bg-surface px-3 py-1.5 text-12 shadow-float"
    >
      {legendOf(fillBy).map((style, at) => (
        <li key={style} className="flex items-center gap-1.5">
          <FillMark
            fill={markOf[certificateLevels[at] ?? 'none']}
            {...(certificateLevels[at] === 'expired' ? { colour: 'text-error' } : {})}
          />
          {counts.get(style) ?? 0} {styles[style]?.word}
        </li>
      ))}
    </ul>
  )
}

/** Which sync mark has the shape of a certificate level. */
const markOf = { expired: 'halted', critical: 'error', soon: 'pending', none: 'unreachable', ok: 'in-step' } as const
