import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { ConnectEvidence, DiagnosedNode, HostKeyFinding } from './evidence.ts'
import { diagnoseLogin } from './login.ts'
import { type Cause, cause } from './sentences.ts'

/** One cause for a connection or login that failed, never a bare "Permission denied". */
export function diagnoseConnection(node: DiagnosedNode, evidence: ConnectEvidence): Diagnosis {
  if (evidence.hostKey !== undefined) return hostKeyCause(node, evidence.hostKey)
  const code = causeOf(evidence)
  if (code === null) return diagnoseLogin(node, evidence)
  return cause(code, sentenceOf(node, code, evidence), { evidence: linesOf(evidence) })
}

const unresolved = ['ENOTFOUND', 'EAI_AGAIN', 'EAI_NONAME', 'EAI_NODATA', 'EAI_FAIL']
const unreachable = ['EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'EADDRNOTAVAIL', 'EACCES', 'EPERM']

type NetworkCause = Exclude<
  Cause,
  | `REMOTE_${string}`
  | 'SOURCE_MISSING'
  | 'TRANSFER_INCOMPLETE'
  | `HOST_KEY_${string}`
  | `CERTIFICATE_${string}`
  | 'PRINCIPAL_NOT_LISTED'
  | 'KEY_REFUSED'
>

/** Null: the server refused our login, which needs a closer look. */
function causeOf(evidence: ConnectEvidence): NetworkCause | null {
  const { errno = '', stage } = evidence
  if (stage === 'resolve' || unresolved.includes(errno)) return 'NAME_NOT_RESOLVED'
  if (saidTooManyStartups(evidence)) return 'TOO_MANY_STARTUPS'
  if (stage === 'banner' && evidence.banner !== undefined) return 'NOT_AN_SSH_SERVER'
  if (evidence.timedOut === true || errno === 'ETIMEDOUT')
    return stage === 'command' ? 'CONNECTION_LOST' : 'CONNECTION_TIMED_OUT'
  if (errno === 'ECONNREFUSED') return 'CONNECTION_REFUSED'
  if (stage === 'connect' && unreachable.includes(errno)) return 'NODE_UNREACHABLE'
  if (stage === 'connect') return 'NODE_UNREACHABLE'
  if (stage === 'banner') return droppedBeforeBanner(evidence) ? 'TOO_MANY_STARTUPS' : 'NOT_AN_SSH_SERVER'
  if (stage === 'handshake' || stage === 'command') return 'CONNECTION_LOST'
  if (stage === 'channel')
    return /exec|shell|subsystem/i.test(evidence.message ?? '') ? 'SHELL_REFUSED' : 'CHANNEL_LIMIT'
  return errno === '' && !/connection lost|closed|reset/i.test(evidence.message ?? '') ? null : 'CONNECTION_LOST'
}

/** OpenSSH writes this line instead of its banner when MaxStartups is exceeded; older ones just hang up. */
function saidTooManyStartups(evidence: ConnectEvidence): boolean {
  return /exceeded maxstartups|not allowed at this time/i.test(`${evidence.banner ?? ''} ${evidence.message ?? ''}`)
}

function droppedBeforeBanner(evidence: ConnectEvidence): boolean {
  return evidence.banner === undefined
}

/** True when trying again after a short, random while is the right answer (U32). */
export function isStartupDrop(evidence: ConnectEvidence): boolean {
  return evidence.timedOut !== true && evidence.hostKey === undefined && causeOf(evidence) === 'TOO_MANY_STARTUPS'
}

function sentenceOf(node: DiagnosedNode, code: NetworkCause, evidence: ConnectEvidence): string {
  const { name, address, port, user } = node
  const sentences: Record<NetworkCause, string> = {
    NODE_UNREACHABLE: `${name} is unreachable: there is no route to ${address}. It will catch up by itself when it is back.`,
    CONNECTION_REFUSED: `${name} refused the connection: nothing listens on ${address} port ${port}. Start its SSH server, or correct the port.`,
    CONNECTION_TIMED_OUT: `${name} is unreachable: no answer ${timedOutDuring(evidence)} ${address} port ${port}. It will catch up by itself when it is back.`,
    CONNECTION_LOST: `The connection to ${name} was lost${evidence.stage === 'command' ? ' while a command was running' : ' before the login was finished'}. Trying again is safe.`,
    NAME_NOT_RESOLVED: `The address of ${name} was not found: no DNS answer for "${address}". Correct the address, or check DNS and VPN.`,
    NOT_AN_SSH_SERVER: `What answers for ${name} on ${address} port ${port} is not an SSH server. Correct the address or the port.`,
    CHANNEL_LIMIT: `${name} allows no more sessions on one connection (MaxSessions). Wait for the running ones, or raise MaxSessions on the node.`,
    TOO_MANY_STARTUPS: `${name} turned the connection away because too many logins are under way (MaxStartups). It is tried again shortly.`,
    SHELL_REFUSED: `${name} let us in but runs no commands for ${user}: its shell or a ForceCommand refuses. Log in as a user with a shell.`,
  }
  return sentences[code]
}

function timedOutDuring(evidence: ConnectEvidence): string {
  if (evidence.stage === 'connect') return 'on'
  return evidence.stage === 'banner' ? 'from the SSH server on' : 'in time from'
}

function linesOf(evidence: ConnectEvidence): string[] {
  return [
    evidence.message ?? '',
    evidence.errno === undefined ? '' : `error ${evidence.errno} at stage "${evidence.stage}"`,
    evidence.banner === undefined ? '' : `server said: ${printable(evidence.banner)}`,
    evidence.timedOut === true ? `ran out of time at stage "${evidence.stage}"` : '',
  ]
}

function hostKeyCause(node: DiagnosedNode, finding: HostKeyFinding): Diagnosis {
  const offered = `offered: ${finding.keyType} ${finding.offeredFingerprint}`
  if (finding.status === 'unknown') {
    const sentence = `${node.name} offers a host key that nobody has accepted yet (${finding.keyType}). Compare its fingerprint with the one shown on the node, then accept it. Nothing was sent.`
    return cause('HOST_KEY_UNKNOWN', sentence, { evidence: [offered] })
  }
  const sentence = `${node.name} offers another ${finding.keyType} host key than the one accepted: the machine was reinstalled, or somebody is in between. Nothing was sent. Compare both fingerprints before you accept the new one.`
  return cause('HOST_KEY_CHANGED', sentence, {
    evidence: [offered, ...finding.pinnedFingerprints.map((pin) => `accepted: ${finding.keyType} ${pin}`)],
  })
}

/** What a stranger sent us, safe to show: one line, no control characters, not too long. */
export function printable(text: string): string {
  return text
    .replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
    .trim()
    .slice(0, 200)
}
