import type { KeyEncryptionKey } from './keyEncryptionKey.ts'

export type KeyVaultKind = 'safe-storage' | 'passphrase' | 'systemd-credential' | 'memory'

/**
 * Where the key that seals all other keys comes from. Each host brings its own kind; the home remembers which kind
 * made it (`keys/vault.json`), and another kind is refused rather than given a second key.
 */
export interface KeyVault {
  readonly kind: KeyVaultKind
  /** One line for a person: what protects the keys here. */
  describe(): string
  /** True while no key was made yet: what opens it first is chosen with that, and a slip of the hand would be too. */
  isNew?(): boolean
  /**
   * Gives the key; makes it on the first call in a new home, never over an existing one. The caller owns the result
   * and destroys it.
   *
   * @throws AppError VAULT_LOCKED, VAULT_PASSPHRASE_WRONG, VAULT_TAMPERED, VAULT_BACKEND_REFUSED
   */
  unlock(): Promise<KeyEncryptionKey>
}
