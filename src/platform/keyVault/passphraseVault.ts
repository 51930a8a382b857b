import { createHmac, randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto'
import { existsSync } from 'node:fs'
import { AppError } from '../../shared/errors.ts'
import { KeyEncryptionKey, keySizeBytes } from './keyEncryptionKey.ts'
import type { KeyVault } from './keyVaultPort.ts'
import {
  type PassphraseContent,
  readOrCreateVaultFile,
  readVaultFile,
  replaceVaultFile,
  type ScryptParameters,
} from './vaultFile.ts'

export const shortestPassphraseLength = 8
const sealContext = 'vault/passphrase'

interface ScryptCost {
  readonly cost: number
  readonly blockSize: number
  readonly parallelization: number
}

/** 128 MiB and about a third of a second for each guess. */
const defaultScryptCost: ScryptCost = { cost: 2 ** 17, blockSize: 8, parallelization: 1 }

export interface PassphraseVaultOptions {
  /** `keys/vault.json` */
  readonly file: string
  /** Asked on each unlock; `create` means that a new passphrase is being chosen. */
  readonly passphrase: (purpose: 'create' | 'unlock') => Promise<string>
  /** For new files; an existing one brings its own. */
  readonly scryptCost?: ScryptCost
}

export interface PassphraseVault extends KeyVault {
  /**
   * Seals the same key under another passphrase: nothing else in the home changes.
   *
   * @throws AppError VAULT_PASSPHRASE_WRONG, INVALID_INPUT (new one too short), NOT_FOUND (no vault yet)
   */
  changePassphrase(current: string, next: string): Promise<void>
}

export function createPassphraseVault(options: PassphraseVaultOptions): PassphraseVault {
  const { file, passphrase, scryptCost = defaultScryptCost } = options
  return {
    kind: 'passphrase',
    describe: () => 'passphrase (scrypt, AES-256-GCM)',
    isNew: () => !existsSync(file),
    async unlock() {
      let entered: string | undefined
      const content = await readOrCreateVaultFile(file, 'passphrase', async () => {
        entered = await passphrase('create')
        const key = KeyEncryptionKey.generate()
        return sealUnder(key, entered, scryptCost).finally(() => key.destroy())
      })
      return openWith(content, entered ?? (await passphrase('unlock')))
    },
    async changePassphrase(current, next) {
      const content = await readVaultFile(file)
      if (content?.kind !== 'passphrase') throw new AppError('NOT_FOUND', `${file} holds no passphrase vault`)
      const key = await openWith(content, current)
      await replaceVaultFile(file, await sealUnder(key, next, scryptCost).finally(() => key.destroy()))
    },
  }
}

async function sealUnder(key: KeyEncryptionKey, passphrase: string, cost: ScryptCost): Promise<PassphraseContent> {
  if (passphrase.length < shortestPassphraseLength) {
    throw new AppError('INVALID_INPUT', `the passphrase needs at least ${shortestPassphraseLength} characters`)
  }
  const derivation: ScryptParameters = { name: 'scrypt', ...cost, salt: randomBytes(16).toString('base64') }
  const { wrappingKey, verifier } = await derive(passphrase, derivation)
  const bytes = key.copyForHandover()
  try {
    const sealedKey = wrappingKey.seal(bytes, sealContext).toString('base64')
    return { version: 1, kind: 'passphrase', derivation, verifier, sealedKey }
  } finally {
    bytes.fill(0)
    wrappingKey.destroy()
  }
}

async function openWith(content: PassphraseContent, passphrase: string): Promise<KeyEncryptionKey> {
  const { wrappingKey, verifier } = await derive(passphrase, content.derivation)
  try {
    if (!equal(verifier, content.verifier)) throw new AppError('VAULT_PASSPHRASE_WRONG', 'the passphrase is wrong')
    const bytes = wrappingKey.open(Buffer.from(content.sealedKey, 'base64'), sealContext)
    const key = new KeyEncryptionKey(bytes)
    bytes.fill(0)
    return key
  } finally {
    wrappingKey.destroy()
  }
}

/** Half of the derived bytes wraps the key, the other half proves the passphrase: neither tells about the other. */
async function derive(
  passphrase: string,
  { cost, blockSize, parallelization, salt }: ScryptParameters,
): Promise<{ wrappingKey: KeyEncryptionKey; verifier: string }> {
  // Keyboards and systems differ in how they compose an accent.
  const derived = await scryptAsync(passphrase.normalize('NFC'), Buffer.from(salt, 'base64'), {
    N: cost,
    r: blockSize,
    p: parallelization,
    maxmem: 256 * cost * blockSize + 1024 * 1024,
  })
  const wrappingKey = new KeyEncryptionKey(derived.subarray(0, keySizeBytes))
  const verifier = createHmac('sha256', derived.subarray(keySizeBytes)).update('lockstep passphrase').digest('base64')
  derived.fill(0)
  return { wrappingKey, verifier }
}

function scryptAsync(passphrase: string, salt: Buffer, options: ScryptOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(passphrase, salt, 2 * keySizeBytes, options, (error, derived) =>
      error === null ? resolve(derived) : reject(error),
    )
  })
}

function equal(left: string, right: string): boolean {
  const leftBytes = Buffer.from(left)
  const rightBytes = Buffer.from(right)
  return leftBytes.length === rightBytes.length && timingSafeEqual(leftBytes, rightBytes)
}
