import { useMemo } from 'react'
import type { AuthorityKind } from '../../../../shared/model/certificate.ts'
import type { PlanKind } from '../../../../shared/model/plan.ts'
import { plural } from '../../../components/format.ts'
import { useReplica } from '../../../stores/ReplicaContext.tsx'
import { formatHash } from '../../../stores/route.ts'
import { kindWords } from '../../plans/planWords.ts'

/** The kind of plan that brings an authority to nodes; agents get theirs through the gateway. */
const planKindOf: Readonly<Record<AuthorityKind, PlanKind | null>> = {
  'ssh-user': 'trust',
  'ssh-host': 'host-certificate',
  x509: null,
}

/** Nodes that no plan brings this authority to: in a rotation they would wait for ever. Says so, and where to help. */
export function UnplannedNodes({ kind }: { readonly kind: AuthorityKind }) {
  const nodes = useReplica((state) => state.nodes)
  const plans = useReplica((state) => state.plans)
  const planKind = planKindOf[kind]
  const missing = useMemo(
    () =>
      [...nodes.values()].filter(
        (node) => node.transport === 'push' && !node.plans.some(({ planId }) => plans.get(planId)?.kind === planKind),
      ).length,
    [nodes, plans, planKind],
  )
  if (planKind === null || missing === 0) return null
  return (
    <p className="text-pending">
      No plan of kind {kindWords[planKind]} reaches {plural(missing, 'node')}: the new authority does not get there.{' '}
      <a
        className="text-accent underline"
        href={formatHash({ view: 'plans', path: ['new'], query: { kind: planKind } })}
      >
        Write the plan
      </a>
    </p>
  )
}
