import type { RepositoryImport } from '../../shared/contract/repositories.ts'
import type { RepositoryTarget, SyncPreview } from '../../shared/model/repository.ts'
import type { Deliveries } from '../repositories/deliveries.ts'
import type { ImportOrder } from '../repositories/importing.ts'
import type { RepositoryService } from '../repositories/repositoryService.ts'
import type { Sentinels } from '../repositories/sentinels.ts'
import { os } from './procedures.ts'

export interface RepositoryServices {
  readonly repositories: RepositoryService
  readonly repositoryDeliveries: Deliveries
  readonly sentinels: Sentinels
  readonly repositoryTargets: (repository: string) => Promise<RepositoryTarget[]>
  readonly previewSync: (
    order: { readonly plan: string; readonly node: string },
    signal?: AbortSignal,
  ) => Promise<SyncPreview>
  readonly importRepository: (order: ImportOrder, operator: string) => Promise<RepositoryImport>
}

export function repositoriesRouter(services: RepositoryServices) {
  const { repositories, repositoryDeliveries: deliveries, sentinels } = services
  return {
    list: os.repositories.list.handler(() => repositories.list()),
    get: os.repositories.get.handler(({ input }) => repositories.get(input.repository)),
    add: os.repositories.add.handler(({ input, context }) =>
      repositories.add(input.repository, input.token ?? null, context.caller.operator),
    ),
    change: os.repositories.change.handler(({ input: { repository, ...order }, context }) =>
      repositories.change(repository, order, context.caller.operator),
    ),
    remove: os.repositories.remove.handler(async ({ input, context }) => ({
      id: await repositories.remove(input.repository, context.caller.operator),
    })),
    import: os.repositories.import.handler(({ input, context }) =>
      services.importRepository(input, context.caller.operator),
    ),
    refresh: os.repositories.refresh.handler(({ input: { repository, force }, context }) =>
      repositories.refresh(repository, { force }, context.caller.operator),
    ),
    commits: os.repositories.commits.handler(({ input: { repository, ...query } }) =>
      repositories.commits(repository, query),
    ),
    targets: os.repositories.targets.handler(({ input }) => services.repositoryTargets(input.repository)),
    sync: os.repositories.sync.handler(({ input, context }) => deliveries.sync(input, context.caller.operator)),
    deploy: os.repositories.deploy.handler(({ input, context }) => deliveries.deploy(input, context.caller.operator)),
    rollback: os.repositories.rollback.handler(({ input, context }) =>
      deliveries.rollback(input, context.caller.operator),
    ),
    verify: os.repositories.verify.handler(({ input, signal }) => sentinels.verify(input, signal)),
    preview: os.repositories.preview.handler(({ input, signal }) => services.previewSync(input, signal)),
    findings: os.repositories.findings.handler(({ input }) => repositories.findings(input.repository)),
    scan: os.repositories.scan.handler(({ input, signal }) =>
      repositories.scan(input.repository, input.commit, signal),
    ),
    allowed: os.repositories.allowed.handler(({ input }) => repositories.allowed(input.repository)),
    allow: os.repositories.allow.handler(({ input: { repository, ...order }, context }) =>
      repositories.allow(repository, order, context.caller.operator),
    ),
    disallow: os.repositories.disallow.handler(async ({ input, context }) => ({
      hash: await repositories.disallow(input.repository, input.hash, context.caller.operator),
    })),
  }
}
