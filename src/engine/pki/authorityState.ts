import { z } from 'zod'
import { signerDuring, trustedDuring } from '../../core/ca/rotation.ts'
import { type AuthorityKind, Rotation } from '../../shared/model/certificate.ts'
import type { StoreReader, StoreTransaction } from '../ports.ts'

/** Which key of an authority counts, as one row of the store: every change of it is one transaction. */
const AuthorityState = z.object({
  /** Of the authority; during a rotation of the old one. */
  fingerprint: z.string(),
  rotation: Rotation.nullable(),
  /** Replaced by a rotation that is over; destroyed when the file is next read, should that have been cut short. */
  retired: z.array(z.string()),
})
export type AuthorityState = z.infer<typeof AuthorityState>

const settingOf = (kind: AuthorityKind): string => `authority.${kind}`

/** Null: no authority of this kind was ever recorded. */
export async function readAuthorityState(
  reader: Pick<StoreReader, 'getSetting'>,
  kind: AuthorityKind,
): Promise<AuthorityState | null> {
  const text = await reader.getSetting(settingOf(kind))
  return text === null ? null : AuthorityState.parse(JSON.parse(text))
}

/** Saves it and lets clients know. */
export async function writeAuthorityState(
  transaction: Pick<StoreTransaction, 'setSetting' | 'announce'>,
  kind: AuthorityKind,
  state: AuthorityState,
): Promise<void> {
  await transaction.setSetting(settingOf(kind), JSON.stringify(state))
  await transaction.announce({ kind: 'authority.changed', authority: kind })
}

const sideOf = ({ fingerprint, rotation }: AuthorityState, side: 'old' | 'new'): string =>
  side === 'new' && rotation !== null ? rotation.newFingerprint : fingerprint

export const signerOf = (state: AuthorityState): string => sideOf(state, signerDuring(state.rotation?.phase ?? null))

/** In the order in which they were made. */
export const trustedBy = (kind: AuthorityKind, state: AuthorityState): string[] =>
  trustedDuring(kind, state.rotation?.phase ?? null).map((side) => sideOf(state, side))

/** All whose keys are kept. */
export const keysOf = ({ fingerprint, rotation }: AuthorityState): string[] =>
  rotation === null ? [fingerprint] : [rotation.oldFingerprint, rotation.newFingerprint]
