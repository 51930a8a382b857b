import { useMemo } from 'react'
import { computeTile } from '../../../core/fleet/health.ts'
import { fillWords, runStatusWords } from '../../components/StatusMark.tsx'
import { engineNowMs } from '../../stores/clock.ts'
import { useReplica } from '../../stores/ReplicaContext.tsx'
import { agentHash, formatHash, navigate, nodeHash, runHash } from '../../stores/route.ts'
import { useActiveShortcuts } from '../../stores/shortcuts.ts'
import { standingOf, standingWords } from '../agents/agentStanding.ts'
import type { PaletteItem } from './rank.ts'

const recentRuns = 300

/** Everything the palette knows: nodes, agents, runs, plans and whatever has a shortcut now. */
export function usePaletteItems(): readonly PaletteItem[] {
  const nodes = useReplica((state) => state.nodes)
  const agents = useReplica((state) => state.agents)
  const runs = useReplica((state) => state.runs)
  const plans = useReplica((state) => state.plans)
  const shortcuts = useActiveShortcuts()
  return useMemo(() => {
    const now = engineNowMs()
    const actions = shortcuts.map<PaletteItem>((each) => ({
      id: `action ${each.label}`,
      kind: each.keys.startsWith('g ') ? 'view' : 'action',
      label: each.label,
      detail: '',
      keys: each.keys,
      run: each.run,
    }))
    const nodeItems = [...nodes.values()].map<PaletteItem>((node) => ({
      id: `node ${node.id}`,
      kind: 'node',
      label: node.name,
      detail: `${node.kind} ${node.address} · ${fillWords[computeTile(node, now).fill]}`,
      keys: '',
      run: () => navigate(nodeHash(node.id)),
    }))
    const agentItems = [...agents.values()].map<PaletteItem>((agent) => ({
      id: `agent ${agent.id}`,
      kind: 'agent',
      label: agent.name,
      detail: `agent on ${agent.hostname} · ${standingWords[standingOf(agent, nodes.get(agent.nodeId), now)]}`,
      keys: '',
      run: () => navigate(agentHash(agent.id)),
    }))
    const planItems = [...plans.values()].map<PaletteItem>((plan) => ({
      id: `plan ${plan.id}`,
      kind: 'plan',
      label: plan.name,
      detail: `revision ${plan.revision}`,
      keys: '',
      run: () => navigate(formatHash({ view: 'plans', path: [plan.id] })),
    }))
    const newest = [...runs.values()].sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, recentRuns)
    const runItems = newest.map<PaletteItem>((run) => ({
      id: `run ${run.id}`,
      kind: 'run',
      label: `${run.planName} → ${run.nodeName}`,
      detail: `${runStatusWords[run.status]} · ${run.id}`,
      keys: '',
      run: () => navigate(runHash(run.id)),
    }))
    return [...actions, ...nodeItems, ...agentItems, ...planItems, ...runItems]
  }, [nodes, agents, runs, plans, shortcuts])
}
