import { useMemo, useRef } from 'react'
import type { RunId } from '../../../../../shared/model/ids.ts'
import type { FleetNode } from '../../../../../shared/model/node.ts'
import type { Plan, PlanKind } from '../../../../../shared/model/plan.ts'
import { isFinal, type Run } from '../../../../../shared/model/run.ts'
import { useLink } from '../../../../api/LinkContext.tsx'
import { newIdempotencyKey } from '../../../../api/randomKey.ts'
import { useCall } from '../../../../api/useCall.ts'
import { Button } from '../../../../components/Button.tsx'
import { ErrorNote } from '../../../../components/ErrorNote.tsx'
import { RunMark } from '../../../../components/StatusMark.tsx'
import { useReplica, useRun, useStale } from '../../../../stores/ReplicaContext.tsx'
import { runHash } from '../../../../stores/route.ts'

/** The plan of this kind that selects the node; null when none does. */
export function usePlanOfKind(node: FleetNode, kind: PlanKind): Plan | null {
  const plans = useReplica((state) => state.plans)
  return useMemo(
    () => node.plans.flatMap(({ planId }) => plans.get(planId) ?? []).find((plan) => plan.kind === kind) ?? null,
    [node.plans, plans, kind],
  )
}

interface DeliverPlanProps {
  readonly node: FleetNode
  readonly plan: Plan
  readonly label: string
}

/** One run of one plan on this node: done only when the node has proven it. */
export function DeliverPlan({ node, plan, label }: DeliverPlanProps) {
  const { client } = useLink()
  const stale = useStale()
  const push = useCall<RunId | null>()
  // Another one only after an answer: pressing again after an error means the same run.
  const key = useRef(newIdempotencyKey())
  const deliver = (): void => {
    const targets = { kind: 'nodes' as const, nodes: [node.id] }
    void push.run(async () => {
      const { runs } = await client.runs.push({ idempotencyKey: key.current, plans: [plan.id], targets })
      key.current = newIdempotencyKey()
      return runs[0]?.id ?? null
    })
  }
  return (
    <div className="mt-2 flex flex-col gap-2">
      <div className="flex flex-wrap items-center gap-2">
        <Button size="small" busy={push.busy} disabled={stale} onClick={deliver}>
          {label}
        </Button>
        {push.answer !== null && <Outcome runId={push.answer} />}
      </div>
      {push.error !== null && <ErrorNote error={push.error} onRetry={deliver} retryLabel="Ask again" />}
    </div>
  )
}

function Outcome({ runId }: { readonly runId: RunId }) {
  const run = useRun(runId)
  if (run === undefined) return <span className="text-muted">Asked for.</span>
  return (
    <span role="status" className="inline-flex items-center gap-2">
      <RunMark status={run.status} />
      <a className="text-accent underline" href={runHash(runId)}>
        {outcomeWords(run)}
      </a>
    </span>
  )
}

function outcomeWords(run: Run): string {
  if (run.status === 'succeeded' && run.proof !== null) return 'proven on the node'
  if (!isFinal(run.status) && run.status !== 'halted') return 'under way'
  return run.failure?.short ?? run.halt?.diagnosis.short ?? run.status
}
