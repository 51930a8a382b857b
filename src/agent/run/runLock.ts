import { describeHolder, type LockContent, type LockDecision, type LockSelf } from '../../core/agent/lock.ts'
import { unexpected } from '../../core/run/causes.ts'
import { diagnosisOf } from '../../core/run/thrown.ts'
import type { Logger } from '../../platform/logger.ts'
import type { AgentSetup } from '../config.ts'
import { lockSelf, readLock, releaseLock, renameLock, takeLock } from '../lockFile.ts'
import type { JournalRecord } from './journal.ts'
import type { StepOutcome } from './outcome.ts'
import type { RunLog } from './runLog.ts'

/** Another agent holds the lock: a clean end (S0.50). */
export class LockedOut extends Error {
  readonly holder: LockContent
  constructor(holder: LockContent) {
    super('another agent works')
    this.holder = holder
  }
}

type Keys = Pick<JournalRecord, 'key' | 'runId'>

interface RunLockParts {
  readonly setup: AgentSetup
  readonly logger: Logger
  readonly log: RunLog
}

/** The lock of the machine in the hand of one run (S0.46-57, D5-D7). */
export class RunLock {
  readonly #parts: RunLockParts
  readonly #keys: () => Keys
  #taken = false

  constructor(parts: RunLockParts, keys: () => Keys) {
    this.#parts = parts
    this.#keys = keys
  }

  get #path(): string {
    return this.#parts.setup.config.lock_file
  }

  get #self(): LockSelf {
    const { key, runId } = this.#keys()
    return lockSelf(runId === null ? [key] : [key, runId])
  }

  /** What is written: the key until there is a run id (D5). */
  get #name(): string {
    const { key, runId } = this.#keys()
    return runId ?? key
  }

  /** @throws LockedOut while another agent of this machine works */
  async take(): Promise<StepOutcome> {
    try {
      const decision = await takeLock(this.#path, this.#self, this.#name)
      if (decision.kind === 'yield') throw new LockedOut(decision.holder)
      if (decision.kind === 'foreign') return { kind: 'fatal', diagnosis: foreignLock(this.#path, decision.holder) }
      this.#taken = true
      this.#tell(decision)
      return { kind: 'done' }
    } catch (error) {
      if (error instanceof LockedOut) throw error
      return { kind: 'fatal', diagnosis: diagnosisOf(error) }
    }
  }

  #tell(decision: LockDecision): void {
    const { log, logger } = this.#parts
    if (decision.kind !== 'reclaim') {
      log.line(`took the lock ${this.#path}`)
      return
    }
    const from = decision.holder === null ? 'it could not be read' : `it was left by ${describeHolder(decision.holder)}`
    const line = `reclaimed the lock ${this.#path} (${decision.reason}): ${from}`
    log.line(line)
    logger.warn({ reason: decision.reason }, line)
  }

  /** Takes a lock that names this run, from whoever died with it in hand. Any other is left alone. */
  async takeOver(): Promise<void> {
    const found = await readLock(this.#path)
    if (found.status !== 'held' || !this.#self.runKeys.includes(found.content.run_id)) return
    const decision = await takeLock(this.#path, this.#self, this.#name)
    this.#taken = decision.kind !== 'yield' && decision.kind !== 'foreign'
  }

  /** Writes the run id into it (S0.57). */
  async writeRunId(): Promise<StepOutcome> {
    if (await renameLock(this.#path, this.#self, this.#name)) return { kind: 'done' }
    const sentence = `The lock ${this.#path} was taken away while this run registered. Nothing was sent.`
    return { kind: 'fatal', diagnosis: unexpected('LOCK_HELD', sentence) }
  }

  /** Only ours (D6). Trouble here must not hide how the run ended: the lock of a dead process stops nobody. */
  async release(): Promise<void> {
    if (!this.#taken) return
    this.#taken = false
    try {
      await releaseLock(this.#path, this.#self)
    } catch (error) {
      this.#parts.logger.error({ err: error }, 'the lock could not be released')
    }
  }
}

const foreignLock = (path: string, holder: LockContent) =>
  unexpected(
    'LOCK_HELD',
    `The lock ${path} was written on another machine (${describeHolder(holder)}), so nobody here can know whether that agent still works. If it does not: lockstep-agent break-lock`,
  )
