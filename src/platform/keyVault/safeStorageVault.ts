import { AppError } from '../../shared/errors.ts'
import { KeyEncryptionKey } from './keyEncryptionKey.ts'
import type { KeyVault } from './keyVaultPort.ts'
import { readOrCreateVaultFile } from './vaultFile.ts'

/** The part of Electron's `safeStorage` that is used; calls may answer at once or later. */
export interface SafeStorage {
  isEncryptionAvailable(): boolean | Promise<boolean>
  /** Linux only: `basic_text` means a key that is written in Electron's source, so no protection at all. */
  getSelectedStorageBackend?(): string
  encryptString(plaintext: string): Buffer | Promise<Buffer>
  decryptString(encrypted: Buffer): string | Promise<string>
}

export interface SafeStorageVaultOptions {
  /** `keys/vault.json` */
  readonly file: string
  readonly safeStorage: SafeStorage
}

/** The operating system's keyring holds what opens the key. */
export function createSafeStorageVault({ file, safeStorage }: SafeStorageVaultOptions): KeyVault {
  return {
    kind: 'safe-storage',
    describe: () => `the system's keyring (${safeStorage.getSelectedStorageBackend?.() ?? process.platform})`,
    async unlock() {
      await refuseWeakBackend(safeStorage)
      const { encryptedKey, checkValue } = await readOrCreateVaultFile(file, 'safe-storage', () => create(safeStorage))
      const key = await decrypt(safeStorage, encryptedKey)
      if (key.matches(checkValue)) return key
      key.destroy()
      throw new AppError('VAULT_TAMPERED', `${file} does not belong to the key in the system's keyring`, {
        data: { file },
      })
    },
  }
}

async function refuseWeakBackend(safeStorage: SafeStorage): Promise<void> {
  const available = await safeStorage.isEncryptionAvailable()
  const backend = safeStorage.getSelectedStorageBackend?.()
  if (available && backend !== 'basic_text') return
  const reason = available ? 'it would keep keys in plain text (basic_text)' : 'no keyring is available'
  throw new AppError(
    'VAULT_BACKEND_REFUSED',
    `the system's keyring cannot protect keys: ${reason}. Use a passphrase.`,
    {
      data: { backend },
      retry: { kind: 'action', action: 'vault.usePassphrase', label: 'Use a passphrase' },
    },
  )
}

async function create(safeStorage: SafeStorage) {
  const key = KeyEncryptionKey.generate()
  const bytes = key.copyForHandover()
  try {
    const encryptedKey = await safeStorage.encryptString(bytes.toString('base64'))
    return {
      version: 1 as const,
      kind: 'safe-storage' as const,
      encryptedKey: Buffer.from(encryptedKey).toString('base64'),
      checkValue: key.checkValue(),
    }
  } finally {
    bytes.fill(0)
    key.destroy()
  }
}

async function decrypt(safeStorage: SafeStorage, encryptedKey: string): Promise<KeyEncryptionKey> {
  let text: string
  try {
    text = await safeStorage.decryptString(Buffer.from(encryptedKey, 'base64'))
  } catch (error) {
    throw new AppError('VAULT_LOCKED', "the system's keyring did not give the key back: unlock it and try again", {
      cause: error,
    })
  }
  const bytes = Buffer.from(text, 'base64')
  try {
    return new KeyEncryptionKey(bytes)
  } finally {
    bytes.fill(0)
  }
}
