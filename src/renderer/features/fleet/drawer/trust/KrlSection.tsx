import type { FleetNode } from '../../../../../shared/model/node.ts'
import { Time } from '../../../../components/Time.tsx'
import { useReplica } from '../../../../stores/ReplicaContext.tsx'
import { formatHash } from '../../../../stores/route.ts'
import { type KrlStanding, krlCoverage } from '../../../certificates/krl/coverage.ts'
import { krlWords } from '../../../certificates/krl/krlWords.ts'
import { useKrl } from '../../../certificates/trustQueries.ts'
import { Section } from '../Section.tsx'
import { DeliverPlan, usePlanOfKind } from './DeliverPlan.tsx'

const asideClass: Readonly<Record<KrlStanding, string>> = {
  current: 'text-muted',
  behind: 'text-pending',
  unproven: 'text-pending',
  none: 'text-muted',
}

/** Whether sshd of this node refuses what we revoke, and which version it has proven. */
export function KrlSection({ node }: { readonly node: FleetNode }) {
  const { krl } = useKrl()
  const plans = useReplica((state) => state.plans)
  const plan = usePlanOfKind(node, 'krl')
  const [row] = krlCoverage([node], plans, krl?.version ?? 0)
  if (row === undefined) return null
  const words = krl === undefined && row.standing !== 'none' ? 'asking…' : krlWords[row.standing]
  return (
    <Section title="Revocation list" aside={<span className={asideClass[row.standing]}>{words}</span>}>
      {plan === null ? (
        <p className="text-muted">
          No plan brings it here: a revoked certificate keeps working on this node until it ends.{' '}
          <a className="text-accent underline" href={formatHash({ view: 'certificates', query: { tab: 'krl' } })}>
            See who gets it
          </a>
        </p>
      ) : (
        <>
          <p className="text-muted">
            {node.krl === null ? (
              'No version was proven here yet.'
            ) : (
              <>
                Version {node.krl.version} was proven <Time at={node.krl.verifiedAt} />: read back, and sshd obeys it.
              </>
            )}
            {krl !== undefined && row.standing !== 'current' && ` The list is at version ${krl.version} now.`}
          </p>
          {row.standing !== 'current' && krl !== undefined && (
            <DeliverPlan node={node} plan={plan} label="Deliver now" />
          )}
        </>
      )}
    </Section>
  )
}
