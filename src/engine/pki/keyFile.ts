import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { createFileAtomic, readJson, writeFileAtomic } from '../../platform/atomicFile.ts'
import { AppError } from '../../shared/errors.ts'
import { AuthorityKind } from '../../shared/model/certificate.ts'
import type { KeyFormat } from './keyFormats.ts'

/** One key of an authority. The public half is bound to the sealed one by the seal's context. */
const StoredKey = z.strictObject({
  publicKey: z.string(),
  createdAt: z.number().int(),
  sealedBy: z.string(),
  sealedKey: z.base64(),
})
export type StoredKey = z.infer<typeof StoredKey>

const head = { kind: AuthorityKind }
/** Version 1 holds one key, version 2 several while one takes the place of another. */
const KeyFile = z.discriminatedUnion('version', [
  z.strictObject({ version: z.literal(1), ...head, ...StoredKey.shape }),
  z.strictObject({ version: z.literal(2), ...head, generations: z.array(StoredKey).min(2).max(8) }),
])
type KeyFile = z.infer<typeof KeyFile>

/** The file in which the keys of one authority lie sealed, oldest first. Replaced whole or not at all. */
export interface KeyFileAccess {
  readonly path: string
  /** @returns undefined when there is none. @throws AppError VAULT_TAMPERED when it cannot be read */
  read(): Promise<readonly StoredKey[] | undefined>
  /** Never over an existing file. @returns what lies there now */
  create(key: StoredKey): Promise<readonly StoredKey[]>
  replace(keys: readonly StoredKey[]): Promise<void>
  /** True when its public half was handed out. */
  wasHandedOut(): Promise<boolean>
  /** Replaces what is handed out. Readable by everybody, changeable by nobody else (S0.13). */
  handOut(content: string): Promise<void>
}

export function keyFileAccess(keysDirectory: string, format: KeyFormat): KeyFileAccess {
  const path = join(keysDirectory, format.keyFileName)
  const publicPath = join(keysDirectory, format.publicFileName)
  const read = async (): Promise<readonly StoredKey[] | undefined> => {
    const file = await readJson(path, KeyFile).catch((error: unknown) => {
      if (error instanceof AppError && error.code === 'INVALID_INPUT') throw damaged(format, path, error.message)
      throw error
    })
    if (file !== undefined && file.kind !== format.kind)
      throw damaged(format, path, `it holds the key of another authority (${file.kind})`)
    return file === undefined ? undefined : keysOf(file)
  }
  return {
    path,
    read,
    create: async (key) => {
      if (await createFileAtomic(path, textOf(format, [key]))) return [key]
      return (await read()) ?? [key]
    },
    replace: (keys) => writeFileAtomic(path, textOf(format, keys)),
    wasHandedOut: () =>
      access(publicPath).then(
        () => true,
        () => false,
      ),
    handOut: (content) => writeFileAtomic(publicPath, content, { mode: 0o644 }),
  }
}

function keysOf(file: KeyFile): readonly StoredKey[] {
  if (file.version === 2) return file.generations
  const { publicKey, createdAt, sealedBy, sealedKey } = file
  return [{ publicKey, createdAt, sealedBy, sealedKey }]
}

function textOf({ kind }: KeyFormat, keys: readonly StoredKey[]): string {
  const [only] = keys
  const file: KeyFile =
    keys.length === 1 && only !== undefined
      ? { version: 1, kind, ...only }
      : { version: 2, kind, generations: [...keys] }
  return `${JSON.stringify(file, null, 2)}\n`
}

export function damaged(format: KeyFormat, path: string, why: string): AppError {
  return new AppError(
    'VAULT_TAMPERED',
    `The key file of ${format.name} is damaged. Restore ${path} from a backup. (${why})`,
    { data: { path, authority: format.kind } },
  )
}

export function missing(format: KeyFormat, path: string): AppError {
  return new AppError(
    'VAULT_TAMPERED',
    `The key file of ${format.name} is gone, although its public key was handed out. Restore ${path} from a backup. To start over with a new authority that nobody trusts yet, remove ${format.publicFileName} beside it and create the authority anew.`,
    { data: { path, authority: format.kind } },
  )
}
