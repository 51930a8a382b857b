import type { KeyVault } from '../../platform/keyVault/keyVaultPort.ts'

/**
 * Seals with the key of the vault and wipes that key again.
 *
 * @param context what the secret is for; opening needs the same, so that no sealed value can stand in for another
 * @returns base64
 */
export async function seal(vault: KeyVault, secret: Uint8Array, context: string): Promise<string> {
  const key = await vault.unlock()
  try {
    return key.seal(secret, context).toString('base64')
  } finally {
    key.destroy()
  }
}

/** The caller wipes the result. @throws AppError VAULT_TAMPERED and whatever keeps the vault shut */
export async function unseal(vault: KeyVault, sealed: string, context: string): Promise<Buffer> {
  const key = await vault.unlock()
  try {
    return key.open(Buffer.from(sealed, 'base64'), context)
  } finally {
    key.destroy()
  }
}
