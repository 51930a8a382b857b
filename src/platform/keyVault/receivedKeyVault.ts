import { KeyEncryptionKey } from './keyEncryptionKey.ts'
import type { KeyVault } from './keyVaultPort.ts'

/**
 * A key that another process has already unsealed and handed over (desktop main to engine), or a test's own.
 * Takes the bytes over: the given array is wiped.
 */
export function receivedKeyVault(
  bytes: Uint8Array,
  { description = 'key received from the desktop application' }: { readonly description?: string } = {},
): KeyVault {
  const key = new KeyEncryptionKey(bytes)
  bytes.fill(0)
  return {
    kind: 'memory',
    describe: () => description,
    async unlock() {
      const copy = key.copyForHandover()
      const unlocked = new KeyEncryptionKey(copy)
      copy.fill(0)
      return unlocked
    },
  }
}
