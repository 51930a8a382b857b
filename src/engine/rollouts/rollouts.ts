import { hash } from 'node:crypto'
import { newestRuns, outcomesByNode } from '../../core/rollout/outcomes.ts'
import { planRollout, type RolloutEvent, rolloutTransition } from '../../core/rollout/plan.ts'
import { AppError } from '../../shared/errors.ts'
import { type IdempotencyKey, RolloutId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import { type Rollout, RolloutSettings, type RolloutStatus } from '../../shared/model/rollout.ts'
import type { NewAuditEntry, Rollouts, StoreReader, StoreTransaction } from '../ports.ts'
import { type Assignment, resolveTargets } from '../runs/registration.ts'
import { Conductor } from './conductor.ts'
import type { RolloutDependencies } from './dependencies.ts'
import { RegistryTrigger } from './registryTrigger.ts'
import { followsRegistry, inOrder, namedPlans } from './selection.ts'
import { readSettings, settingsKey } from './settings.ts'

type BeginOrder = Parameters<Rollouts['begin']>[0]

const mostRuns = 1_000_000

/** Brings changes to the fleet, the canaries first. Nothing is taken up before `start`. */
export function createRollouts(dependencies: RolloutDependencies): Rollouts {
  const { store, clock, ids } = dependencies
  const conductor = new Conductor(dependencies)
  const trigger = new RegistryTrigger(dependencies, conductor)

  const fresh = (rollout: Rollout): Rollout => conductor.current(rollout.id) ?? rollout

  async function known(id: RolloutId): Promise<Rollout> {
    const rollout = conductor.current(id) ?? (await store.getRollout(id))
    if (rollout !== null) return rollout
    throw new AppError('NOT_FOUND', `There is no rollout ${id}. "lockstep rollouts list" shows them.`, {
      data: { rolloutId: id },
    })
  }

  interface Wanted {
    readonly key: IdempotencyKey
    /** Of what was asked for: a key is for one question. */
    readonly question: string
    readonly cause: Rollout['cause']
    readonly settings: RolloutSettings
    readonly requestedBy: string
    /** What is to be brought to whom, as of this transaction. */
    readonly assignments: (transaction: StoreReader) => Promise<readonly Assignment[]>
  }

  /** The same key gives the same rollout, after a crash too. */
  async function beginOnce(wanted: Wanted): Promise<Rollout> {
    return conductor.serially(async () => {
      const begun = await store.transact(async (transaction) => {
        const earlier = await findByKey(transaction, wanted)
        return earlier === null ? register(transaction, wanted) : { earlier }
      })
      if ('earlier' in begun) return fresh(begun.earlier)
      await conductor.lead(begun.progress, begun.effects)
      return fresh(begun.progress.rollout)
    })
  }

  async function register(transaction: StoreTransaction, wanted: Wanted) {
    const { cause, settings, requestedBy } = wanted
    const assignments = await wanted.assignments(transaction)
    const nowMs = clock.nowMs()
    const id = RolloutId.parse(ids())
    const facts = { id, cause, plans: plansOf(assignments), settings, requestedBy, createdAt: nowMs }
    const planned = planRollout(facts, inOrder(nodesOf(assignments)))
    const transition = rolloutTransition(planned, { kind: 'began' }, { nowMs })
    await transaction.saveRollout(transition.progress.rollout)
    await transaction.setSetting(keySetting(wanted.key), `${id} ${wanted.question}`)
    const detail = { cause, plans: facts.plans.map(({ planName }) => planName), nodes: planned.rollout.nodes.length }
    await transaction.appendAudit([{ at: nowMs, actor: requestedBy, action: 'rollout.begin', subject: id, detail }])
    return transition
  }

  function begin(order: BeginOrder): Promise<Rollout> {
    const { idempotencyKey: key, plans, targets, settings, requestedBy } = order
    return beginOnce({
      key,
      question: sha256(JSON.stringify([plans, targets, settings])),
      cause: { kind: 'operator' },
      settings,
      requestedBy,
      assignments: async (transaction) => {
        const all = await resolveTargets(transaction, { plans, targets }, clock.nowMs())
        const chosen = plans.length > 0 ? all : all.filter(({ plan }) => followsRegistry(plan))
        if (chosen.length > 0) return chosen
        throw new AppError('PRECONDITION_FAILED', nothingToDo(plans), { data: { plans: [...plans] } })
      },
    })
  }

  async function retryFailed(id: RolloutId, key: IdempotencyKey, requestedBy: string): Promise<Rollout> {
    const { settings, plans } = await known(id)
    const planIds = plans.map(({ planId }) => planId)
    return beginOnce({
      key,
      question: id,
      cause: { kind: 'failed-of', rolloutId: id },
      settings,
      requestedBy,
      assignments: async (transaction) => {
        const runs = await transaction.listRuns({ rolloutId: id, limit: mostRuns })
        const nodeIds = [...outcomesByNode(runs)]
          .filter(([, outcome]) => outcome === 'failed' || outcome === 'canceled')
          .map(([nodeId]) => nodeId)
        const ready = { plans: planIds, targets: { kind: 'ready', nodeIds } } as const
        const again = await resolveTargets(transaction, ready, clock.nowMs())
        if (again.length > 0) return again
        const message = 'There is no node where this rollout has failed or was canceled and that can be pushed to now.'
        throw new AppError('PRECONDITION_FAILED', message, { data: { rolloutId: id } })
      },
    })
  }

  interface Wish {
    readonly event: RolloutEvent
    /** Statuses in which it can be done, and the one it leads to: there it is done already. */
    readonly from: readonly RolloutStatus[]
    readonly to: RolloutStatus
    readonly word: string
  }

  function wish(id: RolloutId, actor: string, { event, from, to, word }: Wish): Promise<Rollout> {
    return conductor.serially(async () => {
      const { status } = await known(id)
      if (status === to) return known(id)
      if (!from.includes(status))
        throw new AppError('PRECONDITION_FAILED', `This rollout is ${status}; it cannot be ${word} any more.`, {
          data: { rolloutId: id, status },
        })
      const audit: NewAuditEntry = {
        at: clock.nowMs(),
        actor,
        action: `rollout.${event.kind}`,
        subject: id,
        detail: { status },
      }
      return conductor.play(id, event, [audit])
    })
  }

  return {
    start: async () => {
      await conductor.recover()
      await trigger.look()
    },
    stop: async () => {
      trigger.stop()
      await conductor.stop()
    },
    list: async (query) => (await store.listRollouts(query)).map(fresh),
    get: async (id) => ({
      rollout: await known(id),
      runs: newestRuns(await store.listRuns({ rolloutId: id, limit: mostRuns })),
    }),
    begin,
    retryFailed,
    registryChanged: () => trigger.changed(),
    pause: (id, actor) =>
      wish(id, actor, { event: { kind: 'paused' }, from: ['running'], to: 'paused', word: 'paused' }),
    resume: (id, actor) =>
      wish(id, actor, { event: { kind: 'resumed' }, from: ['paused', 'stopped'], to: 'running', word: 'resumed' }),
    abort: (id, actor) =>
      wish(id, actor, {
        event: { kind: 'aborted' },
        from: ['running', 'paused', 'stopped'],
        to: 'aborted',
        word: 'aborted',
      }),
    settings: () => readSettings(store),
    setSettings: async (settings, actor) => {
      const checked = RolloutSettings.parse(settings)
      await store.transact(async (transaction) => {
        await transaction.setSetting(settingsKey, JSON.stringify(checked))
        const at = clock.nowMs()
        await transaction.appendAudit([{ at, actor, action: 'rollout.settings', subject: '', detail: { ...checked } }])
      })
      return checked
    },
  }
}

const sha256 = (text: string): string => hash('sha256', text, 'hex')
const keySetting = (key: IdempotencyKey): string => `rollout.key.${sha256(key)}`

async function findByKey(
  transaction: StoreReader,
  { key, question }: { readonly key: IdempotencyKey; readonly question: string },
): Promise<Rollout | null> {
  const before = await transaction.getSetting(keySetting(key))
  if (before === null) return null
  const [id = '', asked] = before.split(' ')
  if (asked === question) return transaction.getRollout(RolloutId.parse(id))
  throw new AppError('CONFLICT', 'This idempotency key was used for another rollout. Make a new key for a new one.', {
    data: { field: 'idempotencyKey' },
  })
}

const nothingToDo = (plans: readonly string[]): string =>
  plans.length > 0
    ? 'None of these plans reaches any of these nodes, or all of them are in maintenance.'
    : 'No plan of kind routes or hosts reaches any of these nodes. Add one, or name the plans to roll out.'

const plansOf = (assignments: readonly Assignment[]): Rollout['plans'] =>
  namedPlans(assignments.map(({ plan }) => plan))

function nodesOf(assignments: readonly Assignment[]): FleetNode[] {
  return [...new Map(assignments.map(({ node }) => [node.id, node])).values()]
}
