import { setImmediate as yieldToOthers } from 'node:timers/promises'
import { type CertificateRequest, checkCertificateRequest, type SigningPolicy } from '../../core/ca/policy.ts'
import { backdateSeconds, validityFrom } from '../../core/ca/validity.ts'
import type { Clock } from '../../platform/clock.ts'
import type { IdSource } from '../../platform/ids.ts'
import {
  type CertificateContent,
  decodeCertificate,
  formatCertificateLine,
} from '../../platform/openssh/certificate.ts'
import { ed25519RawOfBlob, fingerprintOf } from '../../platform/openssh/publicKey.ts'
import { WireError } from '../../platform/openssh/wire.ts'
import { AppError } from '../../shared/errors.ts'
import type { IssuedCertificate } from '../../shared/model/certificate.ts'
import type { CertificateId } from '../../shared/model/ids.ts'
import type { CertificateAuthority, NewAuditEntry, SigningRequest, Store } from '../ports.ts'
import type { UserAuthority } from './authority.ts'
import { createProvisioners, type Provisioners } from './provisioners.ts'

interface SigningDependencies {
  readonly authority: UserAuthority
  readonly store: Pick<Store, 'transact'>
  readonly clock: Pick<Clock, 'nowMs'>
  readonly newId: IdSource
  readonly provisioners?: Provisioners
}

/** A request that passed its policy, before it has a serial. */
export interface CertificateDraft {
  readonly request: SigningRequest
  readonly policyName: string
  readonly content: Omit<CertificateContent, 'serial'>
}

/** Signed between two turns of the event loop: about 15 ms of work. */
const signaturesPerTurn = 100

/** The signing pipeline in full, for callers inside pki that bring a policy of their own. */
export interface SigningPipeline {
  /** Audit rows durable, then signatures, then validation, then the issue log; all or none. */
  issue(drafts: readonly CertificateDraft[]): Promise<IssuedCertificate[]>
}

/**
 * Provisioner, template, modifiers, policy, serial, audit row, signature, validation, issue log: in this order, for the
 * whole batch. When the audit rows cannot be written nothing is signed; when the issue log cannot be written no
 * signature leaves. A crash between the two leaves audit rows of certificates that nobody ever got.
 */
export function createCertificateAuthority(dependencies: SigningDependencies): CertificateAuthority & SigningPipeline {
  const provisioners = dependencies.provisioners ?? createProvisioners()

  const issue = async (drafts: readonly CertificateDraft[]): Promise<IssuedCertificate[]> => {
    if (drafts.length === 0) return []
    const signer = await dependencies.authority.unlock()
    refuseOwnKey(drafts, signer.publicBlob)
    const firstSerial = await recordIntent(dependencies, drafts, signer.fingerprint)
    const issued: IssuedCertificate[] = []
    for (const [index, draft] of drafts.entries()) {
      if (index > 0 && index % signaturesPerTurn === 0) await yieldToOthers()
      const content: CertificateContent = { ...draft.content, serial: firstSerial + BigInt(index) }
      const blob = signer.sign(content)
      assertFaithful(content, blob, signer)
      issued.push(issueLogRow(dependencies, { draft, content, blob, authorityFingerprint: signer.fingerprint }))
    }
    await dependencies.store.transact((transaction) => transaction.insertCertificates(issued))
    return issued
  }

  return {
    describe: () => dependencies.authority.describe(),
    sign: async (requests) => issue(draftAll(requests, provisioners, dependencies.clock.nowMs())),
    issue,
  }
}

function draftAll(requests: readonly SigningRequest[], provisioners: Provisioners, nowMs: number): CertificateDraft[] {
  return requests.map((request) => {
    const provisioner = provisioners[request.purpose]
    const extensions = request.extensions ?? provisioner.defaultExtensions
    return draftCertificate(request, { policy: provisioner.policy, extensions, nowMs })
  })
}

interface DraftOptions {
  readonly policy: SigningPolicy
  readonly extensions: readonly string[]
  readonly nowMs: number
  /** How long before now it is valid from. Default {@link backdateSeconds}. */
  readonly backdateSeconds?: number
}

/** Template, modifiers and policy for one request. Throws `CERTIFICATE_POLICY_REFUSED` with every violation. */
export function draftCertificate(request: SigningRequest, options: DraftOptions): CertificateDraft {
  const { policy, extensions, nowMs } = options
  const criticalOptions = request.criticalOptions ?? {}
  const { keyId, principals, lifetimeSeconds } = request
  enforcePolicy({ keyId, principals, lifetimeSeconds, extensions, criticalOptions }, policy)
  const validity = validityFrom(nowMs, lifetimeSeconds)
  const extraBackdate = (options.backdateSeconds ?? backdateSeconds) - backdateSeconds
  const content = {
    type: policy.certificateType,
    subjectBlob: checkedSubject(request.subjectPublicKey),
    keyId,
    principals,
    validAfterSeconds: validity.validAfter / 1000 - extraBackdate,
    validBeforeSeconds: validity.validBefore / 1000,
    criticalOptions,
    extensions: Object.fromEntries(extensions.map((name) => [name, ''])),
  }
  return { request, policyName: policy.name, content }
}

function enforcePolicy(request: CertificateRequest, policy: SigningPolicy): void {
  const violations = checkCertificateRequest(request, policy)
  if (violations.length === 0) return
  const listed = violations.map((violation) => `${violation.field}: ${violation.message}`).join('; ')
  throw new AppError('CERTIFICATE_POLICY_REFUSED', `The certificate "${request.keyId}" may not be signed. ${listed}`, {
    data: { policy: policy.name, violations },
  })
}

function checkedSubject(blob: Uint8Array): Uint8Array {
  try {
    ed25519RawOfBlob(blob)
    return blob
  } catch (thrown) {
    if (!(thrown instanceof WireError || thrown instanceof RangeError)) throw thrown
    throw new AppError(
      'INVALID_INPUT',
      `publicKey: only Ed25519 keys are certified (${thrown.message}). Make one with: ssh-keygen -t ed25519`,
      {
        data: { field: 'publicKey' },
        cause: thrown,
      },
    )
  }
}

/** A certificate over the authority's own key would let whoever holds that key log in without leaving a trace here. */
function refuseOwnKey(drafts: readonly CertificateDraft[], authorityBlob: Uint8Array): void {
  if (!drafts.some((draft) => Buffer.compare(draft.content.subjectBlob, authorityBlob) === 0)) return
  throw new AppError(
    'CERTIFICATE_POLICY_REFUSED',
    'publicKey: this is the key of the authority itself; bring a key of your own',
    {
      data: { field: 'publicKey' },
    },
  )
}

/** Serials and audit rows in one durable transaction. @returns the first serial. */
function recordIntent(
  dependencies: SigningDependencies,
  drafts: readonly CertificateDraft[],
  authorityFingerprint: string,
): Promise<bigint> {
  const at = dependencies.clock.nowMs()
  return dependencies.store.transact(async (transaction) => {
    const firstSerial = await transaction.reserveSerials(drafts.length)
    await transaction.appendAudit(
      drafts.map((draft, index) => auditRow(draft, { at, serial: firstSerial + BigInt(index), authorityFingerprint })),
    )
    return firstSerial
  })
}

interface AuditContext {
  readonly at: number
  readonly serial: bigint
  readonly authorityFingerprint: string
}

function auditRow(draft: CertificateDraft, context: AuditContext): NewAuditEntry {
  const { request, content } = draft
  return {
    at: context.at,
    actor: request.requestedBy,
    action: 'certificate.issue',
    subject: request.nodeId ?? request.keyId,
    detail: {
      serial: String(context.serial),
      keyId: content.keyId,
      principals: content.principals,
      purpose: request.purpose,
      policy: draft.policyName,
      reason: request.reason,
      subjectFingerprint: fingerprintOf(content.subjectBlob),
      authorityFingerprint: context.authorityFingerprint,
      validAfter: content.validAfterSeconds * 1000,
      validBefore: content.validBeforeSeconds * 1000,
      extensions: Object.keys(content.extensions),
      criticalOptions: content.criticalOptions,
    },
  }
}

/** Reads the certificate back as a node would: what was signed must be what was allowed. */
function assertFaithful(
  wanted: CertificateContent,
  blob: Uint8Array,
  signer: { readonly publicBlob: Buffer; verify(certificate: ReturnType<typeof decodeCertificate>): boolean },
): void {
  const made = decodeCertificate(blob)
  const faithful =
    Buffer.compare(made.signerBlob, signer.publicBlob) === 0 &&
    Buffer.compare(made.subjectBlob, wanted.subjectBlob) === 0 &&
    made.type === wanted.type &&
    made.serial === wanted.serial &&
    made.keyId === wanted.keyId &&
    made.validAfterSeconds === wanted.validAfterSeconds &&
    made.validBeforeSeconds === wanted.validBeforeSeconds &&
    sameList(made.principals, wanted.principals) &&
    sameOptions(made.criticalOptions, wanted.criticalOptions) &&
    sameOptions(made.extensions, wanted.extensions)
  if (faithful && signer.verify(made)) return
  throw new AppError(
    'CERTIFICATE_INVALID',
    `The certificate "${wanted.keyId}" does not read back as it was asked for; it was thrown away.`,
  )
}

function sameList(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((value, index) => value === right[index])
}

function sameOptions(left: Readonly<Record<string, string>>, right: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(left)
  return names.length === Object.keys(right).length && names.every((name) => left[name] === right[name])
}

interface SignedDraft {
  readonly draft: CertificateDraft
  readonly content: CertificateContent
  readonly blob: Uint8Array
  readonly authorityFingerprint: string
}

function issueLogRow(dependencies: SigningDependencies, signed: SignedDraft): IssuedCertificate {
  const { draft, content } = signed
  return {
    id: dependencies.newId() as CertificateId,
    serial: String(content.serial),
    issuer: 'embedded',
    keyId: content.keyId,
    principals: [...content.principals],
    purpose: draft.request.purpose,
    nodeId: draft.request.nodeId ?? null,
    nodeName: draft.request.nodeName ?? null,
    requestedBy: draft.request.requestedBy,
    reason: draft.request.reason,
    subjectFingerprint: fingerprintOf(content.subjectBlob),
    authorityFingerprint: signed.authorityFingerprint,
    validAfter: content.validAfterSeconds * 1000,
    validBefore: content.validBeforeSeconds * 1000,
    extensions: Object.keys(content.extensions),
    criticalOptions: { ...content.criticalOptions },
    issuedAt: dependencies.clock.nowMs(),
    certificate: formatCertificateLine(signed.blob, content.keyId),
    revocation: null,
  }
}
