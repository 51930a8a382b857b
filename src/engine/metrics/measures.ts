import type { Clock } from '../../platform/clock.ts'
import type { EngineStatus } from '../../shared/model/system.ts'
import type { RegistrySources, Store } from '../ports.ts'

/** What an engine shows of itself to metrics, probes and its log; nothing here changes anything. */
export interface EngineMeasures {
  readonly store: Pick<
    Store,
    'listNodes' | 'listOpenRuns' | 'listRepositories' | 'listRollouts' | 'onCommitted' | 'headSeq'
  >
  readonly clock: Clock
  status(): Promise<EngineStatus>
  /** Open SSH connections. */
  connections(): number
  /** Open shells that take orders. */
  channels(): number
  sources: Pick<RegistrySources, 'list'>
}
