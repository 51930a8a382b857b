import { z } from 'zod'
import { Digest, EpochMs, PlanId } from './ids.ts'
import { DirectoryPath, DisplayName } from './text.ts'

/** An rsync filter pattern; given by value, never as an option. */
const ExcludePattern = z
  .string()
  .min(1, 'an exclude pattern is not empty')
  .max(1024)
  .refine((text) => !/[\u0000\n\r]/.test(text), 'an exclude pattern holds no line break')

/** One direction of a tree plan. Only directories are synced, never single files (S0.69). */
const Leg = z.strictObject({
  /** Directory on the sending side; its content is sent, not the directory itself. */
  source: DirectoryPath,
  /** Directory on the receiving side. */
  target: DirectoryPath,
})

/** What "verified" means for a tree: all files hashed on the node, or a sample of them. */
export const TreeVerify = z.discriminatedUnion('mode', [
  z.strictObject({ mode: z.literal('full') }),
  z.strictObject({ mode: z.literal('sample'), files: z.number().int().min(1).max(100_000) }),
])
export type TreeVerify = z.infer<typeof TreeVerify>

/** When a push that deletes must stop and ask (F76, N9). */
export const DeleteLimits = z.strictObject({
  /** Share of the files on the node, 0 to 1, above which the run halts. */
  maxShare: z.number().min(0).max(1).default(0.25),
  /** Up to this many deletes never halt, whatever their share. */
  freeFiles: z.number().int().nonnegative().default(10),
})
export type DeleteLimits = z.infer<typeof DeleteLimits>

/**
 * A directory tree, pushed to the node and, in the state after it, pulled back (S0.68, S0.72). In the local
 * directory of a pull `{node}` stands for the node's name, so that nodes do not overwrite each other.
 */
export const TreeSpec = z
  .strictObject({
    push: Leg.nullable().default(null),
    pull: Leg.nullable().default(null),
    /** Remove files on the receiving side that the source does not have. */
    delete: z.boolean().default(false),
    excludes: z.array(ExcludePattern).max(1000).default([]),
    verify: TreeVerify.default({ mode: 'sample', files: 200 }),
    deleteLimits: DeleteLimits.default({ maxShare: 0.25, freeFiles: 10 }),
    /** Bandwidth limit in KiB/s; null for none. */
    bandwidthKiBps: z.number().int().positive().nullable().default(null),
  })
  .refine((spec) => spec.push !== null || spec.pull !== null, { message: 'a tree plan needs push, pull or both' })
export type TreeSpec = z.infer<typeof TreeSpec>

/** What an operator writes; `kind` decides the shape of `spec`. */
export const PlanInput = z.discriminatedUnion('kind', [
  z.strictObject({
    name: DisplayName,
    kind: z.literal('tree'),
    /** Which nodes, in the filter language of the map, e.g. `kind:vps and not label.stage:test`. */
    selector: z.string().max(2000),
    spec: TreeSpec,
  }),
])
export type PlanInput = z.infer<typeof PlanInput>

export const Plan = z.object({
  id: PlanId,
  name: z.string(),
  kind: z.literal('tree'),
  selector: z.string(),
  spec: TreeSpec,
  /** Grows by one with every change of what is delivered or to whom. */
  revision: z.number().int().positive(),
  /** Of the canonical form of kind, selector and spec. */
  digest: Digest,
  createdAt: EpochMs,
  updatedAt: EpochMs,
})
export type Plan = z.infer<typeof Plan>
