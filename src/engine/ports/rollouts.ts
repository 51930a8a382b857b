import type { PushTargets } from '../../shared/contract/runs.ts'
import type { IdempotencyKey, PlanId, RolloutId } from '../../shared/model/ids.ts'
import type { RegistryKind } from '../../shared/model/registry.ts'
import type { Rollout, RolloutSettings } from '../../shared/model/rollout.ts'
import type { Run } from '../../shared/model/run.ts'

export interface Rollouts {
  /** Takes up what a crash or a stop interrupted. */
  start(): Promise<void>
  stop(): Promise<void>
  list(options: { readonly before?: RolloutId; readonly limit: number }): Promise<Rollout[]>
  get(id: RolloutId): Promise<{ readonly rollout: Rollout; readonly runs: Run[] }>
  begin(order: {
    readonly idempotencyKey: IdempotencyKey
    readonly plans: readonly string[]
    readonly targets: PushTargets
    readonly settings: RolloutSettings
    readonly requestedBy: string
  }): Promise<Rollout>
  /**
   * A revision is committed and has given these plans new revisions of their own: brings them to their nodes, in place of
   * the rollouts of older revisions. Never rejects for what happens on the way.
   */
  registryChanged(change: {
    readonly registry: RegistryKind
    readonly revision: number
    readonly planIds: readonly PlanId[]
  }): Promise<void>
  pause(id: RolloutId, operator: string): Promise<Rollout>
  resume(id: RolloutId, operator: string): Promise<Rollout>
  abort(id: RolloutId, operator: string): Promise<Rollout>
  retryFailed(id: RolloutId, idempotencyKey: IdempotencyKey, operator: string): Promise<Rollout>
  settings(): Promise<RolloutSettings>
  setSettings(settings: RolloutSettings, operator: string): Promise<RolloutSettings>
}
