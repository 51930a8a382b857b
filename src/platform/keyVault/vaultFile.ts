import { createHash } from 'node:crypto'
import { z } from 'zod'
import { AppError } from '../../shared/errors.ts'
import { createFileAtomic, readJson, writeFileAtomic } from '../atomicFile.ts'

const base64 = z.base64()

/** Upper bounds keep a changed file from costing gigabytes before it is found out. */
export const ScryptParameters = z.strictObject({
  name: z.literal('scrypt'),
  cost: z
    .number()
    .int()
    .min(2)
    .max(2 ** 20)
    .refine((value) => (value & (value - 1)) === 0, 'must be a power of two'),
  blockSize: z.number().int().min(1).max(32),
  parallelization: z.number().int().min(1).max(16),
  salt: base64,
})
export type ScryptParameters = z.infer<typeof ScryptParameters>

const PassphraseContent = z.strictObject({
  version: z.literal(1),
  kind: z.literal('passphrase'),
  derivation: ScryptParameters,
  /** Tells a wrong passphrase from a changed file. */
  verifier: base64,
  sealedKey: base64,
})
const SafeStorageContent = z.strictObject({
  version: z.literal(1),
  kind: z.literal('safe-storage'),
  encryptedKey: base64,
  checkValue: base64,
})
const CredentialContent = z.strictObject({
  version: z.literal(1),
  kind: z.literal('systemd-credential'),
  checkValue: base64,
})

/** What a home remembers about its key: never the key itself, and nothing that opens it without another secret. */
export const VaultContent = z.discriminatedUnion('kind', [PassphraseContent, SafeStorageContent, CredentialContent])
export type VaultContent = z.infer<typeof VaultContent>
export type PassphraseContent = z.infer<typeof PassphraseContent>

/** The digest finds accidents (a bad disk, a careless edit); against an attacker the keyed values inside stand. */
const VaultFile = z.strictObject({ content: z.unknown(), digest: z.string() })

function digestOf(content: unknown): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('base64')
}

function serialize(content: VaultContent): string {
  return `${JSON.stringify({ content, digest: digestOf(content) }, null, 2)}\n`
}

/** @throws AppError VAULT_TAMPERED when the file is there but not as we wrote it */
export async function readVaultFile(path: string): Promise<VaultContent | undefined> {
  try {
    const file = await readJson(path, VaultFile)
    if (file === undefined) return undefined
    if (file.digest !== digestOf(file.content)) throw tampered(path)
    return VaultContent.parse(file.content)
  } catch (error) {
    if (error instanceof z.ZodError || (error instanceof AppError && error.code === 'INVALID_INPUT'))
      throw tampered(path)
    throw error
  }
}

function tampered(path: string): AppError {
  return new AppError(
    'VAULT_TAMPERED',
    `${path} was changed or damaged: restore it from a backup. Nothing was deleted.`,
    {
      data: { path },
    },
  )
}

/**
 * Reads the content of one kind, or makes it when the home has none yet; of two processes that make it at once, one
 * wins and both read the winner's.
 *
 * @throws AppError VAULT_BACKEND_REFUSED when the home was made with another kind of vault
 */
export async function readOrCreateVaultFile<K extends VaultContent['kind']>(
  path: string,
  kind: K,
  create: () => Promise<Extract<VaultContent, { kind: K }>>,
): Promise<Extract<VaultContent, { kind: K }>> {
  const existing = await readVaultFile(path)
  if (existing !== undefined) return requireKind(existing, kind, path)
  const created = await create()
  if (await createFileAtomic(path, serialize(created), { mode: 0o600 })) return created
  const winner = await readVaultFile(path)
  if (winner === undefined) throw tampered(path)
  return requireKind(winner, kind, path)
}

function requireKind<K extends VaultContent['kind']>(
  content: VaultContent,
  kind: K,
  path: string,
): Extract<VaultContent, { kind: K }> {
  if (content.kind === kind) return content as Extract<VaultContent, { kind: K }>
  throw new AppError(
    'VAULT_BACKEND_REFUSED',
    `the keys of this home are protected by "${content.kind}", not by "${kind}": unlock them that way`,
    { data: { path, expected: content.kind, given: kind } },
  )
}

/** Replaces the content of an existing vault, for a change of passphrase. */
export function replaceVaultFile(path: string, content: VaultContent): Promise<void> {
  return writeFileAtomic(path, serialize(content), { mode: 0o600 })
}

/** Which kind of vault made this home; undefined in a new home. */
export async function readVaultKind(path: string): Promise<VaultContent['kind'] | undefined> {
  return (await readVaultFile(path))?.kind
}
