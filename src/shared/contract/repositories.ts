import { z } from 'zod'
import { BatchId, EpochMs, IdempotencyKey, PlanId } from '../model/ids.ts'
import { NodeInput } from '../model/node.ts'
import { PlanInput } from '../model/plan.ts'
import {
  AllowedFinding,
  Commit,
  CommitHash,
  FindingHash,
  Repository,
  RepositoryInput,
  RepositoryTarget,
  ScanReport,
  SentinelReading,
  SyncPreview,
  WantedRef,
} from '../model/repository.ts'
import { Run } from '../model/run.ts'
import { procedure } from './base.ts'
import { NodeReference } from './nodes.ts'
import { PlanReference } from './plans.ts'
import { PushTargets } from './runs.ts'

/** A repository by id or by name. */
export const RepositoryReference = z.string().min(1).max(255)

const Token = z.string().min(1).max(4096)

/** What a configuration of the sources (`repository`, `vms`, `remote_execution`) comes to here. */
export const RepositoryImport = z.object({
  repository: RepositoryInput,
  nodes: z.array(NodeInput),
  plans: z.array(PlanInput),
  /** What was left aside or means something else here, with the reason. */
  notes: z.array(z.string()),
})
export type RepositoryImport = z.infer<typeof RepositoryImport>

export const repositoriesContract = {
  list: procedure.output(z.array(Repository)),
  get: procedure.input(z.object({ repository: RepositoryReference })).output(Repository),
  /** Registers it; nothing is fetched until `refresh` or `sync`. `token` goes into the vault and never comes back. */
  add: procedure.input(z.object({ repository: RepositoryInput, token: Token.optional() })).output(Repository),
  /** `token`: a new one; null takes the old one away; absent keeps it. */
  change: procedure
    .input(
      z.object({
        repository: RepositoryReference,
        settings: RepositoryInput,
        token: Token.nullable().optional(),
      }),
    )
    .output(Repository),
  /** Refused while a plan delivers from it. The checkout is never touched. */
  remove: procedure.input(z.object({ repository: RepositoryReference })).output(z.object({ id: z.string() })),
  /** Reads a configuration in the sources' form, YAML or JSON (S2.18-26, S2.28-31); with `apply` it is taken over. */
  import: procedure
    .input(
      z.object({
        text: z.string().max(4_194_304),
        name: z.string().max(255).default('main'),
        apply: z.boolean().default(false),
      }),
    )
    .output(RepositoryImport),
  /** Fetches, and pulls the checkout forward where there is one (S2.10). With `force` its branch is reset (D18). */
  refresh: procedure
    .input(z.object({ repository: RepositoryReference, force: z.boolean().default(false) }))
    .output(Repository),
  /** Of a branch, tag or commit, newest first; `after`: those before this commit. */
  commits: procedure
    .input(
      z.object({
        repository: RepositoryReference,
        ref: WantedRef.default({ kind: 'branch', name: null }),
        after: CommitHash.optional(),
        limit: z.int().min(1).max(500).default(50),
      }),
    )
    .output(z.array(Commit)),
  /** Every node of every plan that delivers from it. */
  targets: procedure.input(z.object({ repository: RepositoryReference })).output(z.array(RepositoryTarget)),
  /**
   * Fetches, scans once, and begins a run for each target (S2.12-14). `branch` has to be the one the plans follow; `force`:
   * the checkout is reset and the tree sent also where the sentinel agrees; the scan is never left out (D18).
   */
  sync: procedure
    .input(
      z.object({
        idempotencyKey: IdempotencyKey,
        repository: RepositoryReference,
        plans: z.array(PlanReference).default([]),
        targets: PushTargets.default({ kind: 'all' }),
        force: z.boolean().default(false),
      }),
    )
    .output(z.object({ batchId: BatchId, commits: z.record(PlanId, CommitHash), runs: z.array(Run) })),
  /** Makes a plan want another branch, tag or commit, and brings it: "deploy this one", and back to the branch. */
  deploy: procedure
    .input(z.object({ idempotencyKey: IdempotencyKey, plan: PlanReference, ref: WantedRef }))
    .output(z.object({ batchId: BatchId, runs: z.array(Run) })),
  /** The commit that most of its nodes had before this one, as `deploy`. @throws PRECONDITION_FAILED when there is none */
  rollback: procedure
    .input(z.object({ idempotencyKey: IdempotencyKey, plan: PlanReference }))
    .output(z.object({ batchId: BatchId, commit: CommitHash, runs: z.array(Run) })),
  /** Reads the sentinels now; `expected` instead of what each plan wants (S2.16). What differs becomes drift. */
  verify: procedure
    .input(
      z.object({
        repository: RepositoryReference,
        expected: CommitHash.optional(),
        plans: z.array(PlanReference).default([]),
        nodes: z.array(NodeReference).default([]),
      }),
    )
    .output(z.array(SentinelReading)),
  /** A dry run against one node. */
  preview: procedure.input(z.object({ plan: PlanReference, node: NodeReference })).output(SyncPreview),
  /** The newest report; null: never scanned. */
  findings: procedure.input(z.object({ repository: RepositoryReference })).output(ScanReport.nullable()),
  /** Scans a commit now; null: what the default branch has. */
  scan: procedure
    .input(z.object({ repository: RepositoryReference, commit: CommitHash.nullable().default(null) }))
    .output(ScanReport),
  allowed: procedure.input(z.object({ repository: RepositoryReference })).output(z.array(AllowedFinding)),
  /** Takes the blame for a finding of the newest report, with a reason. */
  allow: procedure
    .input(
      z.object({
        repository: RepositoryReference,
        hash: FindingHash,
        reason: z.string().trim().min(3, 'say why, in a few words').max(500),
        expiresAt: EpochMs.nullable().default(null),
      }),
    )
    .output(AllowedFinding),
  disallow: procedure
    .input(z.object({ repository: RepositoryReference, hash: FindingHash }))
    .output(z.object({ hash: FindingHash })),
}
