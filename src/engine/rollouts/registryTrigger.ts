import { planRollout, rolloutTransition } from '../../core/rollout/plan.ts'
import type { Timer } from '../../platform/clock.ts'
import { toAppError } from '../../shared/errors.ts'
import { RolloutId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Plan } from '../../shared/model/plan.ts'
import { RegistryKind, type RegistryRevision } from '../../shared/model/registry.ts'
import type { Rollout } from '../../shared/model/rollout.ts'
import type { StoreTransaction } from '../ports.ts'
import type { Conductor } from './conductor.ts'
import type { RolloutDependencies } from './dependencies.ts'
import { canBePushedTo, followsRegistry, inOrder, lacks, namedPlans } from './selection.ts'
import { readSettings } from './settings.ts'

const firstPauseMs = 250
const longestPauseMs = 2_000

const handledKey = (registry: RegistryKind): string => `rollouts.handled.${registry}`

/** A change of the registry, and what it means for the fleet as of this transaction. */
interface Change {
  readonly revision: RegistryRevision
  readonly plans: readonly Plan[]
  readonly nodes: readonly FleetNode[]
}

/**
 * Begins the rollouts of registry changes. Level-triggered: whoever calls, it compares the newest revision with the last
 * one that went out, and what nodes should have with what was read back from them. A change goes out at once while
 * nothing is under way; changes that come faster than the fleet takes them are gathered, and the last one wins.
 */
export class RegistryTrigger {
  readonly #dependencies: RolloutDependencies
  readonly #conductor: Conductor
  #pauseMs = firstPauseMs
  #timer: Timer | null = null
  #looking = false
  #stopped = false

  constructor(dependencies: RolloutDependencies, conductor: Conductor) {
    this.#dependencies = dependencies
    this.#conductor = conductor
  }

  /** There may be a newer revision. Never rejects. */
  async changed(): Promise<void> {
    if (this.#stopped || this.#timer !== null) return
    if (!this.#looking && !this.#underWay()) {
      this.#pauseMs = firstPauseMs
      return this.look()
    }
    this.#timer = this.#dependencies.clock.setTimer(
      this.#pauseMs,
      () => {
        this.#timer = null
        void this.look()
      },
      { unref: true },
    )
    this.#pauseMs = Math.min(longestPauseMs, 2 * this.#pauseMs)
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.#timer = null
  }

  /** Looks now. Never rejects: what could not be begun is tried again. */
  async look(): Promise<void> {
    this.#looking = true
    try {
      await this.#conductor.serially(() => this.#begin())
    } catch (error) {
      if (this.#stopped) return
      this.#dependencies.logger.error(
        { err: toAppError(error) },
        'a change of the registry could not be rolled out yet',
      )
      this.#timer ??= this.#dependencies.clock.setTimer(
        longestPauseMs,
        () => {
          this.#timer = null
          void this.look()
        },
        { unref: true },
      )
    } finally {
      this.#looking = false
    }
  }

  #underWay(): boolean {
    return this.#conductor.open().some(({ cause, status }) => cause.kind === 'registry' && status === 'running')
  }

  async #begin(): Promise<void> {
    const { store, logger } = this.#dependencies
    const begun = await store.transact(async (transaction) => {
      const change = await readChange(transaction)
      return change === null ? null : this.#register(transaction, change)
    })
    if (begun === null) return
    for (const finish of begun.finishOlder) await finish()
    const { rollout } = begun.progress
    logger.info(
      { rolloutId: rollout.id, cause: rollout.cause, nodes: rollout.nodes.length },
      'a change of the registry goes out',
    )
    await this.#conductor.lead(begun.progress, begun.effects)
  }

  /** The new rollout and the end of those it replaces are one transaction. */
  async #register(transaction: StoreTransaction, { revision, plans, nodes }: Change) {
    const { clock, ids } = this.#dependencies
    for (const { registry, number } of await newestRevisions(transaction))
      await transaction.setSetting(handledKey(registry), String(number))
    if (nodes.length === 0) return null
    const nowMs = clock.nowMs()
    const id = RolloutId.parse(ids())
    const facts = {
      id,
      cause: { kind: 'registry', registry: revision.registry, revision: revision.number } as const,
      plans: namedPlans(plans),
      settings: await readSettings(transaction),
      requestedBy: revision.author,
      createdAt: nowMs,
    }
    const older = await this.#replaced(transaction)
    const finishOlder = await Promise.all(older.map((each) => this.#conductor.supersede(transaction, each.id, id)))
    const planned = planRollout(facts, inOrder(nodes))
    // A person has said that nothing more goes out; only a person lets it go on.
    const waits = older.some(({ status }) => status === 'paused')
    const { progress, effects } = rolloutTransition(planned, { kind: waits ? 'paused' : 'began' }, { nowMs })
    await transaction.saveRollout(progress.rollout)
    return { progress, effects, finishOlder }
  }

  /** Open ones that bring nothing but what follows the registry: the new one brings all of that. */
  async #replaced(transaction: StoreTransaction): Promise<Rollout[]> {
    const kinds = new Map((await transaction.listPlans()).map((plan) => [plan.id, plan.kind]))
    return this.#conductor.open().filter(
      ({ plans }) =>
        plans.length > 0 &&
        plans.every(({ planId }) => {
          const kind = kinds.get(planId)
          return kind === undefined || followsRegistry({ kind })
        }),
    )
  }
}

/** Null when the newest revisions have gone out. */
async function readChange(transaction: StoreTransaction): Promise<Change | null> {
  const revision = await newestUnhandled(transaction)
  if (revision === null) return null
  const plans = (await transaction.listPlans()).filter(followsRegistry)
  const planIds = new Set(plans.map(({ id }) => id))
  const nodes = (await transaction.listNodes()).filter((node) => canBePushedTo(node) && lacks(node, planIds))
  const concerned = plans.filter(({ id }) => nodes.some((node) => lacks(node, new Set([id]))))
  return { revision, plans: concerned, nodes }
}

async function newestRevisions(transaction: StoreTransaction): Promise<RegistryRevision[]> {
  const newest = await Promise.all(RegistryKind.options.map((kind) => transaction.listRevisions(kind, { limit: 1 })))
  return newest.flat()
}

/** The registry whose newest revision has not gone out; of two the services, whose content it is. */
async function newestUnhandled(transaction: StoreTransaction): Promise<RegistryRevision | null> {
  for (const revision of await newestRevisions(transaction)) {
    const handled = Number((await transaction.getSetting(handledKey(revision.registry))) ?? 0)
    if (revision.number > handled) return revision
  }
  return null
}
