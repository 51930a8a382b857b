import { useMemo } from 'react'
import { useReplica } from '../../stores/ReplicaContext.tsx'
import { krlStandingOf } from '../certificates/krl/coverage.ts'
import { useKrl } from '../certificates/trustQueries.ts'
import type { Fill, FillBy } from './map/styles.ts'

/** The fill that was chosen, with what it has to know beyond the node: which version of the list there is now. */
export function useFill(by: FillBy): Fill {
  const { krl } = useKrl()
  const plans = useReplica((state) => state.plans)
  const version = krl?.version ?? 0
  return useMemo(() => {
    if (by !== 'krl') return { by }
    const ids = new Set([...plans.values()].filter((plan) => plan.kind === 'krl').map((plan) => plan.id))
    return { by, standingOf: (node) => krlStandingOf(node, ids, version) }
  }, [by, plans, version])
}
