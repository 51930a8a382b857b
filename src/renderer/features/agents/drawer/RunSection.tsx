import { useState } from 'react'
import type { Agent } from '../../../../shared/model/agent.ts'
import type { Run } from '../../../../shared/model/run.ts'
import { RunMark } from '../../../components/StatusMark.tsx'
import { Time } from '../../../components/Time.tsx'
import { useRunProgress } from '../../../stores/ReplicaContext.tsx'
import { runHash } from '../../../stores/route.ts'
import { Section } from '../../fleet/drawer/Section.tsx'
import { type LogJump, LogViewer } from '../../runs/log/LogViewer.tsx'
import { RunProgressBar } from '../../runs/RunProgressBar.tsx'
import { useAnyRun } from '../../runs/runQueries.ts'
import { StateTrack } from '../../runs/StateTrack.tsx'

/** What it does now: the eleven states as it reports them, and its output as it comes. */
export function RunSection({ agent, heard }: { readonly agent: Agent; readonly heard: boolean }) {
  const { activity } = agent
  if (activity.status !== 'running') return null
  return <RunningRun key={activity.runId} runId={activity.runId} heard={heard} />
}

function RunningRun({ runId, heard }: { readonly runId: Run['id']; readonly heard: boolean }) {
  const { value: run } = useAnyRun(runId)
  const progress = useRunProgress(runId)
  const [jump, setJump] = useState<LogJump | null>(null)
  if (run === undefined) return null
  return (
    <Section
      title={heard ? 'Running now' : 'Running when it was last heard'}
      aside={
        <a className="text-12 text-accent hover:underline" href={runHash(run.id)}>
          Open the run
        </a>
      }
    >
      <p className="mb-2 flex items-center gap-2 text-muted">
        <RunMark status={run.status} withWord className="text-text" />
        started <Time at={run.startedAt ?? run.createdAt} />
      </p>
      <StateTrack run={run} onChoose={(state) => setJump({ state })} />
      {progress !== undefined && (
        <div className="mt-2">
          <RunProgressBar progress={progress} />
        </div>
      )}
      <div className="mt-3 flex h-64 overflow-hidden rounded-md border">
        <LogViewer run={run} jump={jump} />
      </div>
    </Section>
  )
}
