import { readFile } from 'node:fs/promises'
import { mustRenew, type ReceivedCertificate, whyNotCertificate } from '../../core/agent/certificate.ts'
import { usualDuration } from '../../core/agent/duration.ts'
import type { PresentedCertificate } from '../../core/diagnose/evidence.ts'
import { diagnosisOf } from '../../core/run/thrown.ts'
import { writeFileAtomic } from '../../platform/atomicFile.ts'
import { type DecodedCertificate, decodeCertificate, verifyCertificate } from '../../platform/openssh/certificate.ts'
import { parsePublicKeyLine } from '../../platform/openssh/publicKey.ts'
import { AppError } from '../../shared/errors.ts'
import type { ControlPlane } from '../control/controlPlane.ts'
import { readSshPublicKey } from '../enroll/sshKey.ts'
import type { StepContext } from './context.ts'
import { readDurations } from './durations.ts'
import { outcomeOf, type StepOutcome } from './outcome.ts'
import { orderFromStepCa } from './stepCa.ts'

const longestWishSeconds = 57_600

/**
 * ENSURE_CERT: a certificate that outlives what a run usually takes, from step-ca or from the control plane (S0.26,
 * S0.38, S0.45, N2). When no new one is to be had, one that is still valid does.
 */
export async function ensureCertificate(context: StepContext, controlPlane: ControlPlane): Promise<StepOutcome> {
  const { setup, clock, log } = context
  const publicKey = await readSshPublicKey(setup.layout)
  const current = await readCertificate(setup.layout.certificate, publicKey)
  const usualMs = usualDuration(await readDurations(setup.state.durations))
  const wishes = { principal: setup.config.ssh.principal, nowMs: clock.nowMs() }
  const minValidSeconds = setup.config.ssh.min_valid_seconds
  if (current !== null && !mustRenew(current.received, { ...wishes, minValidSeconds, usualMs })) {
    log(`certificate ${current.presented.serial} is valid until ${utc(current.presented.validBefore)}`)
    return use(context, current)
  }
  try {
    const wanted = Math.min(longestWishSeconds, Math.max(minValidSeconds, Math.ceil(usualMs / 1000)))
    return use(context, await renew(context, controlPlane, { publicKey, minValidSeconds: wanted }))
  } catch (error) {
    const diagnosis = diagnosisOf(error)
    if (current === null || whyNotCertificate(current.received, wishes) !== null) return outcomeOf(retryable(diagnosis))
    log(`no new certificate, the old one still serves: ${diagnosis.sentence}`)
    const warning = { code: 'CERTIFICATE_NOT_RENEWED', message: diagnosis.sentence, evidence: diagnosis.evidence }
    return use(context, current, [warning])
  }
}

/** Whoever does not answer may answer in a moment. */
function retryable(diagnosis: ReturnType<typeof diagnosisOf>) {
  const away = ['GATEWAY_UNREACHABLE', 'AUTHORITY_UNREACHABLE', 'RATE_LIMITED'] as const
  return away.some((code) => code === diagnosis.code)
    ? { ...diagnosis, code: 'TIMED_OUT' as const, transient: true }
    : diagnosis
}

interface OwnCertificate {
  readonly received: ReceivedCertificate
  readonly presented: PresentedCertificate
}

type Warnings = NonNullable<NonNullable<StepOutcome['patch']>['warnings']>

function use({ memory }: StepContext, { presented }: OwnCertificate, warnings: Warnings = []): StepOutcome {
  memory.certificate = presented
  return { kind: 'done', patch: { certificateSerial: presented.serial, warnings } }
}

/** Asks for a certificate, looks at what came, and only then puts it into place, whole (S0.33). */
async function renew(
  context: StepContext,
  controlPlane: ControlPlane,
  wish: { readonly publicKey: string; readonly minValidSeconds: number },
): Promise<OwnCertificate> {
  const { setup, clock, signal, log } = context
  const line =
    setup.config.ssh.ca_url === null
      ? (await controlPlane.sshCertificate(wish, { signal })).certificate
      : await orderFromStepCa(setup, { ...wish, clock, signal })
  const certificate = describe(line, wish.publicKey)
  const reason =
    certificate === null
      ? 'it cannot be read'
      : whyNotCertificate(certificate.received, { principal: setup.config.ssh.principal, nowMs: clock.nowMs() })
  if (certificate === null || reason !== null) {
    throw new AppError('CERTIFICATE_INVALID', `The certificate that was issued is not usable: ${reason}.`)
  }
  await writeFileAtomic(setup.layout.certificate, `${line.trim()}\n`, { mode: 0o644 })
  log(`new certificate ${certificate.presented.serial}, valid until ${utc(certificate.presented.validBefore)}`)
  return certificate
}

const utc = (atMs: number): string => new Date(atMs).toISOString()

/** Null without one, and for one that cannot be read. */
export async function readCertificate(path: string, publicKey: string): Promise<OwnCertificate | null> {
  const line = await readFile(path, 'utf8').catch(() => null)
  return line === null ? null : describe(line, publicKey)
}

function describe(line: string, publicKey: string): OwnCertificate | null {
  try {
    const decoded = decodeCertificate(parsePublicKeyLine(line).blob)
    return { received: receivedOf(decoded, publicKey), presented: presentedOf(decoded) }
  } catch {
    return null
  }
}

function receivedOf(decoded: DecodedCertificate, publicKey: string): ReceivedCertificate {
  const { format, type, principals, validAfterSeconds, validBeforeSeconds, subjectBlob } = decoded
  return {
    format,
    type,
    principals,
    validAfter: validAfterSeconds * 1000,
    validBefore: validBeforeSeconds * 1000,
    overOurKey: parsePublicKeyLine(publicKey).blob.equals(subjectBlob),
    signatureHolds: verifyCertificate(decoded),
  }
}

function presentedOf(decoded: DecodedCertificate): PresentedCertificate {
  return {
    serial: String(decoded.serial),
    principals: decoded.principals,
    validAfter: decoded.validAfterSeconds * 1000,
    validBefore: decoded.validBeforeSeconds * 1000,
  }
}
