import type { Clock } from '../platform/clock.ts'
import type { Config } from '../platform/config.ts'
import type { IdSource } from '../platform/ids.ts'
import type { Logger } from '../platform/logger.ts'
import { createAgentAccess } from './fleet/agentAccess.ts'
import { AgentContacts } from './fleet/agentContacts.ts'
import { createAgentEnrollment } from './fleet/agentEnrollment.ts'
import { type AgentService, createAgentService } from './fleet/agentService.ts'
import { withCachedRoots } from './fleet/rootCache.ts'
import { createGateway, type GatewayDependencies } from './gateway/gateway.ts'
import type {
  CertificateAuthority,
  Gateway,
  LogStore,
  RegistryContent,
  Revocations,
  Store,
  X509Authority,
} from './ports.ts'
import { createAgentRuns } from './runs/agentRuns.ts'
import { createPulledRuns } from './runs/pulledRuns.ts'
import { createAgentWatch } from './scheduler/agentWatch.ts'

interface AgentSideDependencies {
  readonly store: Store
  readonly logs: LogStore
  readonly clock: Clock
  readonly ids: IdSource
  readonly x509: X509Authority
  readonly authority: Pick<CertificateAuthority, 'sign'>
  readonly revocations: Pick<Revocations, 'revoke'>
  /** What the registry makes of plans, for agents that fetch it. */
  readonly content: RegistryContent
  readonly config: Config
  readonly logger: Logger
  readonly version: string
  readonly limits?: GatewayDependencies['limits']
}

/** Everything that has to do with agents: the door they come through, what they may do there, who looks after them. */
interface AgentSide {
  readonly agents: AgentService
  readonly gateway: Gateway
  /** Listens if it was switched on, and watches for silence. */
  start(): Promise<void>
  /** The vault was opened: what could not listen without its key may try again at once. */
  wake(): void
  /** Resolves when no agent is being answered any more. */
  stop(): Promise<void>
}

/** Puts the parts together that only agents need. Nothing listens before `start`. */
export function createAgentSide(dependencies: AgentSideDependencies): AgentSide {
  const { store, logs, clock, ids, authority, revocations, config, logger, version } = dependencies
  const x509 = withCachedRoots(dependencies.x509, store)
  const contacts = new AgentContacts()
  const runs = createAgentRuns({ store, logs, clock, ids, config })
  const pulled = createPulledRuns({ store, logs, clock, ids, config, content: dependencies.content })
  const enrollment = createAgentEnrollment({ store, clock, ids, x509, logger, abandonRuns: runs.abandon })
  const access = createAgentAccess({ store, clock, x509, authority, contacts, config })
  const gateway = createGateway({
    store,
    clock,
    x509,
    services: { enrollment, access, runs, pulled },
    version,
    logger,
    ...(dependencies.limits === undefined ? {} : { limits: dependencies.limits }),
  })
  const watch = createAgentWatch({ store, clock, contacts, gateway, runs, logger })
  const agents = createAgentService({
    store,
    clock,
    ids,
    contacts,
    gateway,
    revocations,
    abandonRuns: runs.abandon,
  })
  let started = false
  return {
    agents,
    gateway,
    start: async () => {
      started = true
      await gateway.start()
      await watch.start()
    },
    wake: () => {
      if (started) gateway.start().catch((error: unknown) => logger.warn({ err: error }, 'the gateway could not start'))
    },
    stop: async () => {
      started = false
      await watch.stop()
      await gateway.stop()
    },
  }
}
