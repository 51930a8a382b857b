import type { RunServiceDependencies } from '../dependencies.ts'
import type { PlanExecutors } from '../executor.ts'
import { createHostCertificateExecutor } from './hostCertificate/hostCertificateExecutor.ts'
import { createHostsExecutor } from './hosts/hostsExecutor.ts'
import { createKrlExecutor } from './krl/krlExecutor.ts'
import { createRepositoryExecutor } from './repository/repositoryExecutor.ts'
import { createRoutesExecutor } from './routes/routesExecutor.ts'
import { createTreeExecutor } from './tree/treeExecutor.ts'
import { createTrustExecutor } from './trust/trustExecutor.ts'

/** Every kind of plan with what carries it out. */
export function createExecutors(dependencies: RunServiceDependencies): PlanExecutors {
  return {
    tree: createTreeExecutor(dependencies),
    krl: createKrlExecutor(dependencies),
    trust: createTrustExecutor(dependencies),
    'host-certificate': createHostCertificateExecutor(dependencies),
    routes: createRoutesExecutor(dependencies),
    hosts: createHostsExecutor(dependencies),
    repository: createRepositoryExecutor(dependencies),
  }
}
