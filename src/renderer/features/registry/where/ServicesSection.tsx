import { useMemo } from 'react'
import type { FleetNode, PlanState } from '../../../../shared/model/node.ts'
import type { RegistryService } from '../../../../shared/model/registry.ts'
import { formatCount, plural } from '../../../components/format.ts'
import { Time } from '../../../components/Time.tsx'
import { useReplica } from '../../../stores/ReplicaContext.tsx'
import { formatHash } from '../../../stores/route.ts'
import { Section } from '../../fleet/drawer/Section.tsx'
import { useServices } from '../registryQueries.ts'
import { CarryMark } from './CarryMark.tsx'
import { carryState, type DeliveryPlan } from './carriers.ts'

const shownNames = 12

/** In the drawer of a node: the services it carries. Nothing where no plan brings it any. */
export function ServicesSection({ node }: { readonly node: FleetNode }) {
  const plans = useReplica((state) => state.plans)
  const deliveries = useMemo(
    () =>
      node.plans.flatMap((state): Delivery[] => {
        const plan = plans.get(state.planId)
        return plan?.kind === 'routes' || plan?.kind === 'hosts' ? [{ plan, state }] : []
      }),
    [node.plans, plans],
  )
  if (deliveries.length === 0) return null
  return <KnownServices node={node} deliveries={deliveries} />
}

interface Delivery {
  readonly plan: DeliveryPlan
  readonly state: PlanState
}

function KnownServices({ node, deliveries }: { readonly node: FleetNode; readonly deliveries: readonly Delivery[] }) {
  const services = useServices()
  return (
    <Section
      title="Services"
      aside={
        <a className="text-12 text-accent underline" href={formatHash({ view: 'registry', path: ['where'] })}>
          which is where
        </a>
      }
    >
      <ul className="flex flex-col gap-2">
        {deliveries.map(({ plan, state }) => (
          <li key={plan.id}>
            <p className="flex items-baseline justify-between gap-2">
              <span className="font-medium">{plan.kind === 'routes' ? 'Routes' : 'Hosts file'}</span>
              <CarryMark state={carryState(state, node)} />
            </p>
            {services !== undefined && <Names services={carriedBy(plan, services)} />}
            {state.observed !== null && (
              <p className="text-12 text-faint">
                {plan.spec.file}, read back <Time at={state.observed.verifiedAt} />
              </p>
            )}
          </li>
        ))}
      </ul>
    </Section>
  )
}

const carriedBy = (plan: DeliveryPlan, services: readonly RegistryService[]): readonly RegistryService[] =>
  plan.kind === 'hosts' ? services : services.filter((service) => service.public)

function Names({ services }: { readonly services: readonly RegistryService[] }) {
  const shown = services.slice(0, shownNames)
  return (
    <p className="text-muted">
      {plural(services.length, 'service')}
      {shown.length > 0 && ': '}
      {shown.map(({ name }, index) => (
        <span key={name}>
          {index > 0 && ', '}
          <a
            className="hover:underline"
            href={formatHash({ view: 'registry', path: ['where'], query: { service: name } })}
          >
            {name}
          </a>
        </span>
      ))}
      {services.length > shown.length && ` and ${formatCount(services.length - shown.length)} more`}
    </p>
  )
}
