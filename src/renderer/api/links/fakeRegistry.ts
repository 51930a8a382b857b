import { implement } from '@orpc/server'
import { assignPlans } from '../../../core/fleet/assignment.ts'
import { renderHosts } from '../../../core/registry/hosts.ts'
import {
  changesBetween,
  formatEntries,
  mergeContents,
  nodesIn,
  noEntries,
  type RegistryEntries,
  readEntries,
  servicesIn,
  showEntries,
} from '../../../core/registry/registryEntries.ts'
import { renderRoutes } from '../../../core/registry/routes.ts'
import { formatYaml } from '../../../core/registry/yamlFormat.ts'
import { contract } from '../../../shared/contract/index.ts'
import type {
  EffectGroup,
  FleetEffect,
  RegistryCheck,
  RegistryProblem,
  RegistrySave,
  SourceEntries,
} from '../../../shared/contract/registry.ts'
import { AppError } from '../../../shared/errors.ts'
import type { SourceId } from '../../../shared/model/ids.ts'
import type { Plan } from '../../../shared/model/plan.ts'
import type {
  NodeRegistryEntry,
  RegistryKind,
  RegistryRevision,
  RegistryService,
  RevisionSource,
} from '../../../shared/model/registry.ts'
import type { RegistrySource, SourceInput, SourceState } from '../../../shared/model/registrySource.ts'
import type { FakeEngine } from './fakeEngine.ts'
import { fakeDigest, fakeId } from './fakeFleet.ts'

interface FakeRevision {
  readonly revision: RegistryRevision
  /** JSON in the sources' form. */
  readonly text: string
}

/** Who says what about a revision. */
interface Signed {
  readonly comment: string
  readonly author?: string
  readonly source?: RevisionSource
}

interface SaveRequest extends Signed {
  readonly registry: RegistryKind
  readonly text: string
  readonly baseNumber: number
}

const problemsOf = (problems: readonly { readonly path: readonly (string | number)[] }[]): RegistryProblem[] =>
  problems.map((problem) => ({ ...(problem as RegistryProblem), path: [...problem.path] }))

/** Revisions, sources and the webhook of the engine that exists in this page only. */
export class FakeRegistry {
  readonly sources = new Map<SourceId, RegistrySource>()
  /** Entries that each source brought. */
  readonly brought = new Map<SourceId, readonly string[]>()
  webhook = { enabled: false, path: '/hooks/registry' }
  /** Told of every new revision of the services, with the plans that it changed. */
  onSaved: (revision: RegistryRevision, plans: readonly Plan[]) => void = () => undefined
  readonly #engine: FakeEngine
  readonly #revisions: Record<RegistryKind, FakeRevision[]> = { services: [], nodes: [] }

  constructor(engine: FakeEngine) {
    this.#engine = engine
  }

  owners(registry: RegistryKind): SourceEntries[] {
    return [...this.sources.values()]
      .filter((source) => source.registry === registry && this.brought.has(source.id))
      .map(({ id, name }) => ({ sourceId: id, source: name, entries: [...(this.brought.get(id) ?? [])] }))
  }

  get(registry: RegistryKind, number?: number): FakeRevision | null {
    const all = this.#revisions[registry]
    if (number === undefined) return all.at(-1) ?? null
    const found = all[number - 1]
    if (found === undefined) throw new AppError('NOT_FOUND', `There is no revision ${number} of this registry.`)
    return found
  }

  history(registry: RegistryKind, before: number | undefined, limit: number): RegistryRevision[] {
    return this.#revisions[registry]
      .map(({ revision }) => revision)
      .filter(({ number }) => before === undefined || number < before)
      .reverse()
      .slice(0, limit)
  }

  #content(registry: RegistryKind, number?: number): RegistryEntries {
    const text = number === 0 ? undefined : this.get(registry, number)?.text
    const read = text === undefined ? null : readEntries(registry, text)
    return read?.ok === true ? read.content : noEntries(registry)
  }

  check(registry: RegistryKind, text: string): RegistryCheck {
    const read = readEntries(registry, text)
    if (!read.ok) return { status: 'invalid', problems: problemsOf(read.problems) }
    return {
      status: 'valid',
      entries: read.content.entries.length,
      ...this.#difference(this.#content(registry), read.content),
      fleet: this.#fleetEffects(nodesIn(read.content)),
      warnings: [],
    }
  }

  compare(registry: RegistryKind, from: number, to: number) {
    return this.#difference(this.#content(registry, from), this.#content(registry, to))
  }

  #difference(before: RegistryEntries, after: RegistryEntries) {
    return { changes: changesBetween(before, after), effects: this.#effects(servicesIn(before), servicesIn(after)) }
  }

  /** Of a plan's nodes all get the same text. */
  #effects(before: readonly RegistryService[], after: readonly RegistryService[]): EffectGroup[] {
    return [...this.#engine.plans.values()].flatMap((plan): EffectGroup[] => {
      if (plan.kind !== 'routes' && plan.kind !== 'hosts') return []
      const texts = { before: rendered(plan, before), after: rendered(plan, after) }
      const nodeIds = [...this.#engine.nodes.values()]
        .filter((node) => assignPlans(node, [plan]).plans.length > 0)
        .map(({ id }) => id)
      if (texts.before === texts.after) return []
      return [{ planId: plan.id, planName: plan.name, kind: plan.kind, nodeIds, ...texts }]
    })
  }

  #fleetEffects(nodes: readonly NodeRegistryEntry[]): FleetEffect[] {
    const inFleet = new Map([...this.#engine.nodes.values()].map((node) => [node.name, node]))
    return nodes.flatMap(({ name, ip }): FleetEffect[] => {
      const node = inFleet.get(name)
      if (node === undefined) return [{ name, kind: 'added', detail: `a node at ${ip}` }]
      return node.address === ip ? [] : [{ name, kind: 'changed', detail: `address ${node.address} to ${ip}` }]
    })
  }

  save({ registry, text, baseNumber, ...rest }: SaveRequest): RegistrySave {
    const read = readEntries(registry, text)
    if (!read.ok)
      throw new AppError('REGISTRY_INVALID', `The text has ${read.problems.length} mistakes; nothing was saved.`, {
        data: { problems: problemsOf(read.problems) },
      })
    const current = this.get(registry)
    const theirs = this.#content(registry)
    if (current !== null && changesBetween(theirs, read.content).length === 0)
      return { status: 'unchanged', revision: current.revision }
    if (current !== null && current.revision.number !== baseNumber) {
      const merge = mergeContents({ base: this.#content(registry, baseNumber), ours: read.content, theirs })
      return {
        status: 'conflict',
        current: current.revision,
        merged: showEntries(merge.merged, 'json'),
        conflicts: merge.conflicts,
      }
    }
    return { status: 'saved', revision: this.#append(read.content, rest) }
  }

  #append(
    content: RegistryEntries,
    { comment, author = 'ana@desk', source = { kind: 'console' } }: Signed,
  ): RegistryRevision {
    const { registry } = content
    const number = this.#revisions[registry].length + 1
    const revision: RegistryRevision = {
      registry,
      number,
      digest: fakeDigest(number * 7919),
      author,
      at: this.#engine.now(),
      comment,
      source,
      entries: content.entries.length,
    }
    this.#revisions[registry].push({ revision, text: formatEntries(content, 2) })
    this.#engine.commit({ kind: 'registry.saved', revision })
    if (registry === 'services') this.onSaved(revision, this.#refreshPlans(number))
    return revision
  }

  /** Plans whose text is another one now get a new revision. */
  #refreshPlans(number: number): Plan[] {
    const before = servicesIn(this.#content('services', number - 1))
    const after = servicesIn(this.#content('services', number))
    return [...this.#engine.plans.values()].flatMap((plan) => {
      if (plan.kind !== 'routes' && plan.kind !== 'hosts') return []
      if (rendered(plan, before) === rendered(plan, after)) return []
      const revision = plan.revision + 1
      return [this.#engine.savePlan({ ...plan, revision, digest: fakeDigest(revision), updatedAt: this.#engine.now() })]
    })
  }

  return(registry: RegistryKind, toNumber: number, comment: string): RegistryRevision {
    const source: RevisionSource = { kind: 'return', toNumber }
    return this.#append(this.#content(registry, toNumber), { comment, source })
  }

  addSource(input: SourceInput): RegistrySource {
    const state: SourceState = { status: 'following', seenAt: this.#engine.now(), version: '1' }
    const id = fakeId<SourceId>(9, this.sources.size + 1)
    return this.saveSource({ ...input, id, createdAt: this.#engine.now(), state })
  }

  saveSource(source: RegistrySource): RegistrySource {
    this.sources.set(source.id, source)
    this.#engine.commit({ kind: 'sources.changed' })
    return source
  }

  source(id: SourceId): RegistrySource {
    const source = this.sources.get(id)
    if (source === undefined) throw new AppError('NOT_FOUND', 'There is no such source.')
    return source
  }

  removeSource(id: SourceId): void {
    this.source(id)
    this.sources.delete(id)
    this.#engine.commit({ kind: 'sources.changed' })
  }
}

function rendered(plan: Extract<Plan, { kind: 'routes' | 'hosts' }>, services: readonly RegistryService[]): string {
  return plan.kind === 'routes' ? renderRoutes(services, plan.spec.routes) : renderHosts(services, plan.spec.hosts)
}

/** Procedures about registries and where they come from. */
export function registryRoutes(engine: FakeEngine, fake: FakeRegistry = new FakeRegistry(engine)) {
  const os = implement(contract)
  return {
    registry: {
      get: os.registry.get.handler(({ input }) => {
        const found = fake.get(input.registry, input.number)
        return found && { ...found, text: input.format === 'json' ? `${found.text}\n` : formatYaml(found.text) }
      }),
      owners: os.registry.owners.handler(({ input }) => fake.owners(input.registry)),
      history: os.registry.history.handler(({ input }) => fake.history(input.registry, input.before, input.limit)),
      check: os.registry.check.handler(({ input }) => fake.check(input.registry, input.text)),
      compare: os.registry.compare.handler(({ input }) => fake.compare(input.registry, input.from, input.to)),
      save: os.registry.save.handler(({ input }) => fake.save(input)),
      return: os.registry.return.handler(({ input }) => fake.return(input.registry, input.toNumber, input.comment)),
      export: os.registry.export.handler(({ input }) => ({
        text: fake.get(input.registry)?.text ?? formatEntries(noEntries(input.registry), 2),
        sealedValues: 0,
        leftOut: 0,
      })),
      import: os.registry.import.handler(({ input }) => fake.save(input)),
    },
    sources: {
      list: os.sources.list.handler(() => [...fake.sources.values()]),
      add: os.sources.add.handler(({ input }) => fake.addSource(input)),
      remove: os.sources.remove.handler(({ input }) => {
        fake.removeSource(input.id)
        return { id: input.id }
      }),
      refresh: os.sources.refresh.handler(({ input }) => {
        const source = fake.source(input.id)
        return fake.saveSource({ ...source, state: { status: 'following', seenAt: engine.now(), version: '2' } })
      }),
      webhook: os.sources.webhook.handler(() => fake.webhook),
      enableWebhook: os.sources.enableWebhook.handler(() => {
        fake.webhook = { ...fake.webhook, enabled: true }
        engine.commit({ kind: 'sources.changed' })
        return { path: fake.webhook.path, secret: 'w'.repeat(43) }
      }),
      disableWebhook: os.sources.disableWebhook.handler(() => {
        fake.webhook = { ...fake.webhook, enabled: false }
        engine.commit({ kind: 'sources.changed' })
        return { enabled: false as const }
      }),
    },
  }
}
