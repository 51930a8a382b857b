import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { canonicalJson } from '../../core/canonicalJson.ts'
import { readJson, writeFileAtomic } from '../../platform/atomicFile.ts'
import type { KeyVault } from '../../platform/keyVault/keyVaultPort.ts'
import { AppError } from '../../shared/errors.ts'
import { StepCaSettings } from '../../shared/model/stepCa.ts'
import { seal, unseal } from './sealing.ts'

const TrustedKeys = z.array(z.object({ fingerprint: z.string(), publicKey: z.string() }))

/** What lies in `keys/step-ca.json`. Settings and keys are bound to the sealed password: changing them voids it. */
const StepCaFile = z.strictObject({
  version: z.literal(1),
  kind: z.literal('step-ca'),
  settings: StepCaSettings,
  /** Its SSH user authorities when it was set up: what nodes are told to trust. */
  userKeys: TrustedKeys,
  active: z.boolean(),
  sealedBy: z.string(),
  sealedPassword: z.base64(),
})
export type StoredStepCa = z.infer<typeof StepCaFile>

/** The one step-ca that is set up, with the password of its provisioner sealed. */
export interface StepCaStorage {
  /** Null: none is set up. @throws AppError VAULT_TAMPERED */
  read(): Promise<StoredStepCa | null>
  /** What was read or written last; null before that. */
  held(): StoredStepCa | null
  save(content: Pick<StoredStepCa, 'settings' | 'userKeys' | 'active'>, password: string): Promise<StoredStepCa>
  setActive(stored: StoredStepCa, active: boolean): Promise<StoredStepCa>
  /** @throws AppError VAULT_TAMPERED when settings or keys are not those it was sealed with */
  password(stored: StoredStepCa): Promise<string>
  remove(): Promise<void>
}

export function stepCaStorage(keysDirectory: string, vault: KeyVault): StepCaStorage {
  const path = join(keysDirectory, 'step-ca.json')
  /** Read once: nobody but this process changes it. */
  let held: StoredStepCa | null | undefined
  const write = async (file: StoredStepCa): Promise<StoredStepCa> => {
    await writeFileAtomic(path, `${JSON.stringify(file, null, 2)}\n`)
    held = file
    return file
  }
  return {
    read: async () => {
      held ??= await readFileOf(path)
      return held
    },
    held: () => held ?? null,
    save: async (content, password) => {
      const sealedPassword = await seal(vault, Buffer.from(password, 'utf8'), contextOf(content))
      return write({ version: 1, kind: 'step-ca', ...content, sealedBy: vault.describe(), sealedPassword })
    },
    setActive: (stored, active) => write({ ...stored, active }),
    password: async (stored) => (await unseal(vault, stored.sealedPassword, contextOf(stored))).toString('utf8'),
    remove: async () => {
      await rm(path, { force: true })
      held = null
    },
  }
}

async function readFileOf(path: string): Promise<StoredStepCa | null> {
  const file = await readJson(path, StepCaFile).catch((error: unknown) => {
    if (!(error instanceof AppError) || error.code !== 'INVALID_INPUT') throw error
    throw new AppError(
      'VAULT_TAMPERED',
      `The settings of the step-ca are damaged. Restore ${path} from a backup, or remove it and set the step-ca up again. (${error.message})`,
      { data: { path }, cause: error },
    )
  })
  return file ?? null
}

function contextOf({ settings, userKeys }: Pick<StoredStepCa, 'settings' | 'userKeys'>): string {
  return `step-ca/${createHash('sha256').update(canonicalJson({ settings, userKeys })).digest('hex')}`
}
