import type { AgentSpec } from '../../../../shared/model/plan.ts'
import { Fact, Facts } from '../../../components/Facts.tsx'
import { Time } from '../../../components/Time.tsx'
import { useReplica } from '../../../stores/ReplicaContext.tsx'
import { Section } from '../../fleet/drawer/Section.tsx'
import { agentPlanOf } from '../agentRows.ts'
import type { AgentRow } from '../agentStanding.ts'

/** What it says it does. Decided on the host, so it is shown here and changed there. */
export function WorkSection({ row }: { readonly row: AgentRow }) {
  const plans = useReplica((state) => state.plans)
  const plan = agentPlanOf(row.node, plans)
  return (
    <Section title="Its work" aside={<span className="text-12 text-faint">configured on the agent in agent.yaml</span>}>
      {plan === undefined ? (
        <p className="text-muted">It has not said yet what it does.</p>
      ) : (
        <Facts nameWidth="120px">
          <SpecFacts spec={plan.spec} />
          <Fact name="When">
            <Schedule schedule={plan.spec.schedule} nextRunAt={nextRunOf(row)} />
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

/** Null where what it said last need not be true any more. */
function nextRunOf({ agent: { activity }, standing }: AgentRow): number | null {
  return activity.status === 'idle' && (standing === 'idle' || standing === 'failed') ? activity.nextRunAt : null
}

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
