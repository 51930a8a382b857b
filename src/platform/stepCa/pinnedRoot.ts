import { createHash, X509Certificate } from 'node:crypto'
import { z } from 'zod'
import { AppError } from '../../shared/errors.ts'
import { type AuthorityUrl, type CallOptions, callAuthority } from './authorityCall.ts'

const RootAnswer = z.object({ ca: z.string() })

/**
 * SHA-256 of a root certificate in lower-case hexadecimal (S0.29). Takes upper case, colons and white space too, as
 * other programs print it.
 *
 * @throws AppError INVALID_INPUT
 */
export function parseRootFingerprint(text: string): string {
  const digits = text.replace(/[\s:]/g, '').toLowerCase()
  if (/^[0-9a-f]{64}$/.test(digits)) return digits
  throw new AppError(
    'INVALID_INPUT',
    'a root fingerprint is 64 hexadecimal digits, as `step certificate fingerprint root_ca.crt` prints them',
  )
}

/**
 * Gets the root certificate that `fingerprint` pins. The connection is not verified, since there is nothing yet to
 * verify it with: the answer counts only when its own hash is the pin. Everything after that trusts this root alone.
 *
 * @returns PEM
 * @throws AppError AUTHORITY_ROOT_MISMATCH when there is no such root, AUTHORITY_UNREACHABLE, CANCELED
 */
export async function fetchPinnedRoot(
  url: AuthorityUrl,
  fingerprint: string,
  options: CallOptions = {},
): Promise<string> {
  const pem = await askForRoot(url, fingerprint, options)
  const certificate = parseCertificate(pem)
  if (certificate === null || fingerprintOfDer(certificate.raw) !== fingerprint || !certificate.ca) {
    throw mismatch(url, fingerprint, 'it answered with something else')
  }
  return certificate.toString()
}

async function askForRoot(url: AuthorityUrl, fingerprint: string, options: CallOptions): Promise<string> {
  try {
    const answer = await callAuthority(url, { ...options, path: `/root/${fingerprint}`, rootPem: null })
    return RootAnswer.safeParse(answer.content).data?.ca ?? ''
  } catch (error) {
    const unknownThere = error instanceof AppError && error.code === 'AUTHORITY_REFUSED'
    throw unknownThere ? mismatch(url, fingerprint, 'it has no such root') : error
  }
}

function parseCertificate(pem: string): X509Certificate | null {
  try {
    return new X509Certificate(pem)
  } catch {
    return null
  }
}

function fingerprintOfDer(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('hex')
}

function mismatch(url: AuthorityUrl, fingerprint: string, why: string): AppError {
  return new AppError(
    'AUTHORITY_ROOT_MISMATCH',
    `step-ca at ${url} did not prove the pinned root ${fingerprint}: ${why}. ` +
      'Compare with `step certificate fingerprint root_ca.crt` on the CA machine; change the pin only if that differs',
    { data: { url, fingerprint } },
  )
}
