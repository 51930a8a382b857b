import type { ContractRouterClient } from '@orpc/contract'
import { agentsContract, gatewayContract } from './agents.ts'
import { auditContract } from './audit.ts'
import { certificatesContract } from './certificates.ts'
import { demoContract } from './demo.ts'
import { guidesContract } from './guides.ts'
import { nodesContract } from './nodes.ts'
import { plansContract } from './plans.ts'
import { registryContract, sourcesContract } from './registry.ts'
import { repositoriesContract } from './repositories.ts'
import { rolloutsContract } from './rollouts.ts'
import { runsContract } from './runs.ts'
import { stepCaContract } from './stepCa.ts'
import { storageContract } from './storage.ts'
import { systemContract } from './system.ts'
import { terminalsContract } from './terminals.ts'

/** The one contract between the engine and everything that shows or drives it. */
export const contract = {
  system: systemContract,
  nodes: nodesContract,
  guides: guidesContract,
  plans: plansContract,
  runs: runsContract,
  registry: registryContract,
  sources: sourcesContract,
  repositories: repositoriesContract,
  rollouts: rolloutsContract,
  certificates: certificatesContract,
  stepCa: stepCaContract,
  storage: storageContract,
  agents: agentsContract,
  gateway: gatewayContract,
  audit: auditContract,
  terminals: terminalsContract,
  demo: demoContract,
}

/** A typed client over any transport. */
export type EngineClient = ContractRouterClient<typeof contract>
