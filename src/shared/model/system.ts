import { z } from 'zod'
import { Agent } from './agent.ts'
import { EpochMs, EventSeq } from './ids.ts'
import { FleetNode } from './node.ts'
import { Plan } from './plan.ts'
import { RegistryRevision } from './registry.ts'
import { Rollout } from './rollout.ts'
import { Run } from './run.ts'

export const EngineHost = z.enum(['desktop', 'daemon', 'cli', 'test'])
export type EngineHost = z.infer<typeof EngineHost>

export const EngineStatus = z.object({
  /** New with every start: a client that sees another one knows that the engine restarted. */
  instanceId: z.string(),
  version: z.string(),
  host: EngineHost,
  pid: z.number().int(),
  home: z.string(),
  startedAt: EpochMs,
  now: EpochMs,
  vault: z.object({
    kind: z.string(),
    description: z.string(),
    unlocked: z.boolean(),
    /** True while there is no key yet: whoever opens it chooses the passphrase. */
    isNew: z.boolean().optional(),
  }),
  reconcile: z.object({ intervalMs: z.number().int(), lastAt: EpochMs.nullable(), nextAt: EpochMs.nullable() }),
  counts: z.object({ nodes: z.number().int(), runsQueued: z.number().int(), runsRunning: z.number().int() }),
})
export type EngineStatus = z.infer<typeof EngineStatus>

/** Everything a replica starts from; `seq` is the event it is as new as. */
export const Snapshot = z.object({
  seq: EventSeq,
  engine: EngineStatus,
  nodes: z.array(FleetNode),
  plans: z.array(Plan),
  agents: z.array(Agent),
  /** All runs that are not final, and the newest ones that are. */
  runs: z.array(Run),
  /** Those that are not final, and the newest others; newest first. */
  rollouts: z.array(Rollout),
  /** The newest revision of each registry that has one. */
  registries: z.array(RegistryRevision),
})
export type Snapshot = z.infer<typeof Snapshot>
