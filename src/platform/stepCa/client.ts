import { X509Certificate } from 'node:crypto'
import { z } from 'zod'
import type { Clock } from '../clock.ts'
import { type AuthorityUrl, type CallOptions, callAuthority, parseAuthorityUrl } from './authorityCall.ts'
import { unusable } from './callFailure.ts'
import { type CertificateOrder, type OrderedCertificate, orderCertificate } from './order.ts'
import { fetchPinnedRoot, parseRootFingerprint } from './pinnedRoot.ts'
import { listProvisioners, type StepCaProvisionerEntry } from './provisioners.ts'
import { fetchSshAuthorityKeys, type SshAuthorityKeys } from './sshAuthorityKeys.ts'

/** A step-ca whose root was proven. Every call opens a connection of its own and trusts that root alone. */
export interface StepCaClient {
  readonly url: AuthorityUrl
  /** PEM. */
  readonly rootPem: string
  /** Resolves when it says that it is well. */
  health(options?: CallOptions): Promise<void>
  provisioners(options?: CallOptions): Promise<StepCaProvisionerEntry[]>
  /** Root certificates in use, PEM: more than one while the root is being replaced. */
  roots(options?: CallOptions): Promise<string[]>
  sshAuthorityKeys(options?: CallOptions): Promise<SshAuthorityKeys>
  /**
   * Gets a certificate and compares it with what was asked for before anybody sees it.
   *
   * @throws AppError CERTIFICATE_POLICY_REFUSED (our own policy; nothing was sent), AUTHORITY_REFUSED,
   *   CERTIFICATE_INVALID (it signed something else than was asked; `data.flaws`), AUTHORITY_UNREACHABLE, CANCELED
   */
  orderCertificate(order: CertificateOrder, options?: CallOptions): Promise<OrderedCertificate>
}

export interface StepCaPin {
  /** Such as `https://ca.internal:9000` (S0.7, S0.36). */
  readonly url: string
  /** SHA-256 of its root certificate (S0.29). */
  readonly rootFingerprint: string
}

/**
 * Fetches the pinned root and gives a client that trusts nothing else.
 *
 * @throws AppError INVALID_INPUT, AUTHORITY_ROOT_MISMATCH, AUTHORITY_UNREACHABLE, CANCELED
 */
export async function connectStepCa(
  pin: StepCaPin,
  options: CallOptions & { readonly clock: Clock },
): Promise<StepCaClient> {
  const { clock, ...callOptions } = options
  const url = parseAuthorityUrl(pin.url)
  const rootPem = await fetchPinnedRoot(url, parseRootFingerprint(pin.rootFingerprint), callOptions)
  return {
    url,
    rootPem,
    health: (options = {}) => checkHealth(url, rootPem, options),
    provisioners: (options = {}) => listProvisioners(url, rootPem, options),
    roots: (options = {}) => fetchRoots(url, rootPem, options),
    sshAuthorityKeys: (options = {}) => fetchSshAuthorityKeys(url, rootPem, options),
    orderCertificate: (order, options = {}) => orderCertificate(order, { url, rootPem, clock, options }),
  }
}

const Health = z.object({ status: z.literal('ok') })

async function checkHealth(url: AuthorityUrl, rootPem: string, options: CallOptions): Promise<void> {
  const answer = await callAuthority(url, { ...options, path: '/health', rootPem })
  if (!Health.safeParse(answer.content).success) throw unusable(url, 'it does not say that it is well')
}

const Roots = z.object({ crts: z.array(z.string().max(65_536)).max(64) })

async function fetchRoots(url: AuthorityUrl, rootPem: string, options: CallOptions): Promise<string[]> {
  const answer = await callAuthority(url, { ...options, path: '/roots', rootPem })
  const listed = Roots.safeParse(answer.content)
  if (!listed.success) throw unusable(url, 'its list of roots is not as step-ca writes it')
  try {
    return listed.data.crts.map((pem) => new X509Certificate(pem).toString())
  } catch {
    throw unusable(url, 'one of its roots is not a certificate')
  }
}
