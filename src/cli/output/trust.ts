import type { RevocationPreview } from '../../shared/contract/certificates.ts'
import type {
  Authority,
  AuthorityExport,
  AuthorityKind,
  ExpiryBucket,
  IssuedCertificate,
  KrlStatus,
  RotationPhase,
  RotationProgress,
} from '../../shared/model/certificate.ts'
import type { StepCaStatus } from '../../shared/model/stepCa.ts'
import type { StoragePreview } from '../../shared/model/storage.ts'
import { printable, printableLine } from './printable.ts'
import { bad, good, waiting } from './style.ts'
import { type Cell, renderFacts, renderTable } from './table.ts'
import { isoTime, isoTimeOr, plural, sizeWords } from './words.ts'

export const renderAuthorities = (all: readonly Authority[]): string =>
  all.length === 0
    ? 'There is no authority yet: lockstep ca init\n'
    : all.map((authority) => renderFacts(authorityFacts(authority))).join('\n')

const authorityFacts = (authority: Authority): (readonly [string, Cell | string | null])[] => [
  ['authority', authority.kind],
  ['fingerprint', authority.fingerprint],
  ['made', isoTime(authority.createdAt)],
  ['sealed by', authority.sealedBy],
  ['ends', isoTimeOr(authority.validBefore, '')],
  ['rotation', rotationWords(authority)],
]

function rotationWords({ rotation }: Authority): Cell | null {
  if (rotation === null) return null
  const { phase, phaseStartedAt, oldFingerprint, newFingerprint } = rotation
  const text = `${phase} since ${isoTime(phaseStartedAt)}, from ${oldFingerprint} to ${newFingerprint}`
  return { text, paint: waiting }
}

/** The content alone, so that it can be redirected into a file. */
export const renderExport = (exported: readonly AuthorityExport[]): string =>
  exported.map(({ content }) => (content.endsWith('\n') ? content : `${content}\n`)).join('')

export interface RotationWords {
  readonly kind: AuthorityKind
  /** Null: it was over when it was asked for. */
  readonly phase: RotationPhase | null
}

/** How far a phase is proven, and the command that comes next. */
export function renderRotation(progress: RotationProgress | null, { kind, phase }: RotationWords): string {
  if (progress === null) return 'No rotation is under way.\n'
  const { proven, total, waiting: those, outside, ready } = progress
  const others =
    outside.length === 0 ? '' : `Not covered, because of static keys: ${outside.map(printableLine).join(', ')}\n`
  const where = phase === null ? '' : `Phase ${phase}: `
  if (ready) return `${where}${provenWords(progress, { kind, phase })}\n${others}${nextWords({ kind, phase })}\n`
  const lines = those.map(({ name, why }) => `  ${printableLine(name)}: ${printableLine(why)}\n`).join('')
  const wayOut = 'One that never will follow can be given up by name: advance with --leave-behind.\n'
  return `${where}${proven} of ${total} proven. Waiting for ${total - proven}:\n${lines}${wayOut}${others}`
}

function provenWords({ proven, total }: RotationProgress, { kind, phase }: RotationWords): string {
  if (total > 0) return `${proven} of ${total} proven.`
  // What clients trust is nothing that we can read back.
  if (kind === 'ssh-host' && phase === 'trust')
    return 'nodes have nothing to follow, clients do. Install what this prints on them first: lockstep ca export --kind ssh-host'
  return 'nothing has to follow.'
}

function nextWords({ kind, phase }: RotationWords): string {
  const ends = phase === 'retire' || phase === 'rollback'
  return `${ends ? 'The rotation may end' : 'The next phase may begin'}: lockstep ca rotate advance --kind ${kind}`
}

export function renderCertificates(certificates: readonly IssuedCertificate[]): string {
  if (certificates.length === 0) return 'No certificate like that was issued.\n'
  return renderTable(
    ['SERIAL', 'ISSUED', 'VALID UNTIL', 'PRINCIPALS', 'FOR', 'ASKED BY', 'REASON', 'REVOKED'],
    certificates.map((certificate) => [
      certificate.serial,
      isoTime(certificate.issuedAt),
      isoTime(certificate.validBefore),
      certificate.principals.join(','),
      certificate.nodeName ?? certificate.purpose,
      certificate.requestedBy,
      certificate.reason,
      revocationWords(certificate),
    ]),
  )
}

function revocationWords({ revocation }: IssuedCertificate): Cell | string {
  if (revocation === null) return ''
  return { text: `${isoTime(revocation.revokedAt)} by ${revocation.revokedBy}: ${revocation.reason}`, paint: bad }
}

export function renderRevocationPreview(preview: RevocationPreview): string {
  const { certificates, skipped, nodes, openRuns, openTerminals, coveredNodes, uncoveredNodes } = preview
  const { staticKeyNodes } = preview
  return renderFacts([
    ['would revoke', plural(certificates.length, 'certificate')],
    ['left alone', skipped === 0 ? null : `${skipped}, over or revoked already`],
    ['serves', plural(nodes.length, 'node')],
    ['in use by', `${plural(openRuns, 'run')}, ${plural(openTerminals, 'terminal')}`],
    ['list goes to', plural(coveredNodes, 'node')],
    ['static keys stay', staticKeyNodes.length === 0 ? null : { text: staticKeyNodes.join(', '), paint: bad }],
    ['keeps working on', uncoveredNodes.length === 0 ? 'no node' : { text: uncoveredNodes.join(', '), paint: bad }],
  ])
}

export const renderRevoked = ({ revoked, krl, runs }: Revoked): string =>
  `${plural(revoked.length, 'certificate')} revoked, list version ${krl.version}, ${plural(runs, 'run')} to deliver it.\n`

interface Revoked {
  readonly revoked: readonly IssuedCertificate[]
  readonly krl: KrlStatus
  readonly runs: number
}

export const renderKrl = (krl: KrlStatus): string =>
  renderFacts([
    ['version', String(krl.version)],
    ['revoked', plural(krl.revokedCertificates, 'certificate')],
    ['changed', isoTimeOr(krl.updatedAt, 'never')],
    ['size', sizeWords(krl.sizeBytes)],
    ['digest', krl.digest],
  ])

export function renderCalendar(buckets: readonly ExpiryBucket[]): string {
  const some = buckets.filter(({ user, host, agent, revoked }) => user + host + agent + revoked > 0)
  if (some.length === 0) return 'No certificate ends in this time.\n'
  return renderTable(
    ['FROM', 'USER', 'HOST', 'AGENT', 'REVOKED'],
    some.map(({ from, user, host, agent, revoked }) => [isoTime(from), ...[user, host, agent, revoked].map(String)]),
  )
}

export function renderStepCa(status: StepCaStatus): string {
  if (status.settings === null) return 'No step-ca is set up: lockstep ca step setup --help\n'
  const health: Cell = status.healthy
    ? { text: 'healthy', paint: good }
    : { text: status.diagnosis?.sentence ?? 'not healthy', paint: bad }
  const facts = renderFacts([
    ['step-ca', status.settings.url],
    ['root', status.settings.rootFingerprint],
    ['provisioner', status.settings.provisioner],
    ['signs', status.active ? 'user certificates' : 'nothing; the embedded authority does'],
    ['health', health],
    ...status.userAuthorities.map(({ fingerprint }) => ['user authority', fingerprint] as const),
  ])
  return `${facts}${status.provisioners.map(({ name, type, allows }) => `  ${printableLine(name)} (${type}): ${allows.join(', ')}\n`).join('')}`
}

export function renderStoragePreview({
  changes,
  commands,
  warnings,
  blockers,
  alreadyApplied,
}: StoragePreview): string {
  if (alreadyApplied) return 'Everything is there already; nothing would change.\n'
  return [
    ...changes.filter(({ diff }) => diff !== '').map(({ diff }) => printable(diff)),
    ...commands.map((command) => `then: ${printableLine(command)}\n`),
    ...warnings.map((warning) => `careful: ${printableLine(warning)}\n`),
    ...blockers.map(({ sentence }) => `${bad('in the way')}: ${printableLine(sentence)}\n`),
  ].join('')
}
