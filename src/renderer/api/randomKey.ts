import type { IdempotencyKey } from '../../shared/model/ids.ts'

/** 128 random bits in hexadecimal; works in pages that are no secure context too, where `randomUUID` is missing. */
export function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Made before the first call and kept for all retries, so that pressing once starts one run, whatever the network does (S0.88). */
export const newIdempotencyKey = (): IdempotencyKey => `page-${randomKey()}` as IdempotencyKey
