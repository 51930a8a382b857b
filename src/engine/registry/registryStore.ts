import { isJsonText, problemsAt } from '../../core/registry/entries.ts'
import {
  changesBetween,
  formatEntries,
  mergeContents,
  nodesIn,
  type RegistryEntries,
  readEntries,
  servicesIn,
  showEntries,
} from '../../core/registry/registryEntries.ts'
import { removesTooMuch } from '../../core/registry/removals.ts'
import { serviceClashes } from '../../core/registry/serviceRegistry.ts'
import { jsonPath, type SourceProblem } from '../../core/registry/sourceTree.ts'
import { serviceWarnings } from '../../core/registry/warnings.ts'
import type { Clock } from '../../platform/clock.ts'
import type { EntryChange, FleetEffect, RegistryProblem, RegistrySave } from '../../shared/contract/registry.ts'
import { AppError } from '../../shared/errors.ts'
import type { NodeId, PlanId } from '../../shared/model/ids.ts'
import type { Plan } from '../../shared/model/plan.ts'
import type { NodeRegistryEntry, RegistryKind, RegistryRevision, RevisionSource } from '../../shared/model/registry.ts'
import type { RegistryStore, SaveOrder, Store, StoreReader, StoreTransaction } from '../ports.ts'
import { deliveryWarnings, effectsOf } from './effects.ts'
import { createExports } from './exports.ts'
import { withLiveStatus } from './liveStatus.ts'
import { broughtBySource, claimedTwice, ownedChanges, ownersOf, saveOwned, withBrought } from './ownership.ts'
import { createRevisions, digestOf, type ReadRevision, wordOf } from './revisions.ts'
import { comparable, type SealedValues, type ValueMistake } from './sealedValues.ts'

/** What a node registry does to the fleet. Nodes are added and changed, never removed (S1.15). */
export interface RegisteredFleet {
  effects(reader: Pick<StoreReader, 'listNodes'>, change: NodesChange): Promise<FleetEffect[]>
  /** @returns nodes that are somewhere else now. @throws PRECONDITION_FAILED while a run works on one of them */
  apply(transaction: StoreTransaction, nodes: readonly NodeRegistryEntry[], operator: string): Promise<NodeId[]>
  /** After the commit: connections and certificates that speak for the old place go. */
  moved(nodeIds: readonly NodeId[]): void
}

interface NodesChange {
  readonly before: readonly NodeRegistryEntry[]
  readonly after: readonly NodeRegistryEntry[]
}

export interface RegistryStoreDependencies {
  readonly store: Store
  readonly clock: Clock
  readonly values: SealedValues
  readonly fleet: RegisteredFleet
  readonly refreshPlans: (transaction: StoreTransaction) => Promise<readonly Plan[]>
  /** After a commit that gave plans a new revision. */
  readonly onChanged: (change: {
    readonly registry: RegistryKind
    readonly revision: number
    readonly planIds: readonly PlanId[]
  }) => void
}

/** A text that was read, with its sensitive values sealed. */
interface Prepared {
  readonly content: RegistryEntries
  /** The text it was read from, for the places of mistakes; null where there is none. */
  readonly text: string | null
}

interface Preparing {
  readonly passphrase?: string | undefined
  readonly baseNumber?: SaveOrder['baseNumber']
  /** Nothing is going to be stored. */
  readonly look?: boolean
}

/** More mistakes than a person reads at once. */
const mostProblems = 100

/** Registries as immutable revisions. One save is one transaction: revision, plans, nodes of the fleet, audit row. */
export function createRegistryStore(dependencies: RegistryStoreDependencies): RegistryStore {
  const { store, clock, values, fleet } = dependencies
  const revisions = createRevisions()
  const exports = createExports(values)

  /** @returns problems instead of content, when there are any */
  async function prepare(
    registry: RegistryKind,
    text: string,
    { passphrase, baseNumber, look = false }: Preparing = {},
  ): Promise<Prepared | readonly SourceProblem[]> {
    const read = readEntries(registry, text)
    if (!read.ok) return read.problems
    const content = passphrase === undefined ? read.content : await exports.open(read.content, passphrase)
    const newest = await revisions.read(store, registry)
    // What a text began with counts too: somebody may have saved another value meanwhile, which is a conflict, no mistake.
    const isOlder = typeof baseNumber === 'number' && baseNumber > 0 && baseNumber < newest.number
    const base = isOlder ? [(await revisions.read(store, registry, baseNumber)).content] : []
    const sealed = await (look ? values.mark : values.seal)(content, [newest.content, ...base])
    if (sealed.mistakes.length > 0) return problemsAt(text, sealed.mistakes)
    return { content: sealed.content, text }
  }

  async function prepared(
    { registry, text, baseNumber }: Pick<SaveOrder, 'registry' | 'text' | 'baseNumber'>,
    passphrase?: string,
  ): Promise<Prepared> {
    const result = await prepare(registry, text, { passphrase, baseNumber })
    if ('content' in result) return result
    throw invalid(registry, result, text)
  }

  async function write(order: Omit<SaveOrder, 'text'>, input: Prepared): Promise<RegistrySave> {
    const outcome = await store.transact((transaction) => writeIn(transaction, order, input))
    if (outcome.save.status === 'saved') announce(outcome.save.revision, outcome)
    return outcome.save
  }

  function announce(
    { registry, number }: RegistryRevision,
    { moved, plans }: { readonly moved: readonly NodeId[]; readonly plans: readonly Plan[] },
  ): void {
    fleet.moved(moved)
    if (plans.length > 0) dependencies.onChanged({ registry, revision: number, planIds: plans.map(({ id }) => id) })
  }

  async function writeIn(transaction: StoreTransaction, order: Omit<SaveOrder, 'text'>, input: Prepared) {
    const nothingElse = { moved: [], plans: [] }
    const newest = await revisions.read(transaction, order.registry)
    if (order.baseNumber !== 'newest') refuseFuture(order.registry, order.baseNumber, newest.number)
    const content = await contentToSave(transaction, { order, input, newest })
    const digest = digestOf(content)
    if (newest.revision?.digest === digest)
      return { save: { status: 'unchanged' as const, revision: newest.revision }, ...nothingElse }
    if (order.baseNumber !== 'newest' && order.baseNumber !== newest.number && newest.revision !== null) {
      const base = await revisions.read(transaction, order.registry, order.baseNumber)
      const save = conflictOf({ base: base.content, input, theirs: newest.content }, newest.revision)
      return { save, ...nothingElse }
    }
    await refuseOwned(transaction, { order, input: { ...input, content }, newest })
    const { author, comment, source = { kind: 'console' }, registry } = order
    const revision: RegistryRevision = {
      registry,
      number: newest.number + 1,
      digest,
      author,
      at: clock.nowMs(),
      comment,
      source,
      entries: content.entries.length,
    }
    await transaction.insertRevision({ revision, text: formatEntries(content, 0) })
    await transaction.appendAudit([auditRow(revision)])
    const moved = registry === 'nodes' ? await fleet.apply(transaction, nodesIn(content), author) : []
    const plans = await dependencies.refreshPlans(transaction)
    return { save: { status: 'saved' as const, revision }, moved, plans }
  }

  /** The whole registry: of a source, what it brings in the place of what it brought. */
  async function contentToSave(
    transaction: StoreTransaction,
    { order, input, newest }: Writing,
  ): Promise<RegistryEntries> {
    const { sourceId } = order
    if (sourceId === undefined) return input.content
    const owners = await ownersOf(transaction, order.registry)
    const twice = claimedTwice(input.content, sourceId, owners)
    if (twice.length > 0) throw invalid(order.registry, problemsOf(input, twice), input.text)
    const old = new Set([...owners].flatMap(([name, { id }]) => (id === sourceId ? [name] : [])))
    if (order.acceptRemovals !== true) refuseRemovals(order.registry, old, input.content)
    const merged = withBrought(newest.content, input.content, old)
    const clashes = clashesWith(merged, input.content)
    if (clashes.length > 0) throw invalid(order.registry, problemsOf(input, clashes), input.text)
    await saveOwned(
      transaction,
      sourceId,
      input.content.entries.map(({ name }) => name),
    )
    return merged
  }

  async function refuseOwned(transaction: StoreTransaction, { order, input, newest }: Writing): Promise<void> {
    if (order.sourceId !== undefined) return
    const mistakes = await owned(transaction, newest.content, input.content)
    if (mistakes.length > 0) throw invalid(order.registry, problemsOf(input, mistakes), input.text)
  }

  async function check(registry: RegistryKind, text: string): ReturnType<RegistryStore['check']> {
    const input = await prepare(registry, text, { look: true })
    if (!('content' in input)) return { status: 'invalid', problems: shownProblems(input) }
    const { content } = input
    const newest = await revisions.read(store, registry)
    const mistakes = await owned(store, newest.content, content)
    if (mistakes.length > 0) return { status: 'invalid', problems: shownProblems(problemsOf(input, mistakes)) }
    const services = servicesIn(content)
    const warnings =
      registry === 'services' ? [...serviceWarnings(services), ...(await deliveryWarnings(store, services))] : []
    return {
      status: 'valid',
      entries: content.entries.length,
      changes: shownChanges(newest.content, content),
      effects: await effectsOf(store, { before: servicesIn(newest.content), after: services }),
      fleet:
        registry === 'nodes'
          ? await fleet.effects(store, { before: nodesIn(newest.content), after: nodesIn(content) })
          : [],
      warnings,
    }
  }

  async function get(
    registry: RegistryKind,
    { number, format }: { readonly number?: number; readonly format: 'json' | 'yaml' },
  ): ReturnType<RegistryStore['get']> {
    const found = await revisions.read(store, registry, number)
    if (found.revision === null) return null
    return { revision: found.revision, text: showEntries(await shown(found, number), format) }
  }

  /** The newest nodes as the fleet knows them now (S1.19-21); older revisions as they were. */
  async function shown({ content }: ReadRevision, number: number | undefined): Promise<RegistryEntries> {
    return number === undefined && content.registry === 'nodes'
      ? withLiveStatus(content, await store.listNodes())
      : content
  }

  async function returnTo({
    registry,
    toNumber,
    comment,
    author,
  }: Parameters<RegistryStore['return']>[0]): Promise<RegistryRevision> {
    const { content } = await revisions.read(store, registry, toNumber)
    const source: RevisionSource = { kind: 'return', toNumber }
    const outcome = await write({ registry, baseNumber: 'newest', comment, author, source }, { content, text: null })
    if (outcome.status === 'conflict') throw new AppError('INTERNAL', 'a return to an older revision had a base')
    return outcome.revision
  }

  /** Before the values leave: who could open them elsewhere is known. */
  async function recordExport({
    operator,
    ...detail
  }: {
    readonly registry: RegistryKind
    readonly number: number
    readonly operator: string
    readonly sealedValues: number
  }): Promise<void> {
    const subject = `${detail.registry} ${detail.number}`
    await store.transact((transaction) =>
      transaction.appendAudit([{ at: clock.nowMs(), actor: operator, action: 'registry.export', subject, detail }]),
    )
  }

  return {
    get,
    owners: (registry) => broughtBySource(store, registry),
    history: (registry, query) => store.listRevisions(registry, query),
    check,
    compare: async (registry, { from, to }) => {
      const before = await revisions.read(store, registry, from)
      const after = await revisions.read(store, registry, to)
      const change = { before: servicesIn(before.content), after: servicesIn(after.content) }
      return {
        changes: shownChanges(before.content, after.content),
        effects: registry === 'services' ? await effectsOf(store, change) : [],
      }
    },
    save: async (order) => write(order, await prepared(order)),
    return: returnTo,
    export: async ({ registry, format, passphrase, operator }) => {
      const newest = await revisions.read(store, registry)
      const { content, ...counts } = await exports.export(await shown(newest, undefined), passphrase)
      if (counts.sealedValues > 0) await recordExport({ registry, number: newest.number, operator, ...counts })
      return { text: showEntries(content, format), ...counts }
    },
    import: async ({ passphrase, ...order }) => write(order, await prepared(order, passphrase)),
  }
}

/** What only the source of an entry may change. */
async function owned(
  reader: Pick<StoreReader, 'listSources' | 'getSetting'>,
  before: RegistryEntries,
  after: RegistryEntries,
): Promise<ValueMistake[]> {
  const owners = await ownersOf(reader, after.registry)
  return owners.size === 0 ? [] : ownedChanges(comparable(before), comparable(after), owners)
}

interface Writing {
  readonly order: Omit<SaveOrder, 'text'>
  readonly input: Prepared
  readonly newest: ReadRevision
}

const shownRemovals = 20

/** @throws PRECONDITION_FAILED when a source takes away more than is believed without a person's word */
function refuseRemovals(registry: RegistryKind, old: ReadonlySet<string>, brought: RegistryEntries): void {
  const kept = new Set(brought.entries.map(({ name }) => name))
  const removed = [...old].filter((name) => !kept.has(name))
  if (!removesTooMuch({ before: old.size, removed: removed.length, now: kept.size })) return
  throw new AppError(
    'PRECONDITION_FAILED',
    `It takes away ${removed.length} of the ${old.size} entries it had brought to the ${registry} registry, which is held until a person has said that it is meant.`,
    { data: { removed: removed.slice(0, shownRemovals) } },
  )
}

function refuseFuture(registry: RegistryKind, baseNumber: number, newest: number): void {
  if (baseNumber <= newest) return
  const message = `There is no revision ${baseNumber} of the ${wordOf(registry)}; the newest is ${newest}. Load it again.`
  throw new AppError('INVALID_INPUT', message, { data: { field: 'baseNumber', newest } })
}

function conflictOf(
  {
    base,
    input,
    theirs,
  }: { readonly base: RegistryEntries; readonly input: Prepared; readonly theirs: RegistryEntries },
  current: RegistryRevision,
): RegistrySave {
  const { merged, conflicts } = mergeContents({ base, ours: input.content, theirs })
  const format = input.text === null || isJsonText(input.text) ? 'json' : 'yaml'
  return { status: 'conflict', current, merged: showEntries(merged, format), conflicts }
}

/** Between what a source brings and what else is there; the source is the later one. */
function clashesWith(merged: RegistryEntries, brought: RegistryEntries): ValueMistake[] {
  if (merged.registry !== 'services') return []
  const names = new Set(brought.entries.map(({ name }) => name))
  const [others, its] = [false, true].map((own) => merged.entries.filter(({ name }) => names.has(name) === own))
  return serviceClashes([...(others ?? []), ...(its ?? [])]).map(({ name, field, message }) => ({
    path: [name, field],
    message,
  }))
}

const auditRow = ({ registry, number, digest, author, at, source, entries }: RegistryRevision) => ({
  at,
  actor: author,
  action: 'registry.save',
  subject: `${registry} ${number}`,
  detail: { registry, number, digest, source, entries },
})

/** Sensitive values show as changed, never as themselves. */
function shownChanges(before: RegistryEntries, after: RegistryEntries): EntryChange[] {
  return changesBetween(comparable(before), comparable(after))
}

/** In the text where there is one; else the entry is named. */
function problemsOf({ text }: Prepared, mistakes: readonly ValueMistake[]): readonly SourceProblem[] {
  return text === null ? mistakes.map((mistake) => ({ ...mistake, line: 1, column: 1 })) : problemsAt(text, mistakes)
}

function shownProblems(problems: readonly SourceProblem[]): RegistryProblem[] {
  return problems.slice(0, mostProblems).map((problem) => ({ ...problem, path: [...problem.path] }))
}

function invalid(registry: RegistryKind, problems: readonly SourceProblem[], text: string | null): AppError {
  const [first] = problems
  const line = text === null ? '' : ` (line ${first?.line})`
  const where = first === undefined ? '' : `${jsonPath(first.path)}${line} ${first.message}`
  const others = problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''
  const message = `The ${wordOf(registry)} is as it was; this cannot be saved: ${where}${others}.`
  return new AppError('REGISTRY_INVALID', message, {
    data: { registry, problems: shownProblems(problems), total: problems.length },
  })
}
