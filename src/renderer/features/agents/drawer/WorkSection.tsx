import { useMemo } from 'react'
import type { Agent } from '../../../../shared/model/agent.ts'
import type { AgentSpec, PlanOf } from '../../../../shared/model/plan.ts'
import { Fact, Facts } from '../../../components/Facts.tsx'
import { Time } from '../../../components/Time.tsx'
import { useNode, useReplica } from '../../../stores/ReplicaContext.tsx'
import { Section } from '../../fleet/drawer/Section.tsx'

/** The plan that its agent.yaml became; undefined before its first word. */
function useAgentPlan(agent: Agent): PlanOf<'agent'> | undefined {
  const node = useNode(agent.nodeId)
  const plans = useReplica((state) => state.plans)
  return useMemo(
    () =>
      (node?.plans ?? [])
        .map((each) => plans.get(each.planId))
        .find((plan): plan is PlanOf<'agent'> => plan?.kind === 'agent'),
    [node, plans],
  )
}

/** What it says it does. Decided on the host, so it is shown here and changed there. */
export function WorkSection({ agent, heard }: { readonly agent: Agent; readonly heard: boolean }) {
  const plan = useAgentPlan(agent)
  return (
    <Section title="Its work" aside={<span className="text-12 text-faint">configured on the agent in agent.yaml</span>}>
      {plan === undefined ? (
        <p className="text-muted">It has not said yet what it does.</p>
      ) : (
        <Facts nameWidth="120px">
          <SpecFacts spec={plan.spec} />
          <Fact name="When">
            <Schedule schedule={plan.spec.schedule} nextRunAt={heard ? nextRunOf(agent) : null} />
          </Fact>
          <Fact name="Revision">
            {plan.revision}, said <Time at={plan.updatedAt} />
          </Fact>
        </Facts>
      )}
    </Section>
  )
}

function SpecFacts({ spec }: { readonly spec: AgentSpec }) {
  const { storage } = spec
  return (
    <>
      <Fact name="Storage">
        <code className="text-12">
          {storage.user}@{storage.address}:{storage.port}
        </code>
      </Fact>
      <Legs name="Pushes" legs={spec.push} />
      <Legs name="Pulls" legs={spec.pull} />
      {spec.excludes.length > 0 && (
        <Fact name="Leaves out">
          <code className="text-12">{spec.excludes.join(' ')}</code>
        </Fact>
      )}
      <Fact name="Deletes">
        {spec.delete ? 'what the source no longer has' : 'nothing: files that left the source stay on the other side'}
      </Fact>
      <Fact name="Verifies">
        {spec.verify === 'checksum' ? 'the content of every file' : 'size and time of every file'}
      </Fact>
    </>
  )
}

function Legs({ name, legs }: { readonly name: string; readonly legs: AgentSpec['push'] }) {
  return legs.map((leg, index) => (
    <Fact key={`${leg.source} ${leg.target}`} name={index === 0 ? name : ''}>
      <code className="text-12">
        {leg.source} → {leg.target}
      </code>
    </Fact>
  ))
}

const nextRunOf = ({ activity }: Agent): number | null => (activity.status === 'idle' ? activity.nextRunAt : null)

function Schedule({ schedule, nextRunAt }: { readonly schedule: string | null; readonly nextRunAt: number | null }) {
  if (schedule === null) return 'when something on the host starts it: it has no schedule of its own'
  return (
    <>
      <code className="text-12">{schedule}</code> on the clock of the agent
      {nextRunAt !== null && (
        <>
          , next <Time at={nextRunAt} />
        </>
      )}
    </>
  )
}
