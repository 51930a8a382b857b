import { z } from 'zod'
import { Diagnosis } from './diagnosis.ts'
import { Digest, EpochMs } from './ids.ts'
import { LoginUser, Principal } from './text.ts'

/** How somebody still gets in when every certificate has expired (D38). */
export const BreakGlass = z.discriminatedUnion('kind', [
  /** A way around SSH that a person has tried: console, KVM, provider's rescue system. */
  z.strictObject({ kind: z.literal('console'), note: z.string().min(1).max(500) }),
  /** A second authority, kept offline, that sshd trusts too. */
  z.strictObject({ kind: z.literal('second-authority'), publicKey: z.string().min(1).max(4096) }),
])
export type BreakGlass = z.infer<typeof BreakGlass>

/** What makes a node a storage: only our certificates log in, as `user`, with these principals (S0.21-24, D4). */
export const StorageSettings = z.strictObject({
  user: LoginUser.default('sync'),
  principals: z.array(Principal).min(1).max(16).default(['sync-agent']),
  breakGlass: BreakGlass,
})
export type StorageSettings = z.infer<typeof StorageSettings>

export const StorageChange = z.object({
  path: z.string(),
  /** Unified diff, as it will be applied; empty when nothing changes. */
  diff: z.string(),
  /** True when the file does not exist yet. */
  isNew: z.boolean(),
})
export type StorageChange = z.infer<typeof StorageChange>

export const StoragePreview = z.object({
  /** What `apply` must be given: it refuses when the node has changed since. */
  digest: Digest,
  changes: z.array(StorageChange),
  /** The commands that follow, as shown to a person. */
  commands: z.array(z.string()),
  warnings: z.array(z.string()),
  /** Reasons why it cannot be applied; empty when it can. */
  blockers: z.array(Diagnosis),
  /** Everything is there already. */
  alreadyApplied: z.boolean(),
})
export type StoragePreview = z.infer<typeof StoragePreview>

/** Kept with the node once it was made a storage. */
export const StorageSetup = z.object({
  settings: StorageSettings,
  appliedAt: EpochMs,
  appliedBy: z.string(),
  /** When a fresh login under the new rules succeeded. */
  verifiedAt: EpochMs,
  /** Directory on the node that holds what was there before. */
  backupDirectory: z.string(),
})
export type StorageSetup = z.infer<typeof StorageSetup>
