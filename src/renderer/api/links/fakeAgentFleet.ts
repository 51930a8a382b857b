import { agentPlanName, agentPlanSelector } from '../../../core/fleet/agentPlan.ts'
import { silenceDiagnosis } from '../../../core/fleet/agentPresence.ts'
import type { Agent, AgentActivity, AgentLock } from '../../../shared/model/agent.ts'
import type { AgentId, NodeId, PlanId, RunId } from '../../../shared/model/ids.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import type { AgentSpec, PlanOf } from '../../../shared/model/plan.ts'
import { fakeDigest, fakeId, randomOf } from './fakeFleet.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/** What an invented agent is like; the first ones of a fleet show one each. */
const agentConditions = [
  'running',
  'idle',
  'silent',
  'locked-out',
  'foreign-lock',
  'failed',
  'idle',
  'corrupt-lock',
  'revoked',
  'halted',
] as const
export type AgentCondition = (typeof agentConditions)[number]

const agentName = (index: number): string => `storage-agent-${String(index + 1).padStart(2, '0')}`

const specOf = (index: number): AgentSpec => ({
  storage: { address: 'storage.internal', port: 22, user: 'sync' },
  push: [{ source: '/srv/export', target: '/data/incoming' }],
  pull: index % 3 === 0 ? [{ source: '/data/outgoing', target: '/srv/import' }] : [],
  excludes: ['*.tmp', '.cache'],
  delete: index % 2 === 1,
  verify: 'checksum',
  schedule: index % 4 === 3 ? null : '*/15 * * * *',
})

export function fakeAgentPlan(index: number, nowMs: number): PlanOf<'agent'> {
  const spec = specOf(index)
  return {
    id: fakeId<PlanId>(2, 10_000 + index),
    name: agentPlanName(agentName(index), spec),
    kind: 'agent',
    selector: agentPlanSelector(agentName(index)),
    spec,
    revision: 3,
    digest: fakeDigest(index),
    createdAt: nowMs - 30 * dayMs,
    updatedAt: nowMs - 2 * dayMs,
  }
}

/** A node whose work an agent does: nobody logs in there. */
export function asAgentNode(node: FleetNode, index: number, plan: PlanOf<'agent'>): FleetNode {
  return {
    ...node,
    id: fakeId<NodeId>(1, 200_000 + index),
    name: agentName(index),
    kind: 'vm',
    transport: 'poll',
    certificate: null,
    hostKeys: [],
    plans: [
      {
        planId: plan.id,
        planName: plan.name,
        desiredRevision: plan.revision,
        observed: null,
        driftSince: null,
        lastRunId: null,
      },
    ],
  }
}

function lockOf(condition: AgentCondition, hostname: string, nowMs: number): AgentLock | null {
  const standing = (
    { running: 'ours', 'locked-out': 'alive', 'foreign-lock': 'foreign', 'corrupt-lock': 'corrupt' } as const
  )[condition as 'running']
  if (standing === undefined) return null
  return {
    pid: 1234,
    startTime: new Date(nowMs - 2 * hourMs).toISOString(),
    hostname: (standing as AgentLock['standing']) === 'foreign' ? 'agent-07.old.internal' : hostname,
    runId: 'agent-4b1d5a9e-7c0f-4b52-9a51-3f2f8f0d3f11',
    standing,
  }
}

function activityOf(condition: AgentCondition, runId: RunId, nowMs: number): AgentActivity {
  if (condition === 'running') return { status: 'running', runId, state: 'PUSH_SYNC', since: nowMs - 42_000 }
  if (condition === 'locked-out' || condition === 'foreign-lock')
    return { status: 'locked-out', since: nowMs - 2 * hourMs }
  if (condition === 'halted') return { status: 'idle', nextRunAt: null }
  return { status: 'idle', nextRunAt: nowMs + 11 * minuteMs }
}

/** One invented agent; the same number always gives the same agent. */
export function fakeAgent(index: number, nowMs: number, forced?: AgentCondition): Agent {
  const random = randomOf(index + 77)
  const condition =
    forced ?? agentConditions[index] ?? (random() < 0.9 ? 'idle' : (agentConditions[index % 9] as AgentCondition))
  const name = agentName(index)
  const hostname = `${name}.internal`
  const runId = fakeId<RunId>(3, 300_000 + index)
  const silent = condition === 'silent' || condition === 'revoked'
  const clientEndsAt = nowMs + (index === 6 ? 20 * hourMs : Math.floor((5 + random() * 25) * dayMs))
  return {
    id: fakeId<AgentId>(7, index + 1),
    nodeId: fakeId<NodeId>(1, 200_000 + index),
    name,
    status: condition === 'revoked' ? 'revoked' : 'active',
    hostname,
    platform: 'linux x64',
    version: index % 5 === 4 ? '0.0.9' : '0.1.0',
    enrolledAt: nowMs - 12 * dayMs,
    enrolledBy: 'ana@desk',
    lastSeenAt: silent ? nowMs - (condition === 'revoked' ? 3 * dayMs : 97 * minuteMs) : nowMs - 9_000,
    lastSeenFrom: `10.0.4.${20 + (index % 200)}`,
    clockSkewMs: index === 1 ? 94_000 : Math.floor(random() * 600 - 300),
    certificate: {
      serial: String(9100 + index),
      authorityFingerprint: 'd'.repeat(64),
      validAfter: clientEndsAt - 30 * dayMs,
      validBefore: clientEndsAt,
    },
    trustedRoots: ['d'.repeat(64)],
    sshCertificate: { serial: String(4700 + index), validBefore: nowMs + Math.floor((random() * 14 - 1) * hourMs) },
    activity: activityOf(condition, runId, nowMs),
    lock: lockOf(condition, hostname, nowMs),
    spooledReports: condition === 'silent' ? 2 : 0,
    lastRun: {
      runId: fakeId<RunId>(3, 310_000 + index * 100),
      status: condition === 'failed' || condition === 'halted' ? condition : 'succeeded',
      finishedAt: condition === 'halted' ? null : nowMs - (silent ? 2 * hourMs : 4 * minuteMs),
    },
  }
}

/** What the engine writes on the node of an agent that nothing is heard of. */
export function silencedNode(node: FleetNode, agent: Agent, nowMs: number): FleetNode {
  const diagnosis = silenceDiagnosis(agent)
  return { ...node, reachability: { status: 'unreachable', since: nowMs - hourMs, checkedAt: nowMs, diagnosis } }
}
