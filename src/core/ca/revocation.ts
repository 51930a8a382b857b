import { AppError } from '../../shared/errors.ts'

/** A revoked certificate leaves the list this long after it ended by itself; until then a slow clock could still take it. */
export const keepExpiredMs = 30 * 24 * 3_600_000

/** What the list needs to know about a revoked certificate. */
export interface RevokedCertificate {
  /** Decimal. */
  readonly serial: string
  readonly authorityFingerprint: string
  /** Null: never leaves the list. */
  readonly validBefore: number | null
}

/** One authority's part of a list: serials in rising order, each once. */
export interface AuthoritySerials {
  readonly authorityFingerprint: string
  readonly serials: readonly bigint[]
}

/**
 * What the version of a revocation list holds that was made at `versionAtMs`, in the order of the fingerprints. Pass the
 * moment the version was made and not the present one: then the same rows give the same content for ever, and what has
 * ended leaves the list with the next version only (F56). Rows are never judged by when they were revoked: a clock
 * that was set back must not bring a certificate back to life.
 *
 * @throws AppError INVALID_INPUT for a serial that no list can hold. A list that left it out would be a false promise.
 */
export function revokedSerials(certificates: readonly RevokedCertificate[], versionAtMs: number): AuthoritySerials[] {
  const counting = certificates.filter(
    ({ validBefore }) => validBefore === null || validBefore + keepExpiredMs > versionAtMs,
  )
  const byAuthority = Map.groupBy(counting, ({ authorityFingerprint }) => authorityFingerprint)
  return [...byAuthority]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([authorityFingerprint, rows]) => ({ authorityFingerprint, serials: inOrder(rows) }))
}

function inOrder(certificates: readonly RevokedCertificate[]): bigint[] {
  const serials = new Set(certificates.map(({ serial }) => revocableSerial(serial)))
  return Array.from(BigUint64Array.from(serials).sort())
}

const largestSerial = 0xffff_ffff_ffff_ffffn

/**
 * The serial as a number, when a certificate can be revoked by it.
 *
 * @throws AppError INVALID_INPUT for 0, which stands for "no serial", and for what does not fit in 64 bits
 */
export function revocableSerial(serial: string): bigint {
  const value = /^(?:0|[1-9][0-9]{0,19})$/.test(serial) ? BigInt(serial) : largestSerial + 1n
  if (value === 0n)
    throw new AppError(
      'INVALID_INPUT',
      'serial: a certificate without a serial (0) cannot be revoked by serial. Replace the authority that signed it.',
      { data: { field: 'serial' } },
    )
  if (value <= largestSerial) return value
  throw new AppError('INVALID_INPUT', `serial: ${JSON.stringify(serial.slice(0, 64))} is not a serial of 64 bits`, {
    data: { field: 'serial' },
  })
}
