import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import { validityAt } from '../ca/validity.ts'
import type { ConnectEvidence, DiagnosedNode, PresentedCertificate } from './evidence.ts'
import { cause, duration, utc } from './sentences.ts'

/**
 * Why a node refused our login. sshd tells a client nothing but "Permission denied", so the cause is drawn from what
 * we know ourselves: the certificate, the clocks, and what the doctor's other certificates achieved.
 */
export function diagnoseLogin(node: DiagnosedNode, evidence: ConnectEvidence): Diagnosis {
  const { certificate } = evidence
  if (certificate === undefined && node.login?.kind === 'static-key')
    return staticKeyRefused(node, evidence, node.login)
  if (certificate === undefined) return keyRefused(node, evidence)
  return (
    validityCause(node, evidence, certificate) ??
    principalCause(node, evidence, certificate) ??
    keyRefused(node, evidence)
  )
}

function validityCause(
  node: DiagnosedNode,
  evidence: ConnectEvidence,
  certificate: PresentedCertificate,
): Diagnosis | null {
  const skewMs = evidence.clockSkewMs ?? 0
  const nodeNowMs = evidence.nowMs + skewMs
  const state = validityAt(certificate, nodeNowMs)
  if (state === 'valid')
    return evidence.probes?.wideValidity === 'accepted' ? unmeasuredSkew(node, evidence, certificate) : null
  const clocks =
    skewMs === 0 ? '' : `, because its clock is ${duration(skewMs)} ${skewMs < 0 ? 'behind' : 'ahead of'} ours`
  if (state === 'not-yet-valid') {
    const early = duration(certificate.validAfter - nodeNowMs)
    const sentence = `${node.name} refused our certificate: for its clock it becomes valid only in ${early}${clocks}. Set the clock of the node (NTP), then try again.`
    return cause('CERTIFICATE_NOT_YET_VALID', sentence, { evidence: certificateLines(evidence, certificate) })
  }
  const sentence = `${node.name} refused our certificate: it expired ${duration(nodeNowMs - certificate.validBefore)} ago${clocks}. ${skewMs > 0 ? 'Set the clock of the node (NTP), then try again.' : 'Renew it.'}`
  return cause('CERTIFICATE_EXPIRED', sentence, { evidence: certificateLines(evidence, certificate) })
}

/** A certificate that is valid a day either way got in: the clocks differ, though nobody has measured by how much. */
function unmeasuredSkew(node: DiagnosedNode, evidence: ConnectEvidence, certificate: PresentedCertificate): Diagnosis {
  const sentence = `${node.name} refused our certificate because its clock is wrong: the same login works with a certificate that is valid from yesterday until tomorrow. Set the clock of the node (NTP), then try again.`
  return cause('CERTIFICATE_NOT_YET_VALID', sentence, {
    evidence: certificateLines(evidence, certificate),
    short: 'clock is wrong',
  })
}

function principalCause(
  node: DiagnosedNode,
  evidence: ConnectEvidence,
  certificate: PresentedCertificate,
): Diagnosis | null {
  const probe = evidence.probes?.principalIsUser ?? 'not-tried'
  if (certificate.principals.includes(node.user) || probe === 'refused') return null
  const principals = certificate.principals.join(', ')
  const first = certificate.principals[0] ?? principals
  const proof = probe === 'accepted' ? [`a certificate with principal ${node.user} was accepted`] : []
  const sentence = `${node.name} refused our certificate: ${probe === 'accepted' ? '' : 'most likely '}principal ${principals} is not allowed to log in as ${node.user}. Add it to the principals file of ${node.user} (AuthorizedPrincipalsFile), or log in as ${first}.${probe === 'accepted' ? '' : orListGone(node)}`
  return cause('PRINCIPAL_NOT_LISTED', sentence, {
    evidence: [...proof, ...certificateLines(evidence, certificate)],
    ...(probe === 'accepted' ? {} : { nextAction: { kind: 'run-doctor', label: 'Make sure' } }),
  })
}

/** sshd refuses everybody while the file of `RevokedKeys` is missing, and tells nobody (sshd_config(5)). */
function orListGone({ krl }: DiagnosedNode): string {
  if (krl === undefined || krl === null) return ''
  return ` Or the file of its revocation list is gone, and sshd refuses everybody: put it back there by its console (lockstep cert krl --out FILE writes it).`
}

function keyRefused(node: DiagnosedNode, evidence: ConnectEvidence): Diagnosis {
  const lines =
    evidence.certificate === undefined ? [evidence.message ?? ''] : certificateLines(evidence, evidence.certificate)
  const sure = evidence.probes !== undefined
  const sentence = `${node.name} refused our certificate for ${node.user}, although it is valid and names an allowed principal. ${sure ? 'The node does not trust our authority, or the certificate was revoked' : 'Most likely the node does not trust our authority'}: check TrustedUserCAKeys on the node.${orListGone(node)}`
  return cause('KEY_REFUSED', sentence, {
    evidence: lines,
    ...(sure ? { nextAction: { kind: 'open-terminal', label: 'Show the setting' } } : {}),
  })
}

/** sshd names no reason here either; what helps is the same for all of them but the last resort. */
function staticKeyRefused(
  node: DiagnosedNode,
  evidence: ConnectEvidence,
  login: { readonly keyFile: string },
): Diagnosis {
  const key = evidence.staticKey === undefined ? login.keyFile : `${evidence.staticKey.fingerprint} (${login.keyFile})`
  const sentence = `${node.name} refused the static key of ${node.user}: most likely its public half is not in the authorized_keys of ${node.user}, or that file belongs to somebody else there. Add it on the node, or move the node to certificates.`
  return cause('KEY_REFUSED', sentence, {
    evidence: [`static key ${key}`, evidence.message === undefined ? '' : `the node said: ${evidence.message}`],
    short: 'static key refused',
  })
}

function certificateLines(evidence: ConnectEvidence, certificate: PresentedCertificate): string[] {
  const { clockSkewMs } = evidence
  return [
    `certificate ${certificate.serial}: valid ${utc(certificate.validAfter)} to ${utc(certificate.validBefore)}, principals ${certificate.principals.join(', ')}`,
    `our clock: ${utc(evidence.nowMs)}`,
    clockSkewMs === undefined || clockSkewMs === null
      ? 'clock of the node: not measured'
      : `clock of the node, when last measured: ${Math.round(clockSkewMs / 1000)} s from ours`,
    evidence.message === undefined ? '' : `the node said: ${evidence.message}`,
  ]
}
