import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { AppError } from '../../shared/errors.ts'
import type { Clock } from '../clock.ts'
import { type DecodedCertificate, decodeCertificate, formatCertificateLine } from '../openssh/certificate.ts'
import { fingerprintOf } from '../openssh/publicKey.ts'
import { WireError } from '../openssh/wire.ts'
import { type CertificateJudge, certificateFlaws } from './answerCheck.ts'
import { type AuthorityUrl, type CallOptions, callAuthority } from './authorityCall.ts'
import { refused, unusable } from './callFailure.ts'
import { unlockProvisionerKey } from './provisionerKey.ts'
import { listProvisioners, type StepCaProvisionerEntry } from './provisioners.ts'
import { fetchSshAuthorityKeys } from './sshAuthorityKeys.ts'

/** How we prove that we may ask. */
export type StepCaCredential =
  | { readonly kind: 'password'; readonly provisioner: string; readonly password: string }
  /** Made elsewhere, e.g. with `step ca token`; serves once. */
  | { readonly kind: 'token'; readonly token: string }

export interface CertificateOrder {
  readonly type: 'user' | 'host'
  /** Wire form of the key to certify. */
  readonly publicKey: Uint8Array
  readonly keyId: string
  readonly principals: readonly string[]
  readonly lifetimeSeconds: number
  /**
   * Flags such as `permit-pty`, and options such as `source-address`; default none. They travel as template data: only a
   * template like the one of the guide (S0.19) grants them. step-ca's own template adds all five extensions to every
   * user certificate, whatever was asked for.
   */
  readonly extensions?: readonly string[]
  readonly criticalOptions?: Readonly<Record<string, string>>
  readonly credential: StepCaCredential
  /**
   * Our own policy (D2, S0.20): asked before anything is sent, and again about the answer, with the extensions and
   * critical options that the authority added.
   */
  readonly judge: CertificateJudge
}

export interface OrderedCertificate {
  readonly certificate: DecodedCertificate
  /** For a `-cert.pub` file, without the line end. */
  readonly line: string
  /** `SHA256:…` of the authority key that signed. */
  readonly signerFingerprint: string
}

/** What an order needs to know of the authority. */
export interface OrderContext {
  readonly url: AuthorityUrl
  readonly rootPem: string
  readonly clock: Clock
  readonly options: CallOptions
}

const signPath = '/1.0/ssh/sign'
/** The token is used at once; five minutes are for clocks that differ. */
const tokenLifeSeconds = 300
const SignAnswer = z.object({ crt: z.base64().max(65_536) })

/** See `StepCaClient.orderCertificate`. */
export async function orderCertificate(order: CertificateOrder, context: OrderContext): Promise<OrderedCertificate> {
  refuseForbidden(order)
  const { url, rootPem, options } = context
  const [token, keys] = await Promise.all([tokenFor(order, context), fetchSshAuthorityKeys(url, rootPem, options)])
  const blob = await requestSignature(order, token, context)
  const signers = (order.type === 'user' ? keys.user : keys.host).map((key) => key.blob)
  const certificate = decode(url, blob)
  const { extensions = [], criticalOptions = {}, credential: _secret, ...wanted } = order
  const expected = { ...wanted, extensions, criticalOptions, signers, nowMs: context.clock.nowMs() }
  const flaws = certificateFlaws(certificate, expected)
  if (flaws.length > 0) throw notAsOrdered(url, flaws)
  return { certificate, line: formatCertificateLine(blob), signerFingerprint: fingerprintOf(certificate.signerBlob) }
}

function refuseForbidden(order: CertificateOrder): void {
  const { keyId, principals, lifetimeSeconds, extensions = [], criticalOptions = {} } = order
  const wanted = { keyId, principals, lifetimeSeconds, extensions, criticalOptions }
  const violations = order.judge(wanted).map(({ message }) => message)
  if (violations.length === 0) return
  throw new AppError('CERTIFICATE_POLICY_REFUSED', `not asked for at the step-ca: ${violations.join('; ')}`, {
    data: { violations },
  })
}

async function tokenFor(order: CertificateOrder, context: OrderContext): Promise<string> {
  if (order.credential.kind === 'token') return order.credential.token
  const { provisioner: name, password } = order.credential
  const { url, rootPem, options } = context
  const provisioner = chooseProvisioner(url, name, await listProvisioners(url, rootPem, options))
  const key = await unlockProvisionerKey(url, provisioner, password)
  return key.signToken(tokenClaims(order, key.provisioner, context))
}

function chooseProvisioner(
  url: AuthorityUrl,
  name: string,
  listed: readonly StepCaProvisionerEntry[],
): StepCaProvisionerEntry {
  const found = listed.find((provisioner) => provisioner.name === name)
  if (found !== undefined) return found
  const names = listed.map((provisioner) => provisioner.name).join(', ') || 'none'
  throw refused(url, 'provisioner-missing', `there is no provisioner "${name}"; there are: ${names}`)
}

/** What step-ca reads in a token for SSH; the same limits as in the request, so that the token alone buys no more. */
function tokenClaims(order: CertificateOrder, provisioner: string, context: OrderContext): Record<string, unknown> {
  const nowSeconds = Math.floor(context.clock.nowMs() / 1000)
  return {
    iss: provisioner,
    aud: `${context.url}${signPath}`,
    sub: order.keyId,
    jti: randomUUID(),
    iat: nowSeconds,
    nbf: nowSeconds,
    exp: nowSeconds + tokenLifeSeconds,
    step: { ssh: terms(order) },
  }
}

/** A length instead of a time: it counts from the authority's clock, as the beginning does. */
function terms(order: CertificateOrder) {
  const { type, keyId, principals, lifetimeSeconds } = order
  return { certType: type, keyID: keyId, principals, validBefore: `${lifetimeSeconds}s` }
}

/** Undefined, and so not sent, when there is nothing to ask for. */
function templateData({ extensions = [], criticalOptions = {} }: CertificateOrder) {
  if (extensions.length === 0 && Object.keys(criticalOptions).length === 0) return undefined
  return { extensions, criticalOptions }
}

async function requestSignature(order: CertificateOrder, token: string, context: OrderContext): Promise<Buffer> {
  const { url, rootPem, clock, options } = context
  const publicKey = Buffer.from(order.publicKey).toString('base64')
  const body = { publicKey, ott: token, ...terms(order), templateData: templateData(order) }
  try {
    const answer = await callAuthority(url, { ...options, path: signPath, body, rootPem })
    const signed = SignAnswer.safeParse(answer.content)
    if (!signed.success) throw unusable(url, 'its answer holds no certificate')
    return Buffer.from(signed.data.crt, 'base64')
  } catch (error) {
    throw error instanceof AppError ? withHint(error, clock.nowMs()) : error
  }
}

/** step-ca never says why a token does not count. Different clocks are the usual reason, and can be seen. */
function withHint(error: AppError, nowMs: number): AppError {
  const { reason, authorityDateMs } = error.data ?? {}
  if (reason !== 'not-authorized' || typeof authorityDateMs !== 'number') return error
  const aheadSeconds = Math.round((authorityDateMs - nowMs) / 1000)
  const hint =
    Math.abs(aheadSeconds) > 60
      ? `Its clock is ${Math.abs(aheadSeconds)} s ${aheadSeconds > 0 ? 'ahead of' : 'behind'} ours: set both by NTP`
      : 'Usual reasons: the token was used before, SSH is off for the provisioner, or our name for it is not in dnsNames'
  return new AppError(error.code, `${error.message} ${hint}`, { data: { ...error.data, aheadSeconds }, cause: error })
}

function decode(url: AuthorityUrl, blob: Buffer): DecodedCertificate {
  try {
    return decodeCertificate(blob)
  } catch (error) {
    if (error instanceof WireError) throw notAsOrdered(url, [`it cannot be read: ${error.message}`])
    throw error
  }
}

function notAsOrdered(url: AuthorityUrl, flaws: readonly string[]): AppError {
  return new AppError(
    'CERTIFICATE_INVALID',
    `the certificate from step-ca at ${url} is not used: ${flaws.join('; ')}. Correct the template of its provisioner`,
    { data: { url, flaws } },
  )
}
