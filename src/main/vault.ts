import type { SafeStorage as ElectronSafeStorage } from 'electron'
import { createSafeStorageVault, readVaultKind, type SafeStorage } from '../platform/keyVault.ts'
import { type AppError, toAppError } from '../shared/errors.ts'
import type { VaultMaterial } from './engineMessages.ts'

type Keyring = Pick<
  ElectronSafeStorage,
  'isAsyncEncryptionAvailable' | 'encryptStringAsync' | 'decryptStringAsync' | 'getSelectedStorageBackend'
>

/** The calls of Electron that are not deprecated, in the form the vault takes. The backend has a name on Linux only. */
export function asSafeStorage(keyring: Keyring, platform: NodeJS.Platform): SafeStorage {
  return {
    isEncryptionAvailable: () => keyring.isAsyncEncryptionAvailable(),
    encryptString: (plaintext) => keyring.encryptStringAsync(plaintext),
    decryptString: async (encrypted) => (await keyring.decryptStringAsync(encrypted)).result,
    ...(platform === 'linux' ? { getSelectedStorageBackend: () => keyring.getSelectedStorageBackend() } : {}),
  }
}

interface VaultOptions {
  /** `keys/vault.json` */
  readonly file: string
  readonly safeStorage: SafeStorage
}

/**
 * What opens this home's keys: the keyring where it protects them, otherwise a passphrase that a person will type.
 * A home that was made with a passphrase keeps it. Never throws.
 */
export async function obtainVaultMaterial({ file, safeStorage }: VaultOptions): Promise<VaultMaterial> {
  try {
    if ((await readVaultKind(file)) === 'passphrase') return { kind: 'passphrase' }
    return await fromKeyring({ file, safeStorage })
  } catch (thrown) {
    const error = toAppError(thrown)
    if (isWeakKeyring(error) && (await isNew(file))) return { kind: 'passphrase' }
    return { kind: 'refused', error: error.toBody() }
  }
}

async function fromKeyring({ file, safeStorage }: VaultOptions): Promise<VaultMaterial> {
  const vault = createSafeStorageVault({ file, safeStorage })
  const key = await vault.unlock()
  try {
    return { kind: 'key', bytes: new Uint8Array(key.copyForHandover()), description: vault.describe() }
  } finally {
    key.destroy()
  }
}

const isWeakKeyring = (error: AppError): boolean => error.code === 'VAULT_BACKEND_REFUSED'
const isNew = async (file: string): Promise<boolean> => (await readVaultKind(file).catch(() => 'damaged')) === undefined
