import { z } from 'zod'
import { NodeId, SourceId } from '../model/ids.ts'
import { RegistryKind, RegistryRevision } from '../model/registry.ts'
import { RegistrySource, SourceInput } from '../model/registrySource.ts'
import { procedure } from './base.ts'

/** Text of a registry in the sources' form; 64 MiB of letters at most. */
const RegistryText = z.string().max(67_108_864)

/** One mistake in a text, where it stands. */
export const RegistryProblem = z.object({
  /** E.g. `["demo", "port"]`. */
  path: z.array(z.union([z.string(), z.number()])),
  /** From 1. */
  line: z.int().positive(),
  column: z.int().positive(),
  message: z.string(),
})
export type RegistryProblem = z.infer<typeof RegistryProblem>

/** What one revision has that another has not. Sensitive values show as changed, never as themselves. */
export const EntryChange = z.object({
  name: z.string(),
  kind: z.enum(['added', 'removed', 'changed']),
  /** Changed fields with both values as JSON text; null where there was none. */
  fields: z.array(z.object({ field: z.string(), before: z.string().nullable(), after: z.string().nullable() })),
})
export type EntryChange = z.infer<typeof EntryChange>

/** What a change does to nodes: those that get the same new text are one group. */
export const EffectGroup = z.object({
  planId: z.string(),
  planName: z.string(),
  kind: z.enum(['routes', 'hosts']),
  nodeIds: z.array(NodeId),
  /** What lies there after a run of the older, and of the newer revision. */
  before: z.string(),
  after: z.string(),
})
export type EffectGroup = z.infer<typeof EffectGroup>

/** Changes of fleet nodes that a node registry asks for. */
export const FleetEffect = z.object({
  name: z.string(),
  kind: z.enum(['added', 'changed', 'missing']),
  detail: z.string(),
})
export type FleetEffect = z.infer<typeof FleetEffect>

/** A clash of two savers, entry by entry; `null` stands for "not there". Entry texts are JSON in the sources' form. */
export const MergeConflict = z.object({
  name: z.string(),
  base: z.string().nullable(),
  ours: z.string().nullable(),
  theirs: z.string().nullable(),
})
export type MergeConflict = z.infer<typeof MergeConflict>

export const RegistryCheck = z.discriminatedUnion('status', [
  z.object({ status: z.literal('invalid'), problems: z.array(RegistryProblem) }),
  z.object({
    status: z.literal('valid'),
    entries: z.int().nonnegative(),
    /** Against the newest revision. */
    changes: z.array(EntryChange),
    effects: z.array(EffectGroup),
    fleet: z.array(FleetEffect),
    warnings: z.array(z.string()),
  }),
])
export type RegistryCheck = z.infer<typeof RegistryCheck>

export const RegistrySave = z.discriminatedUnion('status', [
  z.object({ status: z.literal('saved'), revision: RegistryRevision }),
  /** It says the same as the newest revision: nothing was written. */
  z.object({ status: z.literal('unchanged'), revision: RegistryRevision }),
  /**
   * Somebody saved after the revision this text began with. `merged` holds both changes where they do not clash, theirs
   * where they do; saving it with `baseNumber` = `current.number` settles it.
   */
  z.object({
    status: z.literal('conflict'),
    current: RegistryRevision,
    merged: z.string(),
    conflicts: z.array(MergeConflict),
  }),
])
export type RegistrySave = z.infer<typeof RegistrySave>

/** What one source brought: these entries are changed there, and refused here. */
export const SourceEntries = z.object({ sourceId: SourceId, source: z.string(), entries: z.array(z.string()) })
export type SourceEntries = z.infer<typeof SourceEntries>

export const registryContract = {
  /**
   * A revision with its text; the newest when no number is given, null when there is none yet. Sensitive values are
   * envelopes (`{"$sealed": "…"}`), which come back unharmed when the text is saved again.
   */
  get: procedure
    .input(
      z.object({
        registry: RegistryKind,
        number: z.int().positive().optional(),
        format: z.enum(['json', 'yaml']).default('json'),
      }),
    )
    .output(z.object({ revision: RegistryRevision, text: RegistryText }).nullable()),
  /** Sources that have brought something; an entry that none of them names is the console's. */
  owners: procedure.input(z.object({ registry: RegistryKind })).output(z.array(SourceEntries)),
  /** Newest first. */
  history: procedure
    .input(
      z.object({
        registry: RegistryKind,
        before: z.int().positive().optional(),
        limit: z.int().min(1).max(500).default(100),
      }),
    )
    .output(z.array(RegistryRevision)),
  /** Reads a text as `save` would, and says what it would do. Changes nothing. */
  check: procedure.input(z.object({ registry: RegistryKind, text: RegistryText })).output(RegistryCheck),
  /** From one revision to another. */
  compare: procedure
    .input(z.object({ registry: RegistryKind, from: z.int().nonnegative(), to: z.int().positive() }))
    .output(z.object({ changes: z.array(EntryChange), effects: z.array(EffectGroup) })),
  /**
   * A new revision, JSON or YAML. `baseNumber` is the revision the text began with, 0 for none.
   * @throws REGISTRY_INVALID with every problem in `data.problems`; the old revision stays in force
   */
  save: procedure
    .input(
      z.object({
        registry: RegistryKind,
        text: RegistryText,
        baseNumber: z.int().nonnegative(),
        comment: z.string().max(500).default(''),
      }),
    )
    .output(RegistrySave),
  /** The content of an older revision again, as a new one. */
  return: procedure
    .input(z.object({ registry: RegistryKind, toNumber: z.int().positive(), comment: z.string().max(500).default('') }))
    .output(RegistryRevision),
  /** For use elsewhere. With `passphrase` sensitive values are sealed with it, without they are left out. */
  export: procedure
    .input(
      z.object({
        registry: RegistryKind,
        format: z.enum(['json', 'yaml']).default('json'),
        passphrase: z.string().min(8).max(1024).optional(),
      }),
    )
    .output(z.object({ text: RegistryText, sealedValues: z.int().nonnegative(), leftOut: z.int().nonnegative() })),
  /** Like `save`, for a text that `export` has sealed with a passphrase. */
  import: procedure
    .input(
      z.object({
        registry: RegistryKind,
        text: RegistryText,
        passphrase: z.string().max(1024).optional(),
        baseNumber: z.int().nonnegative(),
        comment: z.string().max(500).default(''),
      }),
    )
    .output(RegistrySave),
}

export const sourcesContract = {
  list: procedure.output(z.array(RegistrySource)),
  add: procedure.input(SourceInput).output(RegistrySource),
  remove: procedure.input(z.object({ id: SourceId })).output(z.object({ id: SourceId })),
  /**
   * Looks at it at once. A source that takes away all it brought, or a large part of it, is held until somebody looks with
   * `acceptRemovals`: it is more likely broken than meant.
   */
  refresh: procedure
    .input(z.object({ id: SourceId, acceptRemovals: z.boolean().default(false) }))
    .output(RegistrySource),
  /** Whether the webhook is on, and where; the secret is never shown again. */
  webhook: procedure.output(z.object({ enabled: z.boolean(), path: z.string() })),
  /** A new secret, shown once; callers sign the body with it (`X-Lockstep-Signature: sha256=…`, HMAC-SHA256). */
  enableWebhook: procedure.output(z.object({ path: z.string(), secret: z.string() })),
  disableWebhook: procedure.output(z.object({ enabled: z.literal(false) })),
}
