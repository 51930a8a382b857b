import type { HeartbeatRequest } from '../../shared/agentApi/index.ts'
import type { Agent } from '../../shared/model/agent.ts'
import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Run } from '../../shared/model/run.ts'
import { withLogin } from './observe.ts'

/** Three heartbeats, 40 s apart, that did not come. */
export const silentAfterMs = 120_000

const confirmEveryMs = 60_000
/** Together, agents that say nothing new write no more often than this. */
const confirmSpacingMs = 30
/** A node is confirmed less often than its agent: its row is what every map holds. */
const confirmNodeEveryMs = 300_000
const skewChangeMs = 2_000

export interface Contact {
  readonly nowMs: number
  /** Remote address of the connection. */
  readonly from: string
}

/** The agent after a heartbeat. Sets when it was seen; {@link isWorthSaving} says whether that is all that is new. */
export function withHeartbeat(agent: Agent, heartbeat: HeartbeatRequest, { nowMs, from }: Contact): Agent {
  return {
    ...agent,
    version: heartbeat.version,
    activity: heartbeat.activity,
    lock: heartbeat.lock,
    spooledReports: heartbeat.spooledReports,
    trustedRoots: [...heartbeat.trustedRoots],
    clockSkewMs: settledSkew(agent.clockSkewMs, heartbeat.sentAt - nowMs),
    lastSeenAt: nowMs,
    lastSeenFrom: from,
  }
}

/** The measurement trembles with the network; a change within that is none. */
function settledSkew(before: number | null, measured: number): number {
  return before !== null && Math.abs(measured - before) < skewChangeMs ? before : measured
}

/**
 * Whether to write: something is new, or nothing was written for a while. The while grows with the number of agents,
 * so that thousands of them do not push everything else out of the event log.
 */
export function isWorthSaving(stored: Agent, next: Agent, agents: number): boolean {
  const { lastSeenAt: storedAt, ...known } = stored
  const { lastSeenAt: seenAt, ...told } = next
  if (JSON.stringify(known) !== JSON.stringify(told)) return true
  const everyMs = Math.max(confirmEveryMs, agents * confirmSpacingMs)
  return storedAt === null || seenAt === null || Math.abs(seenAt - storedAt) >= everyMs
}

/** The node of an agent that has spoken; the same object while that is nothing new. */
export function withContact(node: FleetNode, agent: Agent, nowMs: number): FleetNode {
  const locked = agent.lock !== null && (agent.lock.standing === 'ours' || agent.lock.standing === 'alive')
  const { reachability } = node
  const confirmed =
    reachability.status === 'reachable' &&
    reachability.clockSkewMs === agent.clockSkewMs &&
    Math.abs(nowMs - reachability.checkedAt) < confirmNodeEveryMs
  if (confirmed && node.locked === locked) return node
  return { ...withLogin(node, { at: nowMs, clockSkewMs: agent.clockSkewMs, certificate: null }), locked }
}

/** When nobody has heard of it for too long. `listeningSince`: from when on agents could reach us without a break. */
export function isSilent(lastSeenAt: number | null, listeningSince: number, nowMs: number): boolean {
  return nowMs - Math.max(lastSeenAt ?? 0, listeningSince) >= silentAfterMs
}

const forgottenAfterMs = 600_000

/**
 * True for an open run its agent has nothing to say about: long after the last report the agent is there, does something
 * else or nothing, and has no report waiting. A run that waits for a time or a person is none of these.
 */
export function isForgotten(run: Run, agent: Agent, lastReportAt: number): boolean {
  if (run.status !== 'running' || agent.status !== 'active' || agent.spooledReports > 0) return false
  if (agent.activity.status === 'running' && agent.activity.runId === run.id) return false
  return agent.lastSeenAt !== null && agent.lastSeenAt - lastReportAt >= forgottenAfterMs
}

/** Something else starts it (`schedule` is null) and it has nothing to do: then nobody is there to speak. */
export function mayBeSilent(agent: Agent, schedule: string | null): boolean {
  return agent.activity.status === 'idle' && schedule === null
}

export function silenceDiagnosis(agent: Pick<Agent, 'name' | 'hostname' | 'lastSeenAt'>): Diagnosis {
  const since = agent.lastSeenAt === null ? 'since it enrolled' : `since ${new Date(agent.lastSeenAt).toISOString()}`
  return {
    code: 'AGENT_SILENT',
    sentence: `The agent on ${agent.name} is silent ${since}. Look on ${agent.hostname}: lockstep-agent status.`,
    short: 'agent is silent',
    evidence: agent.lastSeenAt === null ? [] : [`last heard of at ${new Date(agent.lastSeenAt).toISOString()}`],
    nextAction: { kind: 'none', label: '' },
    transient: true,
  }
}
