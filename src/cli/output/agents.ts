import { assertNever } from '../../shared/errors.ts'
import type { Agent, AgentLock, GatewayStatus, JoinToken } from '../../shared/model/agent.ts'
import { bad, good, waiting } from './style.ts'
import { type Cell, renderFacts, renderTable } from './table.ts'
import { isoTime, isoTimeOr } from './words.ts'

export function renderAgents(agents: readonly Agent[]): string {
  if (agents.length === 0) return 'There is no agent. Enroll one with what this prints: lockstep agents join\n'
  return renderTable(
    ['AGENT', 'HOST', 'STATUS', 'DOES', 'LAST SEEN', 'LAST RUN', 'VERSION'],
    agents.map((agent) => [
      agent.name,
      agent.hostname,
      statusCell(agent),
      activityWords(agent),
      isoTimeOr(agent.lastSeenAt, 'never'),
      agent.lastRun?.status ?? '',
      agent.version,
    ]),
  )
}

const statusCell = ({ status }: Agent): Cell => ({ text: status, paint: status === 'active' ? good : bad })

function activityWords({ activity }: Agent): string {
  switch (activity.status) {
    case 'idle':
      return activity.nextRunAt === null ? 'idle' : `idle until ${isoTime(activity.nextRunAt)}`
    case 'running':
      return `${activity.state} since ${isoTime(activity.since)}`
    case 'locked-out':
      return `locked out since ${isoTime(activity.since)}`
    default:
      return assertNever(activity)
  }
}

export const renderAgent = (agent: Agent): string =>
  renderFacts([
    ['agent', agent.name],
    ['id', agent.id],
    ['host', `${agent.hostname}, ${agent.platform}`],
    ['status', statusCell(agent)],
    ['does', activityWords(agent)],
    ['last run', agent.lastRun === null ? null : `${agent.lastRun.runId} ${agent.lastRun.status}`],
    [
      'last seen',
      agent.lastSeenAt === null ? 'never' : `${isoTime(agent.lastSeenAt)} from ${agent.lastSeenFrom ?? '?'}`,
    ],
    ['clock', agent.clockSkewMs === null ? null : `${agent.clockSkewMs} ms off`],
    ['version', agent.version],
    ['enrolled', `${isoTime(agent.enrolledAt)} by ${agent.enrolledBy}`],
    ['client cert', `${agent.certificate.serial}, ends ${isoTime(agent.certificate.validBefore)}`],
    [
      'ssh cert',
      agent.sshCertificate === null
        ? null
        : `${agent.sshCertificate.serial}, ends ${isoTime(agent.sshCertificate.validBefore)}`,
    ],
    ['lock', agent.lock === null ? null : lockWords(agent.lock)],
    ['spooled', agent.spooledReports === 0 ? null : { text: `${agent.spooledReports} reports`, paint: waiting }],
  ])

function lockWords(lock: AgentLock): Cell {
  // Who wrote what nobody can read is not known.
  if (lock.standing === 'corrupt') return { text: 'corrupt; the next run takes it over', paint: bad }
  const text = `${lock.standing}: pid ${lock.pid} on ${lock.hostname} since ${lock.startTime}, run ${lock.runId}`
  return lock.standing === 'foreign' ? { text, paint: bad } : { text }
}

export function renderJoinTokens(tokens: readonly JoinToken[], nowMs: number): string {
  if (tokens.length === 0) return 'There is no join token: lockstep agents join\n'
  return renderTable(
    ['TOKEN', 'NODE', 'MADE', 'BY', 'STANDING'],
    tokens.map((token) => [
      token.id,
      token.nodeName ?? '(host name)',
      isoTime(token.createdAt),
      token.createdBy,
      standingOf(token, nowMs),
    ]),
  )
}

function standingOf({ usedAt, revokedAt, expiresAt }: JoinToken, nowMs: number): Cell | string {
  if (usedAt !== null) return `used ${isoTime(usedAt)}`
  if (revokedAt !== null) return `withdrawn ${isoTime(revokedAt)}`
  return expiresAt <= nowMs
    ? `expired ${isoTime(expiresAt)}`
    : { text: `open until ${isoTime(expiresAt)}`, paint: good }
}

export function renderGateway(status: GatewayStatus): string {
  if (status.settings === null) return 'The gateway is off: lockstep gateway enable --help\n'
  return renderFacts([
    [
      'gateway',
      status.listening ? { text: 'listening', paint: good } : { text: status.problem ?? 'not listening', paint: bad },
    ],
    ['url', status.url],
    ['address', `${status.settings.address} port ${status.port ?? status.settings.port}`],
    ['names', status.settings.names.join(', ')],
    ['root', status.rootFingerprint],
    ['certificate', status.certificateValidBefore === null ? null : `ends ${isoTime(status.certificateValidBefore)}`],
    ['connections', String(status.openConnections)],
  ])
}
