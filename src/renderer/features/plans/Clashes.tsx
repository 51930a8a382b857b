import { useMemo } from 'react'
import { clashSentence, type PlanClash, planClashes } from '../../../core/fleet/planClashes.ts'
import type { PlanInput } from '../../../shared/model/plan.ts'
import { plural } from '../../components/format.ts'
import { useReplica } from '../../stores/ReplicaContext.tsx'

/** Where applying these plans would make two of them write the same place. */
export function useClashes(inputs: readonly PlanInput[]): readonly PlanClash[] {
  const nodes = useReplica((state) => state.nodes)
  const plans = useReplica((state) => state.plans)
  return useMemo(() => planClashes(inputs, plans.values(), nodes.values()), [inputs, plans, nodes])
}

/** Said before anything is saved; it keeps nobody from applying. */
export function Clashes({ clashes }: { readonly clashes: readonly PlanClash[] }) {
  if (clashes.length === 0) return null
  return (
    <section aria-label="Plans that write the same place" className="flex flex-col gap-1.5">
      <h2 className="font-semibold text-pending">{plural(clashes.length, 'clash', 'clashes')} with another plan</h2>
      <ul className="flex flex-col gap-1.5">
        {clashes.map((clash) => (
          <li key={`${clash.plans.join(' ')} ${clash.path}`} className="text-12 break-words text-pending">
            {clashSentence(clash)}
          </li>
        ))}
      </ul>
    </section>
  )
}
