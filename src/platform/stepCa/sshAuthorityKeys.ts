import { z } from 'zod'
import { AppError } from '../../shared/errors.ts'
import { fingerprintOf, formatPublicKeyLine, importPublicKey } from '../openssh/publicKey.ts'
import { WireError } from '../openssh/wire.ts'
import { type AuthorityUrl, type CallOptions, callAuthority } from './authorityCall.ts'
import { unusable } from './callFailure.ts'

/** An SSH authority key of a step-ca. */
export interface SshAuthorityKey {
  /** `SHA256:…` */
  readonly fingerprint: string
  /** Public key line, without a comment. */
  readonly publicKey: string
  /** Wire form. */
  readonly blob: Buffer
}

/** More than one of a kind while an authority is being replaced. */
export interface SshAuthorityKeys {
  /** What nodes trust for logins (`TrustedUserCAKeys`). */
  readonly user: readonly SshAuthorityKey[]
  /** What clients trust for host keys (`@cert-authority`). */
  readonly host: readonly SshAuthorityKey[]
}

const Keys = z.array(z.base64().max(16_384)).max(64).default([])
const SshRoots = z.object({ userKey: Keys, hostKey: Keys })

/**
 * The keys that sign SSH certificates.
 *
 * @throws AppError AUTHORITY_REFUSED (`data.reason` `not-enabled`) when SSH is off there, and as {@link callAuthority} does
 */
export async function fetchSshAuthorityKeys(
  url: AuthorityUrl,
  rootPem: string,
  options: CallOptions,
): Promise<SshAuthorityKeys> {
  const answer = await callAuthority(url, { ...options, path: '/ssh/roots', rootPem }).catch(explainAbsence)
  const listed = SshRoots.safeParse(answer.content)
  if (!listed.success) throw unusable(url, 'its list of SSH keys is not as step-ca writes it')
  const read = (keys: readonly string[]) => keys.map((key) => readKey(url, Buffer.from(key, 'base64')))
  return { user: read(listed.data.userKey), host: read(listed.data.hostKey) }
}

/** 404 is how step-ca says that it has no SSH keys. */
function explainAbsence(error: unknown): never {
  if (!(error instanceof AppError) || error.data?.reason !== 'not-found') throw error
  const message = `step-ca at ${error.data.url} has no SSH keys: set ssh.hostKey and ssh.userKey in its ca.json`
  throw new AppError('AUTHORITY_REFUSED', message, { data: { ...error.data, reason: 'not-enabled' }, cause: error })
}

function readKey(url: AuthorityUrl, blob: Buffer): SshAuthorityKey {
  try {
    importPublicKey(blob)
    return { fingerprint: fingerprintOf(blob), publicKey: formatPublicKeyLine(blob), blob }
  } catch (error) {
    if (error instanceof WireError) throw unusable(url, `one of its SSH keys cannot be read: ${error.message}`)
    throw error
  }
}

/** One key per line, as `step ssh config --roots` prints them: the content of `trusted_user_ca.pub` (S0.17, S0.18). */
export function trustedKeysFile(keys: readonly SshAuthorityKey[]): string {
  return keys.map(({ publicKey }) => `${publicKey}\n`).join('')
}
