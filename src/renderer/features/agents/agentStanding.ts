import { silentAfterMs } from '../../../core/fleet/agentPresence.ts'
import type { Agent, AgentLock } from '../../../shared/model/agent.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import type { HaltReason } from '../../../shared/model/run.ts'
import { coarse, formatRelative } from '../../components/format.ts'
import { stateWords } from '../runs/runWords.ts'

/** What an agent's mark says; the order is the order of severity, worst first, used for counting and sorting. */
export const agentStandings = ['failed', 'halted', 'silent', 'locked-out', 'running', 'idle', 'revoked'] as const
export type AgentStanding = (typeof agentStandings)[number]

export const standingWords: Readonly<Record<AgentStanding, string>> = {
  failed: 'last run failed',
  halted: 'held back',
  silent: 'silent',
  'locked-out': 'locked out',
  running: 'running',
  idle: 'idle',
  revoked: 'revoked',
}

/** Clocks that differ by more make certificates look expired or not yet valid. */
export const noticeableSkewMs = 30_000

const dayMs = 86_400_000
const tenMinutesMs = 600_000

/** An agent with what else is known of its host. */
export interface AgentRow {
  readonly agent: Agent
  /** Undefined when it was removed under the agent. */
  readonly node: FleetNode | undefined
  /** Of its agent.yaml; null when something else starts it, or before it said so. */
  readonly schedule: string | null
  readonly standing: AgentStanding
}

/**
 * Whether an agent is silent is decided by the engine, which knows since when it could be heard at all; here that is
 * read from its node. An ended client certificate, and an enrolment that nothing followed, show on the page.
 */
function isSilent(agent: Agent, node: FleetNode | undefined, nowMs: number): boolean {
  if (node?.reachability.status === 'unreachable' || agent.certificate.validBefore <= nowMs) return true
  return agent.lastSeenAt === null && nowMs - agent.enrolledAt > silentAfterMs
}

/** @param nowMs the engine's time */
export function standingOf(agent: Agent, node: FleetNode | undefined, nowMs: number): AgentStanding {
  if (agent.status === 'revoked') return 'revoked'
  if (isSilent(agent, node, nowMs)) return 'silent'
  if (agent.activity.status !== 'idle') return agent.activity.status
  if (agent.lastRun?.status === 'halted') return 'halted'
  return agent.lastRun?.status === 'failed' ? 'failed' : 'idle'
}

/** The agent's clock may be ahead of ours: nothing has lasted less than no time. */
const since = (sinceMs: number, nowMs: number): string => coarse(Math.max(0, nowMs - sinceMs))

/** A few words on what it does, for one cell of a table; what a silent agent said last is not what it does. */
export function activityWords({ agent, schedule, standing }: AgentRow, nowMs: number): string {
  const { activity } = agent
  if (standing === 'revoked') return ''
  if (standing === 'silent') return 'not known'
  if (standing === 'halted') return 'needs a person'
  if (agent.lastSeenAt === null) return 'not heard yet'
  if (activity.status === 'running') return `${stateWords[activity.state]}, ${since(activity.since, nowMs)}`
  if (activity.status === 'locked-out') return `waits, ${since(activity.since, nowMs)}`
  if (activity.nextRunAt === null) return schedule === null ? 'no schedule' : 'waits for its time'
  if (activity.nextRunAt <= nowMs) return `was due ${formatRelative(activity.nextRunAt, nowMs)}`
  return `next ${formatRelative(activity.nextRunAt, nowMs)}`
}

/** Why it is not simply idle, and what to do; null when there is nothing to say. */
export function standingSentence({ agent, standing }: AgentRow, nowMs: number): string | null {
  switch (standing) {
    case 'revoked':
      return 'Revoked: the gateway refuses its certificate. To let this host back in, enroll it again with a new join token; it comes back as a new agent.'
    case 'silent':
      return silenceSentence(agent, nowMs)
    case 'locked-out':
      return lockedOutSentence(agent)
    case 'halted':
      return `Its last run stopped itself before doing harm and waits for a person. Until then it starts no other run.`
    case 'failed':
      return 'Its last run failed. It tries again at its next run.'
    default:
      return null
  }
}

/** Said on the host: what a run would have done is decided where its agent keeps the question. */
export const approveCommand = (reason: HaltReason): string => `lockstep-agent run --approve ${reason}`

function lockedOutSentence({ hostname, lock }: Agent): string {
  if (lock?.standing === 'foreign')
    return `${lock.hostname} wrote the lock on ${hostname}. It is never taken away by itself: somebody has to look there, then break it.`
  return `Another agent holds the lock on ${hostname}, so this one does not start a run.`
}

function silenceSentence(agent: Agent, nowMs: number): string {
  if (agent.certificate.validBefore <= nowMs)
    return `Its client certificate ended ${formatRelative(agent.certificate.validBefore, nowMs)}, so the gateway no longer lets it in. Enroll it again on ${agent.hostname}.`
  if (agent.lastSeenAt === null)
    return `Enrolled ${formatRelative(agent.enrolledAt, nowMs)}, and not heard since. Look on ${agent.hostname} whether its service was started.`
  const doing =
    agent.activity.status === 'running'
      ? ` It was running, in ${stateWords[agent.activity.state]}: how that went on is not known.`
      : ''
  return `Not heard for ${coarse(nowMs - agent.lastSeenAt)}.${doing} It keeps its reports and sends them when it reaches the gateway again. Look on ${agent.hostname} what it says.`
}

export type Tone = 'calm' | 'notice' | 'alarm'

export interface LockFacts {
  readonly title: string
  readonly tone: Tone
  readonly sentence: string
  /** To run on the host, by a person who has looked; null when nobody has to act. */
  readonly command: string | null
}

/** Who holds the lock file of its machine, and what becomes of it (S0.48-52, D7). */
export function lockFacts(lock: AgentLock, hostname: string): LockFacts {
  switch (lock.standing) {
    case 'ours':
      return {
        title: 'its own run',
        tone: 'calm',
        command: null,
        sentence: 'Taken for the run that is under way.',
      }
    case 'alive':
      return {
        title: 'other process',
        tone: 'notice',
        command: null,
        sentence: `Process ${lock.pid} on ${hostname} is at work. Until it ends this agent leaves without doing anything, which is no error.`,
      }
    case 'dead':
      return {
        title: 'left behind',
        tone: 'calm',
        command: null,
        sentence: `Process ${lock.pid} is gone. The next run takes the lock over by itself.`,
      }
    case 'corrupt':
      return {
        title: 'unreadable',
        tone: 'calm',
        command: null,
        sentence: 'The lock file could not be read. The next run replaces it and says so in its log.',
      }
    case 'foreign':
      return {
        title: 'other machine',
        tone: 'alarm',
        command: 'lockstep-agent break-lock',
        sentence: `${lock.hostname} wrote it, and from ${hostname} nobody can see whether process ${lock.pid} still runs there. It is never taken away by itself. Look on ${lock.hostname}; if no agent works there any more, run this on ${hostname}:`,
      }
  }
}

/** How soon a certificate needs somebody: the client certificate renews by itself while the agent is heard. */
export function clientCertificateTone({ certificate }: Agent, nowMs: number): Tone {
  const remainingMs = certificate.validBefore - nowMs
  return remainingMs <= 0 ? 'alarm' : remainingMs < dayMs ? 'notice' : 'calm'
}

/** `94 s ahead`, `5 min behind`: the agent's clock against the engine's; in seconds as long as those can be read. */
export function skewWords(clockSkewMs: number): string {
  if (Math.abs(clockSkewMs) < 1000) return 'agrees'
  return `${skewSize(clockSkewMs)} ${clockSkewMs > 0 ? 'ahead' : 'behind'}`
}

/** `+94 s`, for one cell of a table. */
export const signedSkew = (clockSkewMs: number): string => `${clockSkewMs < 0 ? '−' : '+'}${skewSize(clockSkewMs)}`

function skewSize(clockSkewMs: number): string {
  const sizeMs = Math.abs(clockSkewMs)
  return sizeMs < tenMinutesMs ? `${Math.round(sizeMs / 1000)} s` : coarse(sizeMs)
}

export interface AgentFilter {
  /** Part of a name, host, platform or version, any case. */
  readonly text: string
  readonly standings: readonly AgentStanding[]
}

/** Unknown words in a shared link are left out, not refused. */
export function readAgentFilter(query: Readonly<Record<string, string>>): AgentFilter {
  const words = (query.standing ?? '').split(',')
  return { text: query.filter ?? '', standings: agentStandings.filter((standing) => words.includes(standing)) }
}

export function matchesAgent({ agent, standing }: AgentRow, { text, standings }: AgentFilter): boolean {
  if (standings.length > 0 && !standings.includes(standing)) return false
  const all = `${agent.name} ${agent.hostname} ${agent.platform} ${agent.version}`.toLowerCase()
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => all.includes(word))
}

export function countStandings(rows: Iterable<AgentRow>): Readonly<Record<AgentStanding, number>> {
  const counts = Object.fromEntries(agentStandings.map((standing) => [standing, 0])) as Record<AgentStanding, number>
  for (const { standing } of rows) counts[standing] += 1
  return counts
}
