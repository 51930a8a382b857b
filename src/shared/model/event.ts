import { z } from 'zod'
import { Agent } from './agent.ts'
import { AuthorityKind, IssuedCertificate, KrlStatus } from './certificate.ts'
import { AgentId, EpochMs, EventSeq, NodeId, PlanId, RunId } from './ids.ts'
import { FleetNode } from './node.ts'
import { Plan } from './plan.ts'
import { RegistryRevision } from './registry.ts'
import { Rollout } from './rollout.ts'
import { Run, RunProgress } from './run.ts'

/** A committed change; carries the whole new version, so that applying it twice does no harm. */
export const Change = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('node.saved'), node: FleetNode }),
  z.object({ kind: z.literal('node.removed'), nodeId: NodeId }),
  z.object({ kind: z.literal('plan.saved'), plan: Plan }),
  z.object({ kind: z.literal('plan.removed'), planId: PlanId }),
  z.object({ kind: z.literal('run.saved'), run: Run }),
  z.object({ kind: z.literal('certificate.issued'), certificate: IssuedCertificate }),
  z.object({ kind: z.literal('certificate.revoked'), certificate: IssuedCertificate }),
  /** Made, rotated, or another one signs: ask for it again. */
  z.object({ kind: z.literal('authority.changed'), authority: AuthorityKind }),
  z.object({ kind: z.literal('krl.saved'), krl: KrlStatus }),
  z.object({ kind: z.literal('agent.saved'), agent: Agent }),
  z.object({ kind: z.literal('agent.removed'), agentId: AgentId }),
  /** A join token was made, used or withdrawn: ask for the list again. */
  z.object({ kind: z.literal('joinTokens.changed') }),
  z.object({ kind: z.literal('gateway.changed') }),
  /** A registry has a new revision: the newest one. */
  z.object({ kind: z.literal('registry.saved'), revision: RegistryRevision }),
  /** A source was added, changed, removed, or has another state: ask for the list again. */
  z.object({ kind: z.literal('sources.changed') }),
  /** Added, changed, removed, fetched or scanned: ask again. */
  z.object({ kind: z.literal('repositories.changed') }),
  z.object({ kind: z.literal('rollout.saved'), rollout: Rollout }),
])
export type Change = z.infer<typeof Change>

export const EngineEvent = z.object({ seq: EventSeq, at: EpochMs, change: Change })
export type EngineEvent = z.infer<typeof EngineEvent>

/** What a watcher receives. After `gap` it must load a new snapshot: events it wanted are no longer kept. */
export const WatchMessage = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('event'), event: EngineEvent }),
  /** Everything up to `seq` has been replayed; what follows is live. */
  z.object({ kind: z.literal('live'), seq: EventSeq }),
  z.object({ kind: z.literal('progress'), runId: RunId, progress: RunProgress }),
  z.object({ kind: z.literal('heartbeat'), seq: EventSeq, at: EpochMs }),
  z.object({ kind: z.literal('gap'), oldestSeq: EventSeq, headSeq: EventSeq }),
])
export type WatchMessage = z.infer<typeof WatchMessage>
