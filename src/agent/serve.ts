import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { isDue, type ScheduleState, scheduleAt } from '../core/agent/schedule.ts'
import { readJson, writeFileAtomic } from '../platform/atomicFile.ts'
import { toAppError } from '../shared/errors.ts'
import type { AgentActivity } from '../shared/model/agent.ts'
import { isFinal } from '../shared/model/run.ts'
import { haltedRun, type OpenAgent, runOnce } from './agent.ts'
import { nextTimeOf } from './config.ts'
import { fetchDeliveries } from './deliveries/fetch.ts'
import { abandonedRuns } from './run/journal.ts'
import { sendSpooled } from './run/spool.ts'

const heartbeatMs = 30_000
/** How often the wall clock is looked at: one long timer would sleep with the machine. */
const tickMs = 1_000

const StoredSchedule = z.object({ expression: z.string(), nextRunAt: z.number().int() })

/** `serve`: runs by the schedule, says that it lives, sends what waits. Resolves when `signal` says stop. */
export async function serve(agent: OpenAgent, signal: AbortSignal): Promise<void> {
  const server = new Server(agent, signal)
  await Promise.all([server.runBySchedule(), server.sendHeartbeats()])
}

class Server {
  readonly #agent: OpenAgent
  readonly #signal: AbortSignal
  #activity: AgentActivity = { status: 'idle', nextRunAt: null }
  #schedule: ScheduleState | null = null
  #toldHalted: string | null = null

  constructor(agent: OpenAgent, signal: AbortSignal) {
    this.#agent = agent
    this.#signal = signal
  }

  async runBySchedule(): Promise<void> {
    const { setup, clock } = this.#agent
    this.#schedule = await this.#nextTime(
      (await readJson(setup.state.schedule, StoredSchedule).catch(() => null)) ?? null,
    )
    if (await this.#hasUnfinishedRun()) await this.#runNow('restart')
    while (!this.#signal.aborted) {
      if (this.#schedule !== null && isDue(this.#schedule, clock.nowMs())) {
        // Before the run: whatever happens in it, this time is used up.
        this.#schedule = await this.#nextTime(null)
        await this.#runNow('schedule')
      }
      await this.#pause(tickMs)
    }
  }

  /** The time to wait for, on disk before anybody waits for it. */
  async #nextTime(stored: ScheduleState | null): Promise<ScheduleState | null> {
    const { setup, clock } = this.#agent
    const expression = setup.config.sync.schedule
    if (expression === null) return null
    const next = scheduleAt(stored, expression, clock.nowMs(), (afterMs) => nextTimeOf(expression, afterMs))
    if (next !== null) await writeFileAtomic(setup.state.schedule, JSON.stringify(next))
    this.#activity = { status: 'idle', nextRunAt: next?.nextRunAt ?? null }
    return next
  }

  async #hasUnfinishedRun(): Promise<boolean> {
    const left = await abandonedRuns(this.#agent.setup.state.runs)
    return left.some(({ run }) => run.status !== 'halted' && !isFinal(run.status))
  }

  async #runNow(requestedBy: string): Promise<void> {
    const { logging } = this.#agent
    if (await this.#isHalted()) return
    try {
      const result = await runOnce(this.#agent, {
        requestedBy,
        signal: this.#signal,
        onChange: ({ runId, run }) => {
          if (runId !== null)
            this.#activity = { status: 'running', runId, state: run.state, since: run.startedAt ?? run.createdAt }
        },
      })
      this.#afterRun(result.kind === 'locked-out')
    } catch (error) {
      const { code, message } = toAppError(error)
      logging.logger.error({ code }, `the run did not begin: ${message}`)
      this.#afterRun(false)
    }
  }

  #afterRun(lockedOut: boolean): void {
    this.#activity = lockedOut
      ? { status: 'locked-out', since: this.#agent.clock.nowMs() }
      : { status: 'idle', nextRunAt: this.#schedule?.nextRunAt ?? null }
  }

  /** A halted run leaves only by a person's action; until then the schedule starts nothing. */
  async #isHalted(): Promise<boolean> {
    const halted = await haltedRun(this.#agent.setup)
    if (halted !== null && this.#toldHalted !== halted.key) {
      const sentence = halted.run.halt?.diagnosis.sentence ?? ''
      this.#agent.logging.logger.warn({ runId: halted.runId }, `nothing is started while a run is halted: ${sentence}`)
    }
    this.#toldHalted = halted?.key ?? null
    return halted !== null
  }

  async sendHeartbeats(): Promise<void> {
    const { setup, session, logging } = this.#agent
    while (!this.#signal.aborted) {
      try {
        await session.heartbeat(this.#activity)
        await sendSpooled(setup.state.spool, session.controlPlane, logging.logger)
        await fetchDeliveries(this.#agent)
      } catch (error) {
        const { code, message } = toAppError(error)
        logging.logger.warn({ code }, `heartbeat: ${message}`)
      }
      await this.#pause(heartbeatMs * (0.9 + Math.random() * 0.2))
    }
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#signal }).catch(() => undefined)
  }
}
