import { Server } from 'lucide-react'
import { useState } from 'react'
import type { Agent } from '../../../../shared/model/agent.ts'
import type { AgentId, RunId } from '../../../../shared/model/ids.ts'
import { Button } from '../../../components/Button.tsx'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { classNames } from '../../../components/classNames.ts'
import { Drawer } from '../../../components/Drawer.tsx'
import { useNow } from '../../../stores/clock.ts'
import { useAgent, useStale } from '../../../stores/ReplicaContext.tsx'
import { navigate, nodeHash, runHash } from '../../../stores/route.ts'
import { RunsStrip } from '../../fleet/drawer/RunsStrip.tsx'
import { Section } from '../../fleet/drawer/Section.tsx'
import { useAnyRun } from '../../runs/runQueries.ts'
import { haltSentence } from '../../runs/runWords.ts'
import { AgentMark } from '../AgentMark.tsx'
import { useAgentRow } from '../agentRows.ts'
import { type AgentRow, activityWords, approveCommand, lockFacts, standingSentence } from '../agentStanding.ts'
import { cli } from '../cliCommands.ts'
import { CertificatesSection, HostSection, LockSection } from './AgentSections.tsx'
import { OnTheHost } from './OnTheHost.tsx'
import { RemoveAgent } from './RemoveAgent.tsx'
import { RevokeAgent } from './RevokeAgent.tsx'
import { RunSection } from './RunSection.tsx'
import { WorkSection } from './WorkSection.tsx'

const pane = { name: 'agent drawer', defaultWidth: 640 } as const
const clockStepMs = 1000

/** Everything about one agent: where its machine stands, what it does, what it did, what it is trusted by. */
export function AgentDrawer({ agentId, onClose }: { readonly agentId: AgentId; readonly onClose: () => void }) {
  const agent = useAgent(agentId)
  if (agent === undefined)
    return (
      <Drawer
        label="Agent"
        paneName={pane.name}
        defaultWidth={pane.defaultWidth}
        onClose={onClose}
        header={<h2 className="text-15 font-semibold">Unknown agent</h2>}
      >
        <p className="p-4 text-muted">
          There is no such agent any more. It was removed, or the link is from another console.
        </p>
      </Drawer>
    )
  return <KnownAgent key={agentId} agent={agent} onClose={onClose} />
}

function KnownAgent({ agent, onClose }: { readonly agent: Agent; readonly onClose: () => void }) {
  const now = useNow(clockStepMs)
  const stale = useStale()
  const row = useAgentRow(agent, now)
  const { standing } = row
  const doing = activityWords(row, now)
  const sentence = standingSentence(row, now)
  const lock = agent.lock === null ? null : <LockSection agent={agent} lock={agent.lock} />
  const lockMatters =
    agent.lock !== null && lockFacts(agent.lock, agent.hostname).tone !== 'calm' && standing !== 'silent'
  return (
    <Drawer
      label={`Agent ${agent.name}`}
      paneName={pane.name}
      defaultWidth={pane.defaultWidth}
      onClose={onClose}
      header={
        <>
          <h2 className="truncate text-18 font-semibold">{agent.name}</h2>
          <p className="flex items-center gap-2 text-muted">
            <AgentMark standing={standing} withWord />
            {doing !== '' && <span>· {doing}</span>}
            <span className="min-w-0 truncate">· {agent.hostname}</span>
          </p>
        </>
      }
      footer={<Actions agent={agent} onRemoved={onClose} />}
    >
      <div className={classNames(stale && 'stale')}>
        {sentence !== null && !lockMatters && <Why row={row} sentence={sentence} />}
        {lockMatters && lock}
        <RunSection agent={agent} heard={standing === 'running'} />
        <RunsStrip nodeId={agent.nodeId} />
        <WorkSection row={row} />
        <CertificatesSection agent={agent} now={now} />
        {!lockMatters && lock}
        <HostSection agent={agent} />
        <section aria-label="Command line" className="px-4 py-3">
          <CliEquivalent command={cli.show(agent.name)} />
        </section>
      </div>
    </Drawer>
  )
}

function Why({ row, sentence }: { readonly row: AgentRow; readonly sentence: string }) {
  const { standing, agent } = row
  const { lastRun } = agent
  return (
    <Section title="Why">
      <p>{sentence}</p>
      {(standing === 'failed' || standing === 'halted') && lastRun !== null && <StoppedRun runId={lastRun.runId} />}
      {standing === 'silent' && <OnTheHost command="lockstep-agent doctor" />}
    </Section>
  )
}

/** The cause in the words of the run itself, and what lets it go on. */
function StoppedRun({ runId }: { readonly runId: RunId }) {
  const { value: run } = useAnyRun(runId)
  const sentence = run?.halt == null ? run?.failure?.sentence : haltSentence(run)
  return (
    <>
      <p className="mt-1">
        {sentence}{' '}
        <a className="text-accent underline" href={runHash(runId)}>
          Open the run
        </a>
      </p>
      {run?.halt != null && <OnTheHost command={approveCommand(run.halt.reason)} />}
    </>
  )
}

function Actions({ agent, onRemoved }: { readonly agent: Agent; readonly onRemoved: () => void }) {
  const stale = useStale()
  const [decision, setDecision] = useState<'revoke' | 'remove' | null>(null)
  return (
    <div className="flex flex-wrap gap-2 p-3">
      <Button icon={<Server aria-hidden className="size-4" />} onClick={() => navigate(nodeHash(agent.nodeId))}>
        Show its node
      </Button>
      <span className="flex-1" />
      {agent.status === 'active' ? (
        <Button disabled={stale} onClick={() => setDecision('revoke')}>
          Revoke…
        </Button>
      ) : (
        <Button disabled={stale} onClick={() => setDecision('remove')}>
          Remove…
        </Button>
      )}
      {decision === 'revoke' && <RevokeAgent agent={agent} onClose={() => setDecision(null)} />}
      {decision === 'remove' && <RemoveAgent agent={agent} onClose={() => setDecision(null)} onRemoved={onRemoved} />}
    </div>
  )
}
