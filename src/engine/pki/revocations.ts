import { createHash } from 'node:crypto'
import { z } from 'zod'
import { canarySerial } from '../../core/ca/canary.ts'
import { revokedSerials } from '../../core/ca/revocation.ts'
import type { Clock } from '../../platform/clock.ts'
import { decodeCertificate } from '../../platform/openssh/certificate.ts'
import { type AuthorityRevocations, encodeKrl } from '../../platform/openssh/krl.ts'
import { parsePublicKeyLine } from '../../platform/openssh/publicKey.ts'
import { AppError } from '../../shared/errors.ts'
import type { IssuedCertificate, KrlStatus } from '../../shared/model/certificate.ts'
import type { NewAuditEntry, Revocations, Store, StoreReader, StoreTransaction } from '../ports.ts'
import type { AuthorityKeys } from './authorities.ts'

interface RevocationDependencies {
  readonly authorities: Pick<AuthorityKeys, 'ensureUser' | 'keptIn'>
  readonly store: Pick<Store, 'transact' | 'getSetting' | 'listCertificates'>
  readonly clock: Pick<Clock, 'nowMs'>
  /** Runs in the transaction that revokes, after the next version is made. */
  readonly onRevoked?: (transaction: StoreTransaction) => Promise<void>
}

/** The list as the rest of pki changes it. */
export interface RevocationList extends Revocations {
  /** The next version, because the authorities it speaks of have changed. */
  renew(transaction: StoreTransaction): Promise<KrlStatus>
  /** SHA-256 of the list as of this transaction. */
  digestIn(reader: Pick<StoreReader, 'getSetting' | 'listCertificates'>): Promise<string>
}

/** What makes a version what it is, beside the rows that are revoked. */
const KrlVersion = z.object({
  version: z.number().int().nonnegative(),
  /** When it was made; null for version 0, which is as old as the authority. */
  madeAt: z.number().int().nullable(),
  generatedAtSeconds: z.number().int().nonnegative(),
  /** Public key lines of our user authorities whose canary it holds. */
  canaries: z.array(z.string()),
})
type KrlVersion = z.infer<typeof KrlVersion>

const krlSetting = 'krl.current'
const mostRevoked = 1_000_000

type Reader = Pick<StoreReader, 'getSetting' | 'listCertificates'>

/**
 * The revocation list, made from the issue log (F55, F56). A version is a row in the store and the revoked rows beside
 * it: the bytes are made when asked for, and are the same each time. Every list holds the canary serial for each of our
 * user authorities, so that a node which obeys it can be told from one which does not.
 */
export function createRevocations({ authorities, store, clock, onRevoked }: RevocationDependencies): RevocationList {
  let latest: { readonly key: string; readonly status: KrlStatus; readonly bytes: Uint8Array } | null = null

  /** Before the first revocation: nothing but the canary, since the authority exists. */
  async function firstVersion(reader: Reader): Promise<KrlVersion> {
    const kept = await authorities.keptIn(reader, 'ssh-user')
    const generatedAtSeconds = Math.floor((kept[0]?.createdAt ?? 0) / 1000)
    return { version: 0, madeAt: null, generatedAtSeconds, canaries: kept.map(({ publicKey }) => publicKey) }
  }

  async function versionIn(reader: Reader): Promise<KrlVersion> {
    const text = await reader.getSetting(krlSetting)
    return text === null ? firstVersion(reader) : KrlVersion.parse(JSON.parse(text))
  }

  async function build(reader: Reader, version: KrlVersion): Promise<{ status: KrlStatus; bytes: Uint8Array }> {
    const revoked = await reader.listCertificates({ standing: 'revoked', nowMs: 0, limit: mostRevoked })
    const sections = sectionsOf(revoked, version)
    const { generatedAtSeconds } = version
    const bytes = encodeKrl({
      version: BigInt(version.version),
      generatedAtSeconds,
      comment: 'lockstep',
      authorities: [...canariesOf(version), ...sections],
    })
    const status: KrlStatus = {
      version: version.version,
      revokedCertificates: sections.reduce((sum, { serials }) => sum + serials.length, 0),
      updatedAt: version.madeAt,
      sizeBytes: bytes.length,
      digest: createHash('sha256').update(bytes).digest('hex'),
    }
    return { status, bytes }
  }

  async function current(): Promise<{ readonly status: KrlStatus; readonly bytes: Uint8Array }> {
    await authorities.ensureUser()
    const version = await versionIn(store)
    const key = JSON.stringify(version)
    if (latest?.key !== key) latest = { key, ...(await build(store, version)) }
    const { status, bytes } = latest
    return { status, bytes }
  }

  async function renew(transaction: StoreTransaction): Promise<KrlStatus> {
    const nowMs = clock.nowMs()
    const version: KrlVersion = {
      version: await transaction.nextKrlVersion(),
      madeAt: nowMs,
      generatedAtSeconds: Math.floor(nowMs / 1000),
      canaries: (await authorities.keptIn(transaction, 'ssh-user')).map(({ publicKey }) => publicKey),
    }
    await transaction.setSetting(krlSetting, JSON.stringify(version))
    const { status } = await build(transaction, version)
    await transaction.announce({ kind: 'krl.saved', krl: status })
    return status
  }

  return {
    status: async () => (await current()).status,
    current,
    renew,
    digestIn: async (reader) => (await build(reader, await versionIn(reader))).status.digest,
    revoke: async (ids, { by, reason, alongside }) => {
      // A list without the canary would prove nothing: the authority comes first.
      const before = await current()
      return store.transact(async (transaction) => {
        const revocation = { revokedAt: clock.nowMs(), revokedBy: by, reason }
        const revoked = await transaction.revokeCertificates(ids, revocation)
        const krl = revoked.length === 0 ? before.status : await renew(transaction)
        if (revoked.length > 0) {
          await transaction.appendAudit(revoked.map((certificate) => revocationRow(certificate, krl.version)))
          await onRevoked?.(transaction)
        }
        await alongside?.(transaction, krl)
        return { revoked, krl }
      })
    },
  }
}

function canariesOf({ canaries }: KrlVersion): AuthorityRevocations[] {
  return canaries.map((line) => ({ publicKeyBlob: parsePublicKeyLine(line).blob, serials: [canarySerial], keyIds: [] }))
}

/** One section for each authority that signed something revoked: ours, one that a rotation replaced, a step-ca's. */
function sectionsOf(revoked: readonly IssuedCertificate[], { generatedAtSeconds }: KrlVersion): AuthorityRevocations[] {
  const signedBy = new Map(revoked.map((certificate) => [certificate.authorityFingerprint, certificate]))
  return revokedSerials(revoked, generatedAtSeconds * 1000).map(({ authorityFingerprint, serials }) => ({
    publicKeyBlob: signerBlobOf(signedBy.get(authorityFingerprint)),
    serials,
    keyIds: [],
  }))
}

function signerBlobOf(certificate: IssuedCertificate | undefined): Uint8Array {
  if (certificate === undefined) throw new AppError('INTERNAL', 'a revoked serial without a certificate')
  return decodeCertificate(parsePublicKeyLine(certificate.certificate).blob).signerBlob
}

function revocationRow(certificate: IssuedCertificate, krlVersion: number): NewAuditEntry {
  const { serial, keyId, authorityFingerprint, revocation, id, nodeId } = certificate
  return {
    at: revocation?.revokedAt ?? 0,
    actor: revocation?.revokedBy ?? '',
    action: 'certificate.revoke',
    subject: nodeId ?? keyId,
    detail: { id, serial, keyId, authorityFingerprint, reason: revocation?.reason ?? '', krlVersion },
  }
}
