import { useMemo } from 'react'
import type { NodeId } from '../../../../shared/model/ids.ts'
import type { RegistryService } from '../../../../shared/model/registry.ts'
import { Drawer } from '../../../components/Drawer.tsx'
import { Fact, Facts } from '../../../components/Facts.tsx'
import { formatCount, plural } from '../../../components/format.ts'
import { VirtualList } from '../../../components/VirtualList.tsx'
import { useReplica } from '../../../stores/ReplicaContext.tsx'
import { filterHash, formatHash, nodeHash } from '../../../stores/route.ts'
import { domainsOf, fullName } from '../table/columns.tsx'
import { CarryMark, carryWords } from './CarryMark.tsx'
import { type Carrier, type CarryState, carryStates, planFilter } from './carriers.ts'

interface ServiceDrawerProps {
  readonly service: RegistryService
  readonly carriers: readonly Carrier[]
  readonly onClose: () => void
}

/** One service: which nodes carry it, and how sure that is. */
export function ServiceDrawer({ service, carriers, onClose }: ServiceDrawerProps) {
  const plans = useReplica((state) => state.plans)
  const domains = useMemo(() => domainsOf(plans.values()), [plans])
  return (
    <Drawer
      label={`Service ${service.name}`}
      paneName="service drawer"
      onClose={onClose}
      header={
        <>
          <h2 className="truncate text-18 font-semibold">{service.name}</h2>
          <p className="text-muted">{fullName(service.subdomain, domains)}</p>
        </>
      }
    >
      <div className="flex flex-col gap-5 p-4">
        <Facts>
          <Fact name="Leads to">
            <code className="text-12">
              {service.ip.includes(':') ? `[${service.ip}]` : service.ip}:{service.port}
            </code>
          </Fact>
          <Fact name="Public">{service.public ? 'yes' : 'no: it is in hosts files alone'}</Fact>
          <Fact name="Registry">
            <a
              className="text-accent underline"
              href={formatHash({ view: 'registry', path: ['services'], query: { q: service.name } })}
            >
              Edit it
            </a>
          </Fact>
        </Facts>
        {carriers.length === 0 && <p className="text-muted">No plan delivers it to any node.</p>}
        {carriers.map((carrier) => (
          <CarrierSection key={carrier.plan.id} carrier={carrier} alone={carriers.length === 1} />
        ))}
      </div>
    </Drawer>
  )
}

function CarrierSection({ carrier, alone }: { readonly carrier: Carrier; readonly alone: boolean }) {
  const { plan, counts } = carrier
  const nodes = useReplica((state) => state.nodes)
  const rows = useMemo(
    () =>
      [...carrier.nodes]
        .map(([id, state]) => ({ id, state, name: nodes.get(id)?.name ?? 'a removed node' }))
        .sort((left, right) => rank(right.state) - rank(left.state) || (left.name < right.name ? -1 : 1)),
    [carrier, nodes],
  )
  const open = rows.length - counts.proven
  return (
    <section aria-label={plan.name} className="flex flex-col gap-1.5">
      <h3 className="flex items-baseline justify-between gap-2 text-12">
        <span className="font-semibold text-faint">
          {plan.name}: <code>{plan.spec.file}</code>
        </span>
        <a className="shrink-0 text-accent underline" href={filterHash(planFilter(plan))}>
          {plural(rows.length, 'node')} on the map
        </a>
      </h3>
      <ul className="flex flex-wrap gap-x-4 text-12">
        {carryStates
          .filter((state) => counts[state] > 0)
          .map((state) => (
            <li key={state}>
              {formatCount(counts[state])} {carryWords[state]}
            </li>
          ))}
        {open > 0 && (
          <li>
            <a className="text-accent underline" href={filterHash(planFilter(plan, true))}>
              show those not in step
            </a>
          </li>
        )}
      </ul>
      <div style={{ height: Math.min(rows.length * rowHeight, alone ? 520 : 260) }}>
        <VirtualList
          label={`Nodes of ${plan.name}`}
          items={rows}
          itemKey={({ id }) => id}
          rowHeight={rowHeight}
          renderItem={(row) => <NodeLine {...row} />}
        />
      </div>
    </section>
  )
}

const rowHeight = 28
const rank = (state: CarryState): number => carryStates.indexOf(state)

function NodeLine({ id, name, state }: { readonly id: NodeId; readonly name: string; readonly state: CarryState }) {
  return (
    <span className="flex h-full items-center justify-between gap-2 border-b">
      <a className="min-w-0 truncate hover:underline" href={nodeHash(id)}>
        {name}
      </a>
      <span className="text-12 text-muted">
        <CarryMark state={state} />
      </span>
    </span>
  )
}
