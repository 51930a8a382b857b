import { computeTile } from '../../core/fleet/health.ts'
import type { FleetNode, PlanState, Reachability } from '../../shared/model/node.ts'
import { bad, good, paintNodeStatus, waiting } from './style.ts'
import { type Cell, renderFacts, renderTable } from './table.ts'
import { isoTime, isoTimeOr } from './words.ts'

export function renderNodes(nodes: readonly FleetNode[]): string {
  if (nodes.length === 0) return 'No node. Register one with: lockstep nodes add, or try: lockstep demo up\n'
  const nowMs = Date.now()
  return renderTable(
    ['NODE', 'KIND', 'ADDRESS', 'STATUS', 'SHOWS', 'LAST SYNC'],
    nodes.map((node) => [
      node.name,
      node.kind,
      `${node.address}:${node.port}`,
      { text: node.status, paint: paintNodeStatus(node.status) },
      withKeyMark(node, computeTile(node, nowMs).short),
      isoTimeOr(node.lastSyncAt, 'never'),
    ]),
  )
}

/** Never without it, however green the node is (D9). */
const withKeyMark = ({ login }: FleetNode, short: string): Cell | string =>
  login.kind === 'static-key' ? { text: `${short}, static key`, paint: waiting } : short

/** Everything about one node; the cause first where there is one. */
export function renderNode(node: FleetNode): string {
  const tile = computeTile(node, Date.now())
  const facts = renderFacts([
    ['node', node.name],
    ['id', node.id],
    ['kind', node.kind],
    [
      'login',
      `${node.user}@${node.address}:${node.port}${node.login.kind === 'certificate' ? ` as ${node.principal}` : ''}`,
    ],
    ['status', { text: node.status, paint: paintNodeStatus(node.status) }],
    ['shows', { text: tile.fill, paint: tile.fill === 'in-step' ? good : waiting }],
    ['why', tile.diagnosis === null ? null : { text: tile.diagnosis.sentence, paint: bad }],
    ['reachable', reachabilityCell(node.reachability)],
    ['last sync', isoTimeOr(node.lastSyncAt, 'never')],
    ['last attempt', isoTimeOr(node.lastAttemptAt, 'never')],
    ['certificate', certificateWords(node)],
    ['host cert', hostCertificateWords(node)],
    ['obeys list', node.krl === null ? null : `version ${node.krl.version}, proven ${isoTime(node.krl.verifiedAt)}`],
    ['storage', storageWords(node)],
    [
      'host keys',
      node.hostKeys.length === 0
        ? 'none accepted'
        : node.hostKeys.map((key) => `${key.keyType} ${key.fingerprint}`).join(', '),
    ],
    [
      'labels',
      Object.entries(node.labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(', '),
    ],
    ['maintenance', node.maintenance ? 'on' : null],
    ['works on', node.activeRunId],
    ['halted run', node.haltedRunId],
  ])
  return node.plans.length === 0 ? `${facts}No plan selects this node.\n` : `${facts}\n${renderPlanStates(node.plans)}`
}

const renderPlanStates = (plans: readonly PlanState[]): string =>
  renderTable(
    ['PLAN', 'WANTED', 'READ BACK', 'VERIFIED', 'NOT PROVEN SINCE'],
    plans.map(({ planName, desiredRevision, observed, driftSince, driftReason }) => [
      planName,
      `revision ${desiredRevision}`,
      observed === null ? 'never' : `revision ${observed.revision}`,
      observed === null ? '' : isoTime(observed.verifiedAt),
      driftSince === null ? '' : `${isoTime(driftSince)}${driftReason == null ? '' : `: ${driftReason.short}`}`,
    ]),
  )

function reachabilityCell(reachability: Reachability): Cell {
  switch (reachability.status) {
    case 'unknown':
      return { text: 'not looked at yet' }
    case 'reachable':
      return { text: `yes, since ${isoTime(reachability.since)}`, paint: good }
    case 'unreachable':
      return { text: `no, since ${isoTime(reachability.since)}: ${reachability.diagnosis.sentence}`, paint: bad }
  }
}

function hostCertificateWords({ hostCertificate }: FleetNode): string | null {
  if (hostCertificate === null) return null
  const { serial, validBefore, verifiedAt } = hostCertificate
  return `serial ${serial}, until ${isoTime(validBefore)}, seen ${isoTime(verifiedAt)}`
}

function storageWords({ storage }: FleetNode): string | null {
  if (storage === null) return null
  const { settings, verifiedAt } = storage
  const { user, principals, breakGlass } = settings
  const wayIn = breakGlass.kind === 'console' ? breakGlass.note : 'a second authority'
  return `${user} with ${principals.join(', ')}; fresh login proven ${isoTime(verifiedAt)}; way in without us: ${wayIn}`
}

function certificateWords({ certificate, login }: FleetNode): Cell | string {
  if (login.kind === 'static-key') return { text: `none: static key ${login.keyFile}`, paint: waiting }
  if (certificate === null) return 'none yet'
  const proof = certificate.acceptedAt === null ? 'not proven' : `accepted ${isoTime(certificate.acceptedAt)}`
  return `serial ${certificate.serial}, until ${isoTime(certificate.validBefore)}, ${proof}`
}
