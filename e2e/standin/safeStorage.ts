import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { app } from './app.ts'

/** `STANDIN_STORAGE_BACKEND` plays the desktop without a keyring: `basic_text`. */
const backend = process.env.STANDIN_STORAGE_BACKEND ?? 'gnome_libsecret'

function keyringKey(): Buffer {
  const file = join(app.getPath('userData'), 'standin-keyring')
  if (!existsSync(file)) writeFileSync(file, randomBytes(32), { mode: 0o600 })
  return readFileSync(file)
}

/** Only the calls that are not deprecated in Electron 45. */
export const safeStorage = {
  isAsyncEncryptionAvailable: async (): Promise<boolean> => true,
  getSelectedStorageBackend: (): string => backend,
  async encryptStringAsync(plainText: string): Promise<Buffer> {
    const nonce = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', keyringKey(), nonce)
    return Buffer.concat([nonce, cipher.update(plainText, 'utf8'), cipher.final(), cipher.getAuthTag()])
  },
  async decryptStringAsync(encrypted: Buffer): Promise<{ result: string; shouldReEncrypt: boolean }> {
    const decipher = createDecipheriv('aes-256-gcm', keyringKey(), encrypted.subarray(0, 12))
    decipher.setAuthTag(encrypted.subarray(-16))
    return {
      result: decipher.update(encrypted.subarray(12, -16), undefined, 'utf8') + decipher.final('utf8'),
      shouldReEncrypt: false,
    }
  },
}
