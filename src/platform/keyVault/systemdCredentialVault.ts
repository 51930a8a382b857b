import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '../../shared/errors.ts'
import { KeyEncryptionKey, keySizeBytes } from './keyEncryptionKey.ts'
import type { KeyVault } from './keyVaultPort.ts'
import { readOrCreateVaultFile } from './vaultFile.ts'

export const vaultCredentialName = 'lockstep-vault-key'

export interface SystemdCredentialVaultOptions {
  /** `keys/vault.json`: remembers a check value, so that another credential is noticed before it seals anything. */
  readonly file: string
  /** `$CREDENTIALS_DIRECTORY`, which systemd sets for a unit with `LoadCredential=`. */
  readonly credentialsDirectory: string | undefined
}

/** The service manager brings the key as 32 raw bytes or 64 hexadecimal digits; it is never made here. */
export function createSystemdCredentialVault(options: SystemdCredentialVaultOptions): KeyVault {
  return {
    kind: 'systemd-credential',
    describe: () => `systemd credential ${vaultCredentialName}`,
    async unlock() {
      const key = await readCredential(options.credentialsDirectory)
      try {
        const { checkValue } = await readOrCreateVaultFile(options.file, 'systemd-credential', async () => ({
          version: 1,
          kind: 'systemd-credential',
          checkValue: key.checkValue(),
        }))
        if (!key.matches(checkValue)) throw otherKey()
        return key
      } catch (error) {
        key.destroy()
        throw error
      }
    },
  }
}

async function readCredential(directory: string | undefined): Promise<KeyEncryptionKey> {
  if (directory === undefined) throw locked('CREDENTIALS_DIRECTORY is not set: add LoadCredential= to the unit')
  const bytes = await readFile(join(directory, vaultCredentialName)).catch((error: unknown) => {
    throw locked(`the systemd credential ${vaultCredentialName} cannot be read`, error)
  })
  try {
    return new KeyEncryptionKey(decode(bytes))
  } finally {
    bytes.fill(0)
  }
}

function decode(bytes: Buffer): Buffer {
  if (bytes.length === keySizeBytes) return bytes
  const text = bytes.toString('latin1').trim()
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex')
  throw locked(`the systemd credential ${vaultCredentialName} must be 32 bytes or 64 hexadecimal digits`)
}

function locked(message: string, cause?: unknown): AppError {
  return new AppError('VAULT_LOCKED', message, { cause })
}

function otherKey(): AppError {
  return new AppError(
    'VAULT_TAMPERED',
    `the systemd credential ${vaultCredentialName} is not the key this home was made with`,
  )
}
