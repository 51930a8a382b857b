import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { createFileAtomic, readJson, writeFileAtomic } from '../../platform/atomicFile.ts'
import type { Clock } from '../../platform/clock.ts'
import type { KeyVault } from '../../platform/keyVault/keyVaultPort.ts'
import {
  type CertificateContent,
  certificateSigner,
  type DecodedCertificate,
  encodeCertificate,
  verifyCertificate,
} from '../../platform/openssh/certificate.ts'
import {
  ed25519Blob,
  fingerprintOf,
  formatPublicKeyLine,
  parsePublicKeyLine,
} from '../../platform/openssh/publicKey.ts'
import { AppError } from '../../shared/errors.ts'
import type { Authority } from '../../shared/model/certificate.ts'
import type { Store } from '../ports.ts'

const keyFileName = 'user-ca.json'
const publicFileName = 'trusted_user_ca.pub'
const keyComment = 'lockstep-user-ca'

/** What lies in `keys/user-ca.json`. The public half is bound to the sealed one by the seal's context. */
const KeyFile = z.strictObject({
  version: z.literal(1),
  kind: z.literal('ssh-user'),
  publicKey: z.string(),
  createdAt: z.number().int(),
  sealedBy: z.string(),
  sealedKey: z.base64(),
})
type KeyFile = z.infer<typeof KeyFile>

/** The authority with its key in memory. The key signs certificates and cannot be taken out. */
export interface UnlockedAuthority {
  readonly publicBlob: Buffer
  readonly fingerprint: string
  sign(content: CertificateContent): Buffer
  /** True when this authority signed it. */
  verify(certificate: DecodedCertificate): boolean
}

export interface UserAuthority {
  /** Creates the authority on first use. */
  describe(): Promise<Authority>
  /**
   * @throws AppError VAULT_* when the key cannot be unsealed, VAULT_TAMPERED when the key file is damaged or gone
   */
  unlock(): Promise<UnlockedAuthority>
}

interface AuthorityDependencies {
  /** The home's `keys` directory, 0700. */
  readonly keysDirectory: string
  readonly vault: KeyVault
  readonly clock: Pick<Clock, 'nowMs'>
  /** For the audit row of the creation. */
  readonly store: Pick<Store, 'transact'>
}

/**
 * The embedded SSH user authority (S0.16). Made once, never replaced: when its key file is gone but the public key
 * was handed out, it refuses instead of making a second authority that no node trusts.
 */
export function createUserAuthority(dependencies: AuthorityDependencies): UserAuthority {
  let loading: Promise<{ readonly unlocked: UnlockedAuthority; readonly description: Authority }> | undefined

  const load = (): NonNullable<typeof loading> => {
    loading ??= loadOrCreate(dependencies).catch((error: unknown) => {
      loading = undefined
      throw error
    })
    return loading
  }
  return {
    describe: async () => (await load()).description,
    unlock: async () => (await load()).unlocked,
  }
}

async function loadOrCreate(
  dependencies: AuthorityDependencies,
): Promise<{ unlocked: UnlockedAuthority; description: Authority }> {
  const file = (await readKeyFile(dependencies)) ?? (await createKeyFile(dependencies))
  const privateKey = await unseal(dependencies.vault, file)
  const unlocked = unlockedAuthority(privateKey)
  await exportPublicKey(dependencies.keysDirectory, file.publicKey)
  const { publicKey, createdAt, sealedBy } = file
  return {
    unlocked,
    description: {
      kind: 'ssh-user',
      fingerprint: unlocked.fingerprint,
      publicKey,
      createdAt,
      sealedBy,
      validBefore: null,
      rotation: null,
    },
  }
}

function unlockedAuthority(privateKey: KeyObject): UnlockedAuthority {
  const signer = certificateSigner(privateKey)
  const publicKey = createPublicKey(privateKey)
  return {
    publicBlob: signer.publicBlob,
    fingerprint: fingerprintOf(signer.publicBlob),
    sign: (content) => encodeCertificate(content, signer),
    verify: (certificate) =>
      Buffer.compare(certificate.signerBlob, signer.publicBlob) === 0 && verifyCertificate(certificate, publicKey),
  }
}

async function readKeyFile({ keysDirectory }: AuthorityDependencies): Promise<KeyFile | undefined> {
  const path = join(keysDirectory, keyFileName)
  const file = await readJson(path, KeyFile).catch((error: unknown) => {
    if (error instanceof AppError && error.code === 'INVALID_INPUT') throw damaged(path, error)
    throw error
  })
  if (file === undefined && (await exists(join(keysDirectory, publicFileName)))) throw missing(path)
  return file
}

function damaged(path: string, reason: AppError): AppError {
  return new AppError(
    'VAULT_TAMPERED',
    `The key file of the user authority is damaged. Restore ${path} from a backup. (${reason.message})`,
    { data: { path }, cause: reason },
  )
}

function missing(path: string): AppError {
  return new AppError(
    'VAULT_TAMPERED',
    `The key file of the user authority is gone, although its public key was handed out. Restore ${path} from a backup. To start over with a new authority that no node trusts yet, remove ${publicFileName} beside it.`,
    { data: { path } },
  )
}

/** Never over an existing file: of two engines that start at once, both use what the first one wrote. */
async function createKeyFile(dependencies: AuthorityDependencies): Promise<KeyFile> {
  const { keysDirectory, vault } = dependencies
  const { privateKey } = generateKeyPairSync('ed25519')
  const publicBlob = ed25519Blob(privateKey)
  const file: KeyFile = {
    version: 1,
    kind: 'ssh-user',
    publicKey: formatPublicKeyLine(publicBlob, keyComment),
    createdAt: dependencies.clock.nowMs(),
    sealedBy: vault.describe(),
    sealedKey: await seal(vault, privateKey, publicBlob),
  }
  await auditCreation(dependencies, file, publicBlob)
  const path = join(keysDirectory, keyFileName)
  if (await createFileAtomic(path, `${JSON.stringify(file, null, 2)}\n`)) return file
  return (await readJson(path, KeyFile)) ?? file
}

async function auditCreation({ store }: AuthorityDependencies, file: KeyFile, publicBlob: Buffer): Promise<void> {
  const detail = { kind: file.kind, publicKey: file.publicKey, sealedBy: file.sealedBy }
  await store.transact((transaction) =>
    transaction.appendAudit([
      { at: file.createdAt, actor: 'engine', action: 'authority.create', subject: fingerprintOf(publicBlob), detail },
    ]),
  )
}

const sealContext = (publicBlob: Buffer): string => `ca/ssh-user/${fingerprintOf(publicBlob)}`

async function seal(vault: KeyVault, privateKey: KeyObject, publicBlob: Buffer): Promise<string> {
  const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' })
  const key = await vault.unlock()
  try {
    return key.seal(pkcs8, sealContext(publicBlob)).toString('base64')
  } finally {
    key.destroy()
    pkcs8.fill(0)
  }
}

async function unseal(vault: KeyVault, file: KeyFile): Promise<KeyObject> {
  const publicBlob = publicBlobOf(file)
  const key = await vault.unlock()
  const pkcs8 = openAndDestroy(key, file, publicBlob)
  try {
    const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
    if (Buffer.compare(ed25519Blob(privateKey), publicBlob) === 0) return privateKey
  } catch {
    // What OpenSSL says about the bytes of a private key is nobody's business.
  } finally {
    pkcs8.fill(0)
  }
  throw new AppError(
    'VAULT_TAMPERED',
    'The sealed key of the user authority does not belong to its public key. Restore it from a backup.',
  )
}

function openAndDestroy(key: Awaited<ReturnType<KeyVault['unlock']>>, file: KeyFile, publicBlob: Buffer): Buffer {
  try {
    return key.open(Buffer.from(file.sealedKey, 'base64'), sealContext(publicBlob))
  } finally {
    key.destroy()
  }
}

function publicBlobOf(file: KeyFile): Buffer {
  try {
    return parsePublicKeyLine(file.publicKey).blob
  } catch (error) {
    throw new AppError(
      'VAULT_TAMPERED',
      'The public key of the user authority cannot be read. Restore the key file from a backup.',
      { cause: error },
    )
  }
}

/** The line for `TrustedUserCAKeys` on every node (S0.17, S0.18). */
async function exportPublicKey(keysDirectory: string, publicKey: string): Promise<void> {
  await writeFileAtomic(join(keysDirectory, publicFileName), `${publicKey}\n`, { mode: 0o644 })
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
