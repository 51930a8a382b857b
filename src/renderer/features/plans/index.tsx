import { useMemo } from 'react'
import { computeTile } from '../../../core/fleet/health.ts'
import type { PlanId } from '../../../shared/model/ids.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import type { Plan, PlanKind } from '../../../shared/model/plan.ts'
import { Button } from '../../components/Button.tsx'
import { classNames } from '../../components/classNames.ts'
import { type Column, DataTable } from '../../components/DataTable.tsx'
import { EmptyState } from '../../components/EmptyState.tsx'
import { formatCount, plural } from '../../components/format.ts'
import { Time } from '../../components/Time.tsx'
import { ViewHeader } from '../../components/ViewHeader.tsx'
import { engineNowMs } from '../../stores/clock.ts'
import { useReplica, useStale } from '../../stores/ReplicaContext.tsx'
import { formatHash, navigate, type Route } from '../../stores/route.ts'
import { AgentPlanView } from './AgentPlanView.tsx'
import { DriftView } from './drift/DriftView.tsx'
import { PlanEditor, writableKinds } from './PlanEditor.tsx'
import { PlansTabs } from './PlansTabs.tsx'
import { kindWords, planLines } from './planWords.ts'

const newKindOf = ({ query }: Route): Exclude<PlanKind, 'agent'> =>
  writableKinds.find((kind) => kind === query.kind) ?? 'tree'

/** `#/plans`, `#/plans/drift`, `#/plans/new?kind=krl` and `#/plans/<id>`. */
export function View({ route }: { readonly route: Route }) {
  const [first] = route.path
  const plan = useReplica((state) => state.plans.get(first as PlanId))
  const loaded = useReplica((state) => state.loaded)
  if (first === undefined) return <PlanList />
  if (first === 'drift') return <DriftView route={route} />
  if (!loaded) return <ViewHeader title="Plans" summary="Loading" />
  if (first === 'new') {
    const { kind, repository = '' } = route.query
    return <PlanEditor key={kind} plan={null} kind={newKindOf(route)} repository={repository} />
  }
  if (plan?.kind === 'agent') return <AgentPlanView plan={plan} />
  if (plan !== undefined) return <PlanEditor key={plan.id} plan={plan} kind={plan.kind} />
  return (
    <EmptyState
      title="There is no such plan"
      actions={<Button onClick={() => navigate(formatHash({ view: 'plans' }))}>Show all plans</Button>}
    >
      It was removed, or the link comes from another console.
    </EmptyState>
  )
}

const openNew = (): void => navigate(formatHash({ view: 'plans', path: ['new'] }))

function PlanList() {
  const plans = useReplica((state) => state.plans)
  const nodes = useReplica((state) => state.nodes)
  const loaded = useReplica((state) => state.loaded)
  const stale = useStale()
  const rows = useMemo(
    () => [...plans.values()].map((plan) => ({ plan, ...standing(plan, nodes.values()) })),
    [plans, nodes],
  )
  const columns = useColumns(nodes.size)
  if (!loaded) return <ViewHeader title="Plans" summary="Loading" />
  if (rows.length === 0) {
    return (
      <EmptyState title="No plans yet" actions={<Button onClick={openNew}>New plan</Button>}>
        A plan says what goes to which nodes: a directory, a commit of a repository, the revocation list, the
        authorities to trust, a host certificate. Whatever it means is delivered, read back and kept that way.
      </EmptyState>
    )
  }
  return (
    <div className="flex h-full flex-col">
      <ViewHeader
        title="Plans"
        summary={
          <>
            <PlansTabs current="plans" />
            {plural(rows.length, 'plan')}
          </>
        }
        actions={<Button onClick={openNew}>New plan</Button>}
      />
      <div className={classNames('min-h-0 flex-1', stale && 'stale')}>
        <DataTable
          label="Plans"
          rows={rows}
          rowKey={(row) => row.plan.id}
          columns={columns}
          defaultSort={{ columnId: 'name', direction: 'ascending' }}
          onOpen={(row) => navigate(formatHash({ view: 'plans', path: [row.plan.id] }))}
        />
      </div>
    </div>
  )
}

interface PlanRow {
  readonly plan: Plan
  /** Nodes that should have it. */
  readonly wanted: number
  /** Of these, how many were read back at the revision wanted now, without drift since. */
  readonly verified: number
  /** Of these, how many show green now: the others went silent, failed or halted since. */
  readonly inStep: number
}

function standing(plan: Plan, nodes: Iterable<FleetNode>): Omit<PlanRow, 'plan'> {
  let wanted = 0
  let verified = 0
  let inStep = 0
  for (const node of nodes) {
    const state = node.plans.find((each) => each.planId === plan.id)
    if (state === undefined) continue
    wanted += 1
    if (state.observed?.revision !== state.desiredRevision || state.driftSince !== null) continue
    verified += 1
    if (computeTile(node, engineNowMs()).fill === 'in-step') inStep += 1
  }
  return { wanted, verified, inStep }
}

function useColumns(total: number): readonly Column<PlanRow>[] {
  return useMemo(
    () => [
      {
        id: 'name',
        header: 'Plan',
        width: 'minmax(140px, 1fr)',
        cell: ({ plan }) => plan.name,
        sortValue: ({ plan }) => plan.name,
      },
      {
        id: 'kind',
        header: 'Kind',
        width: '136px',
        cell: ({ plan }) => <span className="text-muted">{kindWords[plan.kind]}</span>,
        sortValue: ({ plan }) => kindWords[plan.kind],
      },
      {
        id: 'revision',
        header: 'Revision',
        width: '88px',
        align: 'right',
        cell: ({ plan }) => plan.revision,
        sortValue: ({ plan }) => plan.revision,
      },
      {
        id: 'reach',
        header: 'Reaches',
        width: '150px',
        align: 'right',
        cell: ({ wanted }) => `${formatCount(wanted)} of ${plural(total, 'node')}`,
        sortValue: ({ wanted }) => wanted,
      },
      {
        id: 'verified',
        header: 'Read back',
        width: '230px',
        cell: (row) => <Verified row={row} />,
        sortValue: ({ wanted, verified }) => (wanted === 0 ? null : verified / wanted),
      },
      {
        id: 'selector',
        header: 'Selector',
        width: 'minmax(120px, 1fr)',
        cell: ({ plan }) => <code className="text-12 text-muted">{plan.selector === '' ? '*' : plan.selector}</code>,
      },
      {
        id: 'what',
        header: 'What',
        width: 'minmax(180px, 1.6fr)',
        cell: ({ plan }) => <span className="text-muted">{planLines(plan).join(', ')}</span>,
      },
      {
        id: 'updated',
        header: 'Changed',
        width: '110px',
        align: 'right',
        cell: ({ plan }) => <Time at={plan.updatedAt} className="text-muted" />,
        sortValue: ({ plan }) => plan.updatedAt,
      },
    ],
    [total],
  )
}

function Verified({ row }: { readonly row: PlanRow }) {
  const share = row.wanted === 0 ? 0 : row.verified / row.wanted
  return (
    <span className="flex items-center gap-2">
      <span aria-hidden className="h-1 w-16 overflow-hidden rounded-full bg-line">
        <span
          className={classNames('block h-full', row.inStep === row.wanted ? 'bg-in-step' : 'bg-pending')}
          style={{ width: `${share * 100}%` }}
        />
      </span>
      {formatCount(row.verified)} of {formatCount(row.wanted)}
      {row.inStep < row.verified && `, ${formatCount(row.inStep)} in step`}
    </span>
  )
}
