import {
  canBeRenewed,
  hostCertificateIsDue,
  loginCertificateIsDue,
  type RenewalContext,
} from '../../core/ca/renewalDue.ts'
import { selects } from '../../core/fleet/assignment.ts'
import type { Clock, Timer } from '../../platform/clock.ts'
import type { IdSource } from '../../platform/ids.ts'
import type { Logger } from '../../platform/logger.ts'
import { toAppError } from '../../shared/errors.ts'
import type { Authority } from '../../shared/model/certificate.ts'
import { IdempotencyKey } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Plan } from '../../shared/model/plan.ts'
import type { Authorities, Identities, Store } from '../ports.ts'
import type { RunService } from '../runs/runService.ts'

export interface RenewalDependencies {
  readonly store: Pick<Store, 'listNodes' | 'listPlans'>
  readonly clock: Clock
  readonly ids: IdSource
  readonly identities: Pick<Identities, 'current'>
  readonly authorities: Pick<Authorities, 'list'>
  readonly otherIssuerActive: () => Promise<boolean>
  /** New certificates for these nodes, each proven by a login; rejects when none could be made. */
  readonly renew: (nodes: readonly FleetNode[], reason: string) => Promise<readonly { readonly accepted: boolean }[]>
  readonly runs: Pick<RunService, 'push'>
  readonly config: { readonly certificate: { readonly minValidSeconds: number } }
  readonly logger: Pick<Logger, 'info' | 'warn'>
  /** 0 to 1; spreads tries of many engines that wait for the same authority. */
  readonly random?: () => number
}

/** Renews certificates before anybody misses them. */
export interface RenewalLoop {
  start(): void
  /** Resolves when nothing is under way any more. */
  stop(): Promise<void>
  /** The machine woke up, or another authority signs: look now. */
  wake(): void
  /** One look now, whatever the breaker says. */
  runOnce(): Promise<void>
}

/** The wall clock is looked at this often: a certificate that ended while the machine slept is noticed soon (U8). */
const tickMs = 30_000
const firstPauseMs = 30_000
const longestPauseMs = 600_000
/** A host certificate whose run failed is not tried again before. */
const hostPauseMs = 600_000

export function createRenewalLoop(dependencies: RenewalDependencies): RenewalLoop {
  return new WallClockLoop(dependencies)
}

/**
 * Looks at everything every time: what was missed, for whatever reason, is found again by the next look. While the
 * authority is away it waits longer and longer; what is still valid goes on meanwhile.
 */
class WallClockLoop implements RenewalLoop {
  readonly #dependencies: RenewalDependencies
  #timer: Timer | null = null
  #running: Promise<void> | null = null
  #again = false
  #started = false
  #failures = 0
  /** On the monotonic clock: a breaker must not stay open because somebody set the clock back. */
  #closedUntilMs = Number.NEGATIVE_INFINITY
  readonly #hostTries = new Map<string, number>()

  constructor(dependencies: RenewalDependencies) {
    this.#dependencies = dependencies
  }

  start(): void {
    this.#started = true
    this.#arm()
  }

  async stop(): Promise<void> {
    this.#started = false
    this.#timer?.cancel()
    this.#timer = null
    await this.#running
  }

  wake(): void {
    if (!this.#started) return
    if (this.#running === null) this.#look()
    else this.#again = true
  }

  async runOnce(): Promise<void> {
    await this.#running
    await this.#renewLogins()
    await this.#renewHosts()
  }

  #arm(): void {
    this.#timer?.cancel()
    this.#timer = this.#dependencies.clock.setTimer(tickMs, () => {
      this.wake()
      this.#arm()
    })
  }

  #look(): void {
    this.#running = this.#guarded().finally(() => {
      this.#running = null
      if (!this.#again) return
      this.#again = false
      this.wake()
    })
  }

  async #guarded(): Promise<void> {
    const { clock, logger } = this.#dependencies
    if (clock.monotonicMs() < this.#closedUntilMs) return
    try {
      await this.#renewLogins()
      await this.#renewHosts()
      this.#failures = 0
    } catch (error) {
      const pauseMs = this.#open()
      logger.warn({ err: toAppError(error), pauseMs }, 'certificates could not be renewed and will be tried again')
    }
  }

  #open(): number {
    const { clock, random = Math.random } = this.#dependencies
    const wholeMs = Math.min(longestPauseMs, firstPauseMs * 2 ** this.#failures)
    const pauseMs = Math.round(wholeMs * (0.5 + random() / 2))
    this.#failures += 1
    this.#closedUntilMs = clock.monotonicMs() + pauseMs
    return pauseMs
  }

  /** All that are due in one signing batch; the logins that prove them run a few at a time. */
  async #renewLogins(): Promise<void> {
    const { store, clock, identities, config, renew, logger } = this.#dependencies
    const context: RenewalContext = {
      nowMs: clock.nowMs(),
      minValidMs: config.certificate.minValidSeconds * 1000,
      signer: await this.#requiredSigner(),
    }
    const due = (await store.listNodes()).filter((node) => {
      if (node.login.kind === 'static-key') return false
      const identity = identities.current(node.id, 'automation')
      const held = identity?.kind === 'certificate' ? identity.certificate : null
      return canBeRenewed(node) && loginCertificateIsDue(held, node.certificate, context)
    })
    if (due.length === 0) return
    const reason = context.signer === null ? 'ends soon' : 'ends soon, or the authority is being replaced'
    const renewed = await renew(due, reason)
    logger.info(
      { nodes: due.length, accepted: renewed.filter(({ accepted }) => accepted).length },
      'renewed certificates',
    )
  }

  /** While a rotation is past its first phase, certificates of the other authority are in the way of its end. */
  async #requiredSigner(): Promise<string | null> {
    if (await this.#dependencies.otherIssuerActive()) return null
    const user = await this.#authority('ssh-user')
    const phase = user?.rotation?.phase
    return user === undefined || phase === undefined || phase === 'trust' ? null : user.fingerprint
  }

  async #renewHosts(): Promise<void> {
    const { store } = this.#dependencies
    const plans = (await store.listPlans()).filter(({ kind }) => kind === 'host-certificate')
    if (plans.length === 0) return
    const nodes = await this.#dueHosts()
    for (const plan of plans) await this.#register(plan, nodes)
  }

  async #dueHosts(): Promise<FleetNode[]> {
    const { store, clock } = this.#dependencies
    const host = await this.#authority('ssh-host')
    const context = { nowMs: clock.nowMs(), signer: host?.fingerprint ?? null }
    return (await store.listNodes()).filter(
      (node) =>
        canBeRenewed(node) && node.hostCertificate !== null && hostCertificateIsDue(node.hostCertificate, context),
    )
  }

  async #register(plan: Plan, due: readonly FleetNode[]): Promise<void> {
    const { runs, ids, clock } = this.#dependencies
    const nowMs = clock.monotonicMs()
    const key = (node: FleetNode): string => `${plan.id} ${node.id}`
    const nodes = due.filter(
      (node) =>
        selects(plan, node) && nowMs >= (this.#hostTries.get(key(node)) ?? Number.NEGATIVE_INFINITY) + hostPauseMs,
    )
    if (nodes.length === 0) return
    await runs.push({
      idempotencyKey: IdempotencyKey.parse(`renew.${ids()}`),
      plans: [plan.id],
      targets: { kind: 'nodes', nodes: nodes.map(({ id }) => id) },
      trigger: 'reconcile',
      requestedBy: 'engine',
    })
    for (const node of nodes) this.#hostTries.set(key(node), nowMs)
  }

  async #authority(kind: Authority['kind']): Promise<Authority | undefined> {
    return (await this.#dependencies.authorities.list()).find((one) => one.kind === kind)
  }
}
