import type { PlanOf } from '../../../shared/model/plan.ts'
import { CopyButton } from '../../components/CopyButton.tsx'
import { Time } from '../../components/Time.tsx'
import { ViewHeader } from '../../components/ViewHeader.tsx'
import { useReplica } from '../../stores/ReplicaContext.tsx'
import { formatHash, nodeHash } from '../../stores/route.ts'
import { formatPlanDocument } from './planDocument.ts'

/** What an agent said it does: read here, changed in the `agent.yaml` of its machine. */
export function AgentPlanView({ plan }: { readonly plan: PlanOf<'agent'> }) {
  const nodes = useReplica((state) => state.nodes)
  const node = [...nodes.values()].find((each) => each.plans.some(({ planId }) => planId === plan.id))
  const text = formatPlanDocument([plan])
  return (
    <div className="flex h-full flex-col">
      <ViewHeader
        title={
          <>
            <a className="text-faint hover:text-text" href={formatHash({ view: 'plans' })}>
              Plans
            </a>
            <span className="text-faint">/</span>
            {plan.name}
          </>
        }
        summary={
          <>
            <span>revision {plan.revision}</span>
            <span>
              reported <Time at={plan.updatedAt} />
            </span>
          </>
        }
      />
      <div className="flex flex-col gap-3 overflow-auto p-4">
        <p className="max-w-2xl">
          Configured on the agent. This is what{' '}
          {node === undefined ? (
            'it'
          ) : (
            <a className="text-accent underline" href={nodeHash(node.id)}>
              {node.name}
            </a>
          )}{' '}
          reported with its last run. To change it, edit <code>agent.yaml</code> on that machine; the next run reports
          the new revision.
        </p>
        <section
          aria-label="Plan of the agent"
          className="flex max-w-3xl items-start gap-1 rounded-md border bg-surface p-3"
        >
          <pre className="min-w-0 flex-1 overflow-auto text-12 leading-5">{text}</pre>
          <CopyButton text={text} what="plan" />
        </section>
      </div>
    </div>
  )
}
