import { randomBytes } from 'node:crypto'
import { isSameServer } from '../../core/parse/gitUrl.ts'
import { AppError } from '../../shared/errors.ts'
import type { RepositoryId } from '../../shared/model/ids.ts'
import type { Store, StoreTransaction } from '../ports.ts'

/** Seals with the key of this installation; `context` binds what is sealed to its place. */
export interface TokenVault {
  seal(secret: Uint8Array, context: string): Promise<string>
  unseal(sealed: string, context: string): Promise<Buffer>
}

/** What of a repository nobody is shown. */
export interface RepositorySecrets {
  /** For {@link keepToken}: sealing is no work for a transaction. @throws VAULT_LOCKED and the like */
  seal(id: RepositoryId, token: string): Promise<string>
  /** Null: none is kept. */
  token(id: RepositoryId): Promise<string | null>
  /** Goes into the hashes of findings. */
  salt(id: RepositoryId): Promise<string>
}

const tokenSetting = (id: RepositoryId): string => `repository.token.${id}`
const saltSetting = (id: RepositoryId): string => `repository.salt.${id}`
const tokenContext = (id: RepositoryId): string => `repository token ${id}`
const saltSizeBytes = 32

/**
 * The token, for a server that a fetch was told of when it began. Settings and token are changed in one transaction and read
 * here one after the other, the settings last: a token that is for another server by now is never what comes back.
 *
 * @param remote as the fetch knows it
 * @throws CONFLICT when the repository names another server by now
 */
export async function tokenFor(
  {
    store,
    secrets,
  }: { readonly store: Pick<Store, 'getRepository'>; readonly secrets: Pick<RepositorySecrets, 'token'> },
  id: RepositoryId,
  remote: string,
): Promise<string | null> {
  const token = await secrets.token(id)
  const now = (await store.getRepository(id))?.settings.remote ?? null
  if (now !== null && isSameServer(now, remote)) return token
  throw new AppError(
    'CONFLICT',
    'The remote of the repository was changed while it was fetched, and its token is not for the old one. Try again.',
    { retry: { kind: 'after', delayMs: 1_000 } },
  )
}

/** @param sealed null takes it away */
export function keepToken(transaction: StoreTransaction, id: RepositoryId, sealed: string | null): Promise<void> {
  return transaction.setSetting(tokenSetting(id), sealed ?? '')
}

export function keepNewSalt(transaction: StoreTransaction, id: RepositoryId): Promise<void> {
  return transaction.setSetting(saltSetting(id), randomBytes(saltSizeBytes).toString('hex'))
}

export function createRepositorySecrets(store: Pick<Store, 'getSetting'>, vault: TokenVault): RepositorySecrets {
  return {
    seal: async (id, token) => {
      const bytes = Buffer.from(token, 'utf8')
      try {
        return await vault.seal(bytes, tokenContext(id))
      } finally {
        bytes.fill(0)
      }
    },
    token: async (id) => {
      const sealed = await store.getSetting(tokenSetting(id))
      if (sealed === null || sealed === '') return null
      const bytes = await vault.unseal(sealed, tokenContext(id))
      try {
        return bytes.toString('utf8')
      } finally {
        bytes.fill(0)
      }
    },
    salt: async (id) => {
      const salt = await store.getSetting(saltSetting(id))
      if (salt === null || salt === '') throw new AppError('DATABASE_CORRUPT', 'The salt of a repository is gone.')
      return salt
    },
  }
}
