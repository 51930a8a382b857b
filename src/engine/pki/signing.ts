import { setImmediate as yieldToOthers } from 'node:timers/promises'
import { canarySerial } from '../../core/ca/canary.ts'
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
import type { CertificateIssuer, CertificatePurpose, IssuedCertificate } from '../../shared/model/certificate.ts'
import type { CertificateId } from '../../shared/model/ids.ts'
import type { CertificateAuthority, NewAuditEntry, SigningRequest, Store } from '../ports.ts'
import type { AuthorityKeys } from './authorities.ts'
import { createProvisioners, type Provisioners } from './provisioners.ts'
import type { SshSigner } from './sshSigner.ts'

interface SigningDependencies {
  readonly authorities: Pick<AuthorityKeys, 'describeUser' | 'sshSigner'>
  readonly store: Pick<Store, 'transact'>
  readonly clock: Pick<Clock, 'nowMs'>
  readonly newId: IdSource
  readonly provisioners?: Provisioners
  /** Another authority behind the same interface: signs user certificates while it is active. */
  readonly otherIssuer?: OtherIssuer
}

/** Makes the signatures in our place; policy, audit log and issue log stay ours (D2). */
export interface OtherIssuer {
  isActive(): Promise<boolean>
  issue(drafts: readonly CertificateDraft[]): Promise<IssuedCertificate[]>
}

/** A request that passed its policy, before it has a serial. */
export interface CertificateDraft {
  readonly request: SigningRequest
  readonly policy: SigningPolicy
  readonly content: Omit<CertificateContent, 'serial'>
  /** Which of the keys of its authority signs; without it the one that signs now. */
  readonly authorityFingerprint?: string
}

/** Signed between two turns of the event loop: about 15 ms of work. */
const signaturesPerTurn = 100

/** Whose certificates another issuer may make. Hosts, probes and doctors are ours alone. */
const delegable: ReadonlySet<CertificatePurpose> = new Set(['automation', 'terminal', 'external', 'agent'])

/** The signing pipeline in full, for callers inside pki that bring a policy of their own. */
export interface SigningPipeline {
  /** Audit rows durable, then signatures, then validation, then the issue log; all or none. */
  issue(drafts: readonly CertificateDraft[]): Promise<IssuedCertificate[]>
  /** With the serial that every revocation list holds: audited, but in no issue log, because it was never of any use. */
  issueRevoked(draft: CertificateDraft): Promise<IssuedCertificate>
}

/**
 * Provisioner, template, modifiers, policy, serial, audit row, signature, validation, issue log: in this order, for the
 * whole batch. When the audit rows cannot be written nothing is signed; when the issue log cannot be written no
 * signature leaves. A crash between the two leaves audit rows of certificates that nobody ever got.
 */
export function createCertificateAuthority(dependencies: SigningDependencies): CertificateAuthority & SigningPipeline {
  const provisioners = dependencies.provisioners ?? createProvisioners()
  const { authorities, store, clock, otherIssuer } = dependencies

  const issue = async (drafts: readonly CertificateDraft[]): Promise<IssuedCertificate[]> => {
    if (drafts.length === 0) return []
    const signers = await signersOf(authorities, drafts)
    refuseOwnKeys(drafts, signers)
    const firstSerial = await recordIntent(dependencies, drafts, signers)
    const issued: IssuedCertificate[] = []
    for (const [index, draft] of drafts.entries()) {
      if (index > 0 && index % signaturesPerTurn === 0) await yieldToOthers()
      issued.push(signOne(dependencies, draft, { serial: firstSerial + BigInt(index), signer: signers[index] }))
    }
    await store.transact((transaction) => transaction.insertCertificates(issued))
    return issued
  }

  /** In the order of the requests, whoever signs which. */
  const issueAll = async (drafts: readonly CertificateDraft[]): Promise<IssuedCertificate[]> => {
    if (otherIssuer === undefined || !(await otherIssuer.isActive())) return issue(drafts)
    const isTheirs = ({ request }: CertificateDraft): boolean => delegable.has(request.purpose)
    const ours = (await issue(drafts.filter((draft) => !isTheirs(draft)))).values()
    const theirs = (await otherIssuer.issue(drafts.filter(isTheirs))).values()
    return drafts.flatMap((draft) => (isTheirs(draft) ? theirs : ours).next().value ?? [])
  }

  return {
    describe: () => authorities.describeUser(),
    sign: async (requests) => issueAll(draftAll(requests, provisioners, clock.nowMs())),
    issue,
    issueRevoked: async (draft) => {
      const [signer] = await signersOf(authorities, [draft])
      if (signer === undefined) throw new AppError('INTERNAL', 'no authority to sign with')
      const at = clock.nowMs()
      const row = auditRow(draft, { at, serial: canarySerial, authorityFingerprint: signer.fingerprint })
      await store.transact((transaction) => transaction.appendAudit([row]))
      return signOne(dependencies, draft, { serial: canarySerial, signer })
    },
  }
}

/** One for each draft. */
function signersOf(
  authorities: Pick<AuthorityKeys, 'sshSigner'>,
  drafts: readonly CertificateDraft[],
): Promise<SshSigner[]> {
  const found = new Map<string, Promise<SshSigner>>()
  const signers = drafts.map(({ content, authorityFingerprint }) => {
    const kind = content.type === 'host' ? 'ssh-host' : 'ssh-user'
    const key = `${kind} ${authorityFingerprint ?? ''}`
    const signer = found.get(key) ?? authorities.sshSigner(kind, authorityFingerprint)
    found.set(key, signer)
    return signer
  })
  return Promise.all(signers)
}

function signOne(
  dependencies: SigningDependencies,
  draft: CertificateDraft,
  { serial, signer }: { readonly serial: bigint; readonly signer: SshSigner | undefined },
): IssuedCertificate {
  if (signer === undefined) throw new AppError('INTERNAL', 'no authority to sign with')
  const content: CertificateContent = { ...draft.content, serial }
  const blob = signer.sign(content)
  assertFaithful(content, blob, signer)
  return issueLogRow(dependencies, {
    request: draft.request,
    content,
    line: formatCertificateLine(blob, content.keyId),
    authorityFingerprint: signer.fingerprint,
    issuer: 'embedded',
  })
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
  readonly authorityFingerprint?: string
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
  const { authorityFingerprint } = options
  return { request, policy, content, ...(authorityFingerprint === undefined ? {} : { authorityFingerprint }) }
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

/** A certificate over an authority's own key would let whoever holds that key log in without leaving a trace here. */
function refuseOwnKeys(drafts: readonly CertificateDraft[], signers: readonly SshSigner[]): void {
  const own = new Set(signers.map(({ fingerprint }) => fingerprint))
  if (!drafts.some((draft) => own.has(fingerprintOf(draft.content.subjectBlob)))) return
  throw new AppError(
    'CERTIFICATE_POLICY_REFUSED',
    'publicKey: this is the key of the authority itself; bring a key of your own',
    { data: { field: 'publicKey' } },
  )
}

/** Serials and audit rows in one durable transaction. @returns the first serial. */
function recordIntent(
  dependencies: SigningDependencies,
  drafts: readonly CertificateDraft[],
  signers: readonly SshSigner[],
): Promise<bigint> {
  const at = dependencies.clock.nowMs()
  return dependencies.store.transact(async (transaction) => {
    const firstSerial = await transaction.reserveSerials(drafts.length)
    if (firstSerial + BigInt(drafts.length) > canarySerial)
      throw new AppError('SERIAL_EXHAUSTED', 'All serials of the authority are used up. Rotate the authority.')
    await transaction.appendAudit(
      drafts.map((draft, index) => {
        const authorityFingerprint = signers[index]?.fingerprint ?? ''
        return auditRow(draft, { at, serial: firstSerial + BigInt(index), authorityFingerprint })
      }),
    )
    return firstSerial
  })
}

interface AuditContext {
  readonly at: number
  /** Null: the issuer will choose it. */
  readonly serial: bigint | null
  /** Null: not known before the issuer has answered. */
  readonly authorityFingerprint: string | null
  readonly issuer?: CertificateIssuer
}

/** What is about to be signed, as the audit log keeps it. */
export function auditRow(draft: CertificateDraft, context: AuditContext): NewAuditEntry {
  const { request, content } = draft
  return {
    at: context.at,
    actor: request.requestedBy,
    action: 'certificate.issue',
    subject: request.nodeId ?? request.keyId,
    detail: {
      serial: context.serial === null ? null : String(context.serial),
      keyId: content.keyId,
      principals: content.principals,
      purpose: request.purpose,
      policy: draft.policy.name,
      ...(context.issuer === undefined ? {} : { issuer: context.issuer }),
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

interface SignedCertificate {
  readonly request: SigningRequest
  readonly content: CertificateContent
  readonly line: string
  readonly authorityFingerprint: string
  readonly issuer: CertificateIssuer
}

export function issueLogRow(
  dependencies: Pick<SigningDependencies, 'newId' | 'clock'>,
  { request, content, line, authorityFingerprint, issuer }: SignedCertificate,
): IssuedCertificate {
  return {
    id: dependencies.newId() as CertificateId,
    serial: String(content.serial),
    issuer,
    keyId: content.keyId,
    principals: [...content.principals],
    purpose: request.purpose,
    nodeId: request.nodeId ?? null,
    nodeName: request.nodeName ?? null,
    requestedBy: request.requestedBy,
    reason: request.reason,
    subjectFingerprint: fingerprintOf(content.subjectBlob),
    authorityFingerprint,
    validAfter: content.validAfterSeconds * 1000,
    validBefore: content.validBeforeSeconds * 1000,
    extensions: Object.keys(content.extensions),
    criticalOptions: { ...content.criticalOptions },
    issuedAt: dependencies.clock.nowMs(),
    certificate: line,
    revocation: null,
  }
}
