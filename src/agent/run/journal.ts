import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { transition } from '../../core/run/machine.ts'
import { newRun } from '../../core/run/newRun.ts'
import { writeFileAtomic } from '../../platform/atomicFile.ts'
import { explainFileError, hasErrorCode } from '../../platform/fileErrors.ts'
import { currentProcessIdentity, isSameProcessAlive, type ProcessIdentity } from '../../platform/processIdentity.ts'
import { BatchId, IdempotencyKey, NodeId, PlanId, RunId } from '../../shared/model/ids.ts'
import { AgentSpec } from '../../shared/model/plan.ts'
import { Run } from '../../shared/model/run.ts'

/** Stands in the places of a run that the control plane fills when it registers it. */
export const unregisteredId = '00000000-0000-0000-0000-000000000000'

/** One run as this agent knows it. On disk before anything follows from it. */
export const JournalRecord = z.object({
  format: z.literal(1),
  key: IdempotencyKey,
  requestedBy: z.string(),
  /** Grows with every change. */
  sequence: z.number().int().nonnegative(),
  /** Null: not registered yet, so nothing was done anywhere (S0.87). */
  runId: RunId.nullable(),
  spec: AgentSpec,
  /** `id`, `planId` and the like mean nothing before the registration. */
  run: Run,
  /** The process that wrote this. */
  owner: z.object({ pid: z.number().int(), startTime: z.string() }),
})
export type JournalRecord = z.infer<typeof JournalRecord>

interface FoundJournal {
  readonly path: string
  readonly text: string
  readonly record: JournalRecord
  readonly isDraft: boolean
}

type JournalChange = Partial<Pick<JournalRecord, 'run' | 'runId'>> & { readonly sequence?: number }

/**
 * The journal of one run. Until the lock is taken it is a draft of this process alone, so that two agents that take up
 * the same run never write into one file; whoever gets the lock makes its draft the journal.
 */
export class Journal {
  readonly #directory: string
  readonly #loadedText: string | null
  readonly #draftPath: string
  #record: JournalRecord
  #claimed = false
  #writing: Promise<unknown> = Promise.resolve()

  private constructor(directory: string, record: JournalRecord, loadedText: string | null) {
    this.#directory = directory
    this.#loadedText = loadedText
    this.#record = { ...record, owner: identity() }
    this.#draftPath = join(directory, `${record.key}~${process.pid}-${randomBytes(4).toString('hex')}.draft`)
  }

  /** Begins the journal of a run, or takes up one that an earlier process left. Nothing is written yet. */
  static async open(directory: string, record: JournalRecord): Promise<Journal> {
    const canonical = await readJournal(journalPath(directory, record.key))
    return new Journal(directory, canonical?.record ?? record, canonical?.text ?? null)
  }

  get record(): JournalRecord {
    return this.#record
  }

  /** Durable when it resolves. Writes wait for each other: the reporter may ask for one beside the work. */
  write(change: JournalChange): Promise<void> {
    const written = this.#writing.then(() => this.#writeNow(change))
    this.#writing = written.catch(() => undefined)
    return written
  }

  async #writeNow(change: JournalChange): Promise<void> {
    const sequence = Math.max(this.#record.sequence, change.sequence ?? 0) + 1
    const next = { ...this.#record, ...change, sequence }
    await writeFileAtomic(this.#path, `${JSON.stringify(next)}\n`)
    this.#record = next
  }

  get #path(): string {
    return this.#claimed ? journalPath(this.#directory, this.#record.key) : this.#draftPath
  }

  /**
   * The lock is ours: the draft becomes the journal.
   * @returns false when another process has gone on with this run meanwhile; look again at what it left
   */
  async claim(): Promise<boolean> {
    if (this.#claimed) return true
    const canonical = await readJournal(journalPath(this.#directory, this.#record.key))
    if ((canonical?.text ?? null) !== this.#loadedText) return false
    this.#claimed = true
    await this.write({})
    await this.#removeDrafts()
    return true
  }

  /** Drafts of dead processes are about a run that is ours now. */
  async #removeDrafts(): Promise<void> {
    for (const { path, record, isDraft } of await readAll(this.#directory)) {
      const obsolete = isDraft && record.key === this.#record.key && (path === this.#draftPath || !lives(record.owner))
      if (obsolete) await rm(path, { force: true })
    }
  }

  /** Forgets the draft: another agent works. What an earlier process left stays. */
  async discardDraft(): Promise<void> {
    await rm(this.#draftPath, { force: true })
  }

  /** The run is over and reported (or in the spool). */
  async remove(): Promise<void> {
    await rm(this.#draftPath, { force: true })
    await rm(journalPath(this.#directory, this.#record.key), { force: true })
  }
}

const identity = (): ProcessIdentity => currentProcessIdentity()
const lives = (owner: ProcessIdentity): boolean => isSameProcessAlive(owner)
const journalPath = (directory: string, key: string): string => join(directory, `${key}.json`)

/**
 * Runs that no living process works on, oldest first: what a crash left, and what is halted. To be asked while this
 * process works on none.
 */
export async function abandonedRuns(directory: string): Promise<JournalRecord[]> {
  const byKey = new Map<string, FoundJournal>()
  for (const found of await readAll(directory)) {
    const known = byKey.get(found.record.key)
    // The journal counts more than a draft of it.
    if (known === undefined || known.isDraft) byKey.set(found.record.key, found)
  }
  return [...byKey.values()]
    .map(({ record }) => record)
    .filter(({ run, owner }) => run.status === 'halted' || owner.pid === process.pid || !lives(owner))
    .sort((left, right) => left.run.createdAt - right.run.createdAt)
}

/** Every journal there is, drafts too. */
export async function knownRuns(directory: string): Promise<JournalRecord[]> {
  return (await readAll(directory)).map(({ record }) => record)
}

async function readAll(directory: string): Promise<FoundJournal[]> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const names = (await readdir(directory)).filter((name) => /\.(json|draft)$/.test(name) && !name.startsWith('.'))
    const found = await Promise.all(names.map((name) => readJournal(join(directory, name))))
    return found.filter((journal) => journal !== null)
  } catch (error) {
    throw explainFileError(error, directory)
  }
}

/** Null without one, and for one that cannot be read: files here are written whole or not at all. */
async function readJournal(path: string): Promise<FoundJournal | null> {
  try {
    const text = await readFile(path, 'utf8')
    return { path, text, record: JournalRecord.parse(JSON.parse(text)), isDraft: path.endsWith('.draft') }
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT') || error instanceof SyntaxError || error instanceof z.ZodError) return null
    throw explainFileError(error, path)
  }
}

/** A run before anybody else has heard of it. */
export function newRecord(request: {
  readonly key: IdempotencyKey
  readonly requestedBy: string
  readonly spec: AgentSpec
  readonly hostname: string
  readonly nowMs: number
}): JournalRecord {
  const { key, requestedBy, spec, hostname, nowMs } = request
  const run = newRun({
    id: RunId.parse(unregisteredId),
    idempotencyKey: key,
    batchId: BatchId.parse(unregisteredId),
    planId: PlanId.parse(unregisteredId),
    planName: 'agent',
    planKind: 'agent',
    planRevision: 1,
    nodeId: NodeId.parse(unregisteredId),
    nodeName: hostname,
    trigger: 'agent',
    requestedBy,
    createdAt: nowMs,
  })
  return { format: 1, key, requestedBy, sequence: 0, runId: null, spec, run, owner: identity() }
}

/**
 * The run as the control plane knows it, with what happened here. When it knows attempts that we do not, our journal was
 * lost: they count, and ours come after them.
 */
export function adopt(record: JournalRecord, registered: Run, nowMs: number): Run {
  const { id, batchId, planId, planName, planRevision, nodeId, nodeName, createdAt, seq } = registered
  const run = { ...record.run, id, batchId, planId, planName, planRevision, nodeId, nodeName, createdAt, seq }
  if (record.runId !== null || registered.visits.length === 0) return run
  const earlier = transition(registered, { kind: 'interrupted' }, { nowMs }).run
  const before = earlier.attempts.length
  return {
    ...run,
    tries: Math.max(1, earlier.tries, run.tries),
    attempts: [...earlier.attempts, ...run.attempts.map((one) => ({ ...one, number: one.number + before }))],
    visits: [...earlier.visits, ...run.visits.map((visit) => ({ ...visit, attempt: visit.attempt + before }))],
  }
}
