import { createHash, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { readJson, writeFileAtomic } from '../../platform/atomicFile.ts'
import { hasErrorCode } from '../../platform/fileErrors.ts'
import { AppError } from '../../shared/errors.ts'
import { AgentId, NodeId } from '../../shared/model/ids.ts'
import type { AgentLayout } from '../layout.ts'

/** What `agent.json` holds: written last, so that an enrolment is there as a whole or not at all. */
export const EnrollmentFile = z.object({
  url: z.string(),
  agentId: AgentId,
  nodeId: NodeId,
  nodeName: z.string(),
  enrolledAt: z.iso.datetime(),
})
export type EnrollmentFile = z.infer<typeof EnrollmentFile>

export interface Enrollment extends EnrollmentFile {
  readonly clientCertificate: string
  readonly clientKey: string
  readonly roots: readonly string[]
}

/** @throws AppError PRECONDITION_FAILED when this machine is not enrolled, or a part of the enrolment is missing */
export async function loadEnrollment(layout: AgentLayout): Promise<Enrollment> {
  const file = await readJson(layout.enrollment, EnrollmentFile)
  if (file === undefined) {
    throw new AppError(
      'PRECONDITION_FAILED',
      `This machine is not enrolled (${layout.enrollment} is missing). Make a join token in the console and run: lockstep-agent enroll --join-file <file>`,
    )
  }
  const [clientCertificate, clientKey, roots] = await Promise.all(
    [layout.clientCertificate, layout.clientKey, layout.roots].map(readPart),
  )
  return {
    ...file,
    clientCertificate: clientCertificate ?? '',
    clientKey: clientKey ?? '',
    roots: splitPem(roots ?? ''),
  }
}

async function readPart(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const reason = hasErrorCode(error, 'ENOENT') ? 'is missing' : 'cannot be read'
    throw new AppError('PRECONDITION_FAILED', `${path} ${reason}. Enroll this machine again.`)
  }
}

/** The certificates of a PEM file, one text each. */
export function splitPem(text: string): string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
}

/** SHA-256 of the DER form, in hexadecimal. */
export function rootFingerprint(pem: string): string {
  return createHash('sha256').update(new X509Certificate(pem).raw).digest('hex')
}

/**
 * Replaces the roots to trust. Written before anybody trusts them.
 * @returns the roots as they are in the file now
 * @throws AppError CERTIFICATE_INVALID; the file is then untouched
 */
export async function writeRoots(layout: AgentLayout, roots: readonly string[]): Promise<readonly string[]> {
  const whole = roots.flatMap(splitPem)
  const readable = whole.length > 0 && whole.length <= 16 && whole.every(isAuthority)
  if (!readable) {
    throw new AppError('CERTIFICATE_INVALID', 'The control plane sent roots that are not certificates of an authority.')
  }
  await writeFileAtomic(layout.roots, `${whole.join('\n')}\n`, { mode: 0o644 })
  return whole
}

function isAuthority(pem: string): boolean {
  try {
    return new X509Certificate(pem).ca
  } catch {
    return false
  }
}

/** The certificate has to be about the key we have, or nobody would let us in with it. */
export function checkClientCertificate(certificate: string, publicKeyPem: string): void {
  const [first = ''] = splitPem(certificate)
  let ours = false
  try {
    ours = new X509Certificate(first).publicKey.export({ type: 'spki', format: 'pem' }) === publicKeyPem
  } catch {
    ours = false
  }
  if (!ours) {
    throw new AppError('CERTIFICATE_INVALID', 'The control plane sent a client certificate that is not about our key.')
  }
}

/** True from two thirds of its life on. */
export function isClientCertificateOld(certificate: string, nowMs: number): boolean {
  const { validFrom, validTo } = new X509Certificate(certificate)
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)]
  return nowMs >= from + ((to - from) * 2) / 3
}
