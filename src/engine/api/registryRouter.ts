import type { RegistrySources, RegistryStore, RegistryWebhook, Rollouts } from '../ports.ts'
import { os } from './procedures.ts'

export interface RegistryServices {
  readonly registry: RegistryStore
  readonly sources: RegistrySources
  readonly webhook: RegistryWebhook
  readonly rollouts: Rollouts
}

export function registryRouter({ registry }: RegistryServices) {
  return {
    get: os.registry.get.handler(({ input: { registry: kind, number, format } }) =>
      registry.get(kind, { format, ...(number === undefined ? {} : { number }) }),
    ),
    owners: os.registry.owners.handler(({ input }) => registry.owners(input.registry)),
    history: os.registry.history.handler(({ input: { registry: kind, before, limit } }) =>
      registry.history(kind, { limit, ...(before === undefined ? {} : { before }) }),
    ),
    check: os.registry.check.handler(({ input }) => registry.check(input.registry, input.text)),
    compare: os.registry.compare.handler(({ input: { registry: kind, ...numbers } }) =>
      registry.compare(kind, numbers),
    ),
    save: os.registry.save.handler(({ input, context }) =>
      registry.save({ ...input, author: context.caller.operator }),
    ),
    return: os.registry.return.handler(({ input, context }) =>
      registry.return({ ...input, author: context.caller.operator }),
    ),
    export: os.registry.export.handler(({ input: { passphrase, ...order }, context }) =>
      registry.export({
        ...order,
        operator: context.caller.operator,
        ...(passphrase === undefined ? {} : { passphrase }),
      }),
    ),
    import: os.registry.import.handler(({ input: { passphrase, ...order }, context }) =>
      registry.import({
        ...order,
        author: context.caller.operator,
        ...(passphrase === undefined ? {} : { passphrase }),
      }),
    ),
  }
}

export function sourcesRouter({ sources, webhook }: RegistryServices) {
  return {
    list: os.sources.list.handler(() => sources.list()),
    add: os.sources.add.handler(({ input, context }) => sources.add(input, context.caller.operator)),
    remove: os.sources.remove.handler(async ({ input, context }) => {
      await sources.remove(input.id, context.caller.operator)
      return { id: input.id }
    }),
    refresh: os.sources.refresh.handler(({ input, context }) =>
      sources.refresh(input.id, { acceptRemovals: input.acceptRemovals, operator: context.caller.operator }),
    ),
    webhook: os.sources.webhook.handler(() => webhook.describe()),
    enableWebhook: os.sources.enableWebhook.handler(({ context }) => webhook.enable(context.caller.operator)),
    disableWebhook: os.sources.disableWebhook.handler(async ({ context }) => {
      await webhook.disable(context.caller.operator)
      return { enabled: false as const }
    }),
  }
}

export function rolloutsRouter({ rollouts }: RegistryServices) {
  return {
    list: os.rollouts.list.handler(({ input: { before, limit } }) =>
      rollouts.list({ limit, ...(before === undefined ? {} : { before }) }),
    ),
    get: os.rollouts.get.handler(({ input }) => rollouts.get(input.id)),
    start: os.rollouts.start.handler(({ input, context }) =>
      rollouts.begin({ ...input, requestedBy: context.caller.operator }),
    ),
    pause: os.rollouts.pause.handler(({ input, context }) => rollouts.pause(input.id, context.caller.operator)),
    resume: os.rollouts.resume.handler(({ input, context }) => rollouts.resume(input.id, context.caller.operator)),
    abort: os.rollouts.abort.handler(({ input, context }) => rollouts.abort(input.id, context.caller.operator)),
    retryFailed: os.rollouts.retryFailed.handler(({ input, context }) =>
      rollouts.retryFailed(input.id, input.idempotencyKey, context.caller.operator),
    ),
    settings: os.rollouts.settings.handler(() => rollouts.settings()),
    setSettings: os.rollouts.setSettings.handler(({ input, context }) =>
      rollouts.setSettings(input, context.caller.operator),
    ),
  }
}
