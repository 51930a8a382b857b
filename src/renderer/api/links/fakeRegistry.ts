import { implement } from '@orpc/server'
import { assignPlans } from '../../../core/fleet/assignment.ts'
import { type EntryModel, entryChanges, mergeEntries, nodeModel, serviceModel } from '../../../core/registry/changes.ts'
import { renderHosts } from '../../../core/registry/hosts.ts'
import { formatNodeRegistry, readNodeRegistry } from '../../../core/registry/nodeRegistry.ts'
import { renderRoutes } from '../../../core/registry/routes.ts'
import { formatServiceRegistry, readServiceRegistry } from '../../../core/registry/serviceRegistry.ts'
import type { SourceProblem } from '../../../core/registry/sourceTree.ts'
import { contract } from '../../../shared/contract/index.ts'
import type {
  EffectGroup,
  EntryChange,
  FleetEffect,
  RegistryCheck,
  RegistryProblem,
  RegistrySave,
} from '../../../shared/contract/registry.ts'
import { AppError } from '../../../shared/errors.ts'
import type { SourceId } from '../../../shared/model/ids.ts'
import type { Plan } from '../../../shared/model/plan.ts'
import type {
  NodeRegistry,
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

interface SaveRequest {
  readonly registry: RegistryKind
  readonly text: string
  readonly baseNumber: number
  readonly comment: string
  readonly author?: string
  readonly source?: RevisionSource
}

type ThreeTexts = Readonly<Record<'base' | 'ours' | 'theirs', string>>

type Read = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly problems: RegistryProblem[] }

const emptyText: Readonly<Record<RegistryKind, string>> = {
  services: '{}',
  nodes: '{"management_laptops":[],"vps_nodes":[],"worker_nodes":[]}',
}

/** `$.demo.port` as its steps; names of the fake are plain words or stand in quotes. */
const pathOf = (path: string): (string | number)[] =>
  [...path.matchAll(/\.([A-Za-z_]\w*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/g)].map(([, word, index, quoted]) =>
    index === undefined ? (word ?? (JSON.parse(quoted ?? '""') as string)) : Number(index),
  )

const problemsOf = (problems: readonly SourceProblem[]): RegistryProblem[] =>
  problems.map((problem) => ({ ...problem, path: pathOf(problem.path) }))

const servicesOf = (text: string): readonly RegistryService[] => {
  const read = readServiceRegistry(text)
  return read.ok ? read.services : []
}

const nodesOf = (text: string): NodeRegistry => {
  const read = readNodeRegistry(text)
  return read.ok ? read.registry : { nodes: [], preserved: [] }
}

/** Revisions, sources and the webhook of the engine that exists in this page only. */
export class FakeRegistry {
  readonly sources = new Map<SourceId, RegistrySource>()
  webhook = { enabled: false, path: '/hooks/registry' }
  /** Told of every new revision of the services, with the plans that it changed. */
  onSaved: (revision: RegistryRevision, plans: readonly Plan[]) => void = () => undefined
  readonly #engine: FakeEngine
  readonly #revisions: Record<RegistryKind, FakeRevision[]> = { services: [], nodes: [] }

  constructor(engine: FakeEngine) {
    this.#engine = engine
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

  #text(registry: RegistryKind, number?: number): string {
    if (number === 0) return emptyText[registry]
    return this.get(registry, number)?.text ?? emptyText[registry]
  }

  #read(registry: RegistryKind, text: string): Read {
    if (registry === 'services') {
      const read = readServiceRegistry(text)
      return read.ok
        ? { ok: true, text: formatServiceRegistry(read.services) }
        : { ok: false, problems: problemsOf(read.problems) }
    }
    const read = readNodeRegistry(text)
    return read.ok
      ? { ok: true, text: formatNodeRegistry(read.registry) }
      : { ok: false, problems: problemsOf(read.problems) }
  }

  check(registry: RegistryKind, text: string): RegistryCheck {
    const read = this.#read(registry, text)
    if (!read.ok) return { status: 'invalid', problems: read.problems }
    const before = this.#text(registry)
    return {
      status: 'valid',
      entries: this.#entries(registry, read.text),
      ...this.#difference(registry, before, read.text),
      fleet: registry === 'nodes' ? this.#fleetEffects(nodesOf(read.text)) : [],
      warnings: [],
    }
  }

  compare(registry: RegistryKind, from: number, to: number) {
    return this.#difference(registry, this.#text(registry, from), this.#text(registry, to))
  }

  #difference(registry: RegistryKind, before: string, after: string) {
    return registry === 'services'
      ? {
          changes: changesOf(servicesOf(before), servicesOf(after), serviceModel),
          effects: this.#effects(servicesOf(before), servicesOf(after)),
        }
      : { changes: changesOf(nodesOf(before).nodes, nodesOf(after).nodes, nodeModel), effects: [] }
  }

  #entries(registry: RegistryKind, text: string): number {
    return registry === 'services' ? servicesOf(text).length : nodesOf(text).nodes.length
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

  #fleetEffects({ nodes }: NodeRegistry): FleetEffect[] {
    const inFleet = new Map([...this.#engine.nodes.values()].map((node) => [node.name, node]))
    return nodes.flatMap(({ name, ip }): FleetEffect[] => {
      const node = inFleet.get(name)
      if (node === undefined) return [{ name, kind: 'added', detail: `a node at ${ip}` }]
      return node.address === ip ? [] : [{ name, kind: 'changed', detail: `address ${node.address} to ${ip}` }]
    })
  }

  save({ registry, text, baseNumber, comment, author = 'ana@desk', source }: SaveRequest): RegistrySave {
    const read = this.#read(registry, text)
    if (!read.ok)
      throw new AppError('REGISTRY_INVALID', `The text has ${read.problems.length} mistakes; nothing was saved.`, {
        data: { problems: read.problems },
      })
    const current = this.get(registry)
    if (current !== null && current.text === read.text) return { status: 'unchanged', revision: current.revision }
    if (current !== null && current.revision.number !== baseNumber) {
      const merge = this.#merge(registry, {
        base: this.#text(registry, baseNumber),
        ours: read.text,
        theirs: current.text,
      })
      return { status: 'conflict', current: current.revision, ...merge }
    }
    return {
      status: 'saved',
      revision: this.#append({ registry, text: read.text, baseNumber, comment, author, ...(source && { source }) }),
    }
  }

  #merge(registry: RegistryKind, texts: ThreeTexts) {
    if (registry === 'nodes') {
      const registries = { base: nodesOf(texts.base), mine: nodesOf(texts.ours), theirs: nodesOf(texts.theirs) }
      const { base, mine, theirs } = registries
      const merge = mergeOf({ base: base.nodes, mine: mine.nodes, theirs: theirs.nodes }, nodeModel)
      return { merged: formatNodeRegistry({ ...theirs, nodes: [...merge.entries] }), conflicts: merge.conflicts }
    }
    const { base, ours, theirs } = texts
    const merge = mergeOf({ base: servicesOf(base), mine: servicesOf(ours), theirs: servicesOf(theirs) }, serviceModel)
    return { merged: formatServiceRegistry(merge.entries), conflicts: merge.conflicts }
  }

  #append({
    registry,
    text,
    comment,
    author = 'ana@desk',
    source = { kind: 'console' },
  }: SaveRequest): RegistryRevision {
    const number = this.#revisions[registry].length + 1
    const revision: RegistryRevision = {
      registry,
      number,
      digest: fakeDigest(number * 7919),
      author,
      at: this.#engine.now(),
      comment,
      source,
      entries: this.#entries(registry, text),
    }
    this.#revisions[registry].push({ revision, text })
    this.#engine.commit({ kind: 'registry.saved', revision })
    if (registry === 'services') this.onSaved(revision, this.#refreshPlans(number))
    return revision
  }

  /** Plans whose text is another one now get a new revision. */
  #refreshPlans(number: number): Plan[] {
    const [before, after] = [servicesOf(this.#text('services', number - 1)), servicesOf(this.#text('services', number))]
    return [...this.#engine.plans.values()].flatMap((plan) => {
      if (plan.kind !== 'routes' && plan.kind !== 'hosts') return []
      if (rendered(plan, before) === rendered(plan, after)) return []
      const revision = plan.revision + 1
      return [this.#engine.savePlan({ ...plan, revision, digest: fakeDigest(revision), updatedAt: this.#engine.now() })]
    })
  }

  return(registry: RegistryKind, toNumber: number, comment: string): RegistryRevision {
    const source: RevisionSource = { kind: 'return', toNumber }
    return this.#append({ registry, text: this.#text(registry, toNumber), baseNumber: 0, comment, source })
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

type AnyEntry = RegistryService | NodeRegistry['nodes'][number]

const fieldsOf = <E extends AnyEntry>(entry: E, { fields }: EntryModel<E>): [string, string][] => [
  ...fields.map((field): [string, string] => [field, JSON.stringify(entry[field])]),
  ...entry.preserved.flatMap(({ key, json }): [string, string][] => (json === null ? [] : [[key, json]])),
]

function changesOf<E extends AnyEntry>(before: readonly E[], after: readonly E[], model: EntryModel<E>): EntryChange[] {
  const { added, removed, changed } = entryChanges(before, after, model)
  const whole = (entry: E) => fieldsOf(entry, model)
  return [
    ...added.map((entry): EntryChange => {
      const fields = whole(entry).map(([field, json]) => ({ field, before: null, after: json }))
      return { name: entry.name, kind: 'added', fields }
    }),
    ...removed.map((entry): EntryChange => {
      const fields = whole(entry).map(([field, json]) => ({ field, before: json, after: null }))
      return { name: entry.name, kind: 'removed', fields }
    }),
    ...changed.map(({ name, fields }): EntryChange => ({ name, kind: 'changed', fields: [...fields] })),
  ]
}

function mergeOf<E extends AnyEntry>(
  input: { readonly base: readonly E[]; readonly mine: readonly E[]; readonly theirs: readonly E[] },
  model: EntryModel<E>,
) {
  const { entries, conflicts } = mergeEntries(input, model)
  const textIn = (list: readonly E[], name: string): string | null => {
    const entry = list.find((each) => each.name === name)
    return entry === undefined ? null : `{${fieldsOf(entry, model).map(([key, json]) => `"${key}":${json}`)}}`
  }
  const names = [...new Set(conflicts.map(({ name }) => name))]
  return {
    entries,
    conflicts: names.map((name) => ({
      name,
      base: textIn(input.base, name),
      ours: textIn(input.mine, name),
      theirs: textIn(input.theirs, name),
    })),
  }
}

/** Procedures about registries and where they come from. */
export function registryRoutes(engine: FakeEngine, fake: FakeRegistry = new FakeRegistry(engine)) {
  const os = implement(contract)
  return {
    registry: {
      get: os.registry.get.handler(({ input }) => fake.get(input.registry, input.number)),
      history: os.registry.history.handler(({ input }) => fake.history(input.registry, input.before, input.limit)),
      check: os.registry.check.handler(({ input }) => fake.check(input.registry, input.text)),
      compare: os.registry.compare.handler(({ input }) => fake.compare(input.registry, input.from, input.to)),
      save: os.registry.save.handler(({ input }) => fake.save(input)),
      return: os.registry.return.handler(({ input }) => fake.return(input.registry, input.toNumber, input.comment)),
      export: os.registry.export.handler(({ input }) => ({
        text: fake.get(input.registry)?.text ?? emptyText[input.registry],
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
