import { createHash } from 'node:crypto'
import { runCause, stopNotConfirmed } from '../../../../core/run/causes.ts'
import { diagnosisOf } from '../../../../core/run/thrown.ts'
import { changedMeanwhile, noReload, optionOverridden, sshdConfigRefused } from '../../../../core/sshd/causes.ts'
import { obeys } from '../../../../core/sshd/effective.ts'
import { readManagedBlock, withSection } from '../../../../core/sshd/managedBlock.ts'
import { sshdDirectory } from '../../../../core/sshd/paths.ts'
import type { Clock } from '../../../../platform/clock.ts'
import { AppError } from '../../../../shared/errors.ts'
import type { Diagnosis } from '../../../../shared/model/diagnosis.ts'
import type { FleetNode } from '../../../../shared/model/node.ts'
import type { ProofRule } from '../../../../shared/model/run.ts'
import type { Identities, LoginProbe, SshPool } from '../../../ports.ts'
import { changeSshd, settlePending } from '../../../sshd/change.ts'
import { inspectSshd, type RemoteFile, type SshdFacts } from '../../../sshd/inspect.ts'
import { type LockTarget, outcomeOf, type StepContext, type StepOutcome } from '../../executor.ts'
import { clockWarning, lessonOf, provenWith } from '../login.ts'

/*
 * What plans about sshd have in common: one file, one section of our block in sshd_config, and a proof that the node
 * obeys and still lets us in. Every step looks at the node anew, so that each can be repeated by itself.
 */

export interface SshdDependencies {
  readonly clock: Clock
  readonly sshPool: SshPool
  readonly identities: Pick<Identities, 'ensure'>
  readonly loginProbe: LoginProbe
}

/** What shall be on the node. */
export interface SshdDelivery {
  /** Path on the node; may begin with `~/`. */
  readonly path: string
  readonly content: Uint8Array
  /** Section of our block, and the option in it that names the file. */
  readonly section: 'krl' | 'trust' | 'host-certificate'
  /** Lines of the section once the file's absolute path is known. */
  lines(path: string, before: readonly string[]): readonly string[]
  /** sshd reads the file at its start only. */
  readonly readAtStart: boolean
}

const connectTimeoutMs = 15_000
const commandTimeoutMs = 60_000
/** How long a node waits for our word before it puts everything back by itself. */
const confirmWithinMs = 60_000
const leastFreeBytes = 1_048_576

/** Runs that change sshd of one node wait for each other: they write one file. */
export const sshdLock = async (node: FleetNode): Promise<LockTarget[]> => [
  { where: 'node', directory: sshdDirectory(node.sshd) },
]

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Stops a step with this cause. */
export class Refused extends Error {
  readonly diagnosis: Diagnosis
  constructor(diagnosis: Diagnosis) {
    super(diagnosis.sentence)
    this.diagnosis = diagnosis
  }
}

/** What is thrown becomes the outcome. Somebody who wrote at the same moment is no reason to give up. */
export async function asOutcome(step: () => Promise<StepOutcome>): Promise<StepOutcome> {
  try {
    return await step()
  } catch (error) {
    const diagnosis = error instanceof Refused ? error.diagnosis : diagnosisOf(error)
    return diagnosis.code === 'CONFLICT' ? { kind: 'retry', diagnosis } : outcomeOf(diagnosis)
  }
}

export interface Looking {
  readonly files: Readonly<Record<string, string>>
  readonly readAtStart?: readonly string[]
}

export function look(dependencies: SshdDependencies, context: StepContext, looking: Looking): Promise<SshdFacts> {
  const { node, signal } = context
  return inspectSshd(dependencies.sshPool, node, { ...looking, timeoutMs: commandTimeoutMs, signal })
}

/** Login, sudo, sshd, a configuration that is whole before we touch it, a way to reload it, and room on the disk. */
export async function preflightSshd(
  dependencies: SshdDependencies,
  context: StepContext,
  check: (facts: SshdFacts) => Promise<void>,
  looking: Looking,
): Promise<StepOutcome> {
  const { node, signal, log } = context
  let learned: StepOutcome['learned']
  const outcome = await asOutcome(async () => {
    // Never a fresh login here: when sshd has locked everybody out, an open connection is the only way back in.
    const proof = await dependencies.sshPool.login(node, { timeoutMs: connectTimeoutMs, signal })
    learned = lessonOf(proof, context)
    const warnings = clockWarning(proof, context)
    const facts = await look(dependencies, context, looking)
    refuseUnfit(node, facts)
    log(`sshd of ${node.name}: ${facts.config.path} is valid, ${facts.stale ? 'not read yet by sshd' : 'in force'}`)
    await check(facts)
    return { kind: 'done', patch: { warnings } }
  })
  return learned === undefined ? outcome : { ...outcome, learned }
}

function refuseUnfit(node: FleetNode, facts: SshdFacts): void {
  if (facts.complaint !== null) throw new Refused(sshdConfigRefused(node, facts.complaint, false))
  if (facts.reloadProblem !== null) throw new Refused(noReload(node, [facts.reloadProblem]))
  if (facts.freeBytes === null || facts.freeBytes >= leastFreeBytes) return
  throw new Refused(
    runCause('REMOTE_DISK_FULL', {
      sentence: `The disk that holds ${facts.config.path} on ${node.name} is full. Make room there, then try again.`,
      short: 'disk full',
    }),
  )
}

/** Both files as they shall be; null where nothing is to be done. */
function wantedChange(facts: SshdFacts, file: RemoteFile, delivery: SshdDelivery) {
  const before = facts.config.content ?? ''
  const present = readManagedBlock(before)[delivery.section] ?? []
  const config = withSection(before, delivery.section, delivery.lines(file.path, present))
  return {
    file: file.digest === sha256(delivery.content) ? null : { before: file, content: delivery.content },
    config: config === before ? null : { before: facts.config, content: Buffer.from(config, 'latin1') },
  }
}

/** Delivers what is not there already (D14), and proves at once that we still get in; else everything is put back. */
export async function pushSshd(
  dependencies: SshdDependencies,
  context: StepContext,
  delivery: SshdDelivery,
): Promise<StepOutcome> {
  const { node, signal, log } = context
  const options = {
    confirmWithinMs,
    timeoutMs: commandTimeoutMs,
    signal,
    prove: () => proveOwnLogin(dependencies, node, signal),
    log,
  }
  let facts = await look(dependencies, context, lookAt(delivery))
  if (facts.pending.length > 0) {
    await settlePending(dependencies.sshPool, node, facts.pending, options)
    facts = await look(dependencies, context, lookAt(delivery))
  }
  const file = fileOf(facts)
  const wanted = wantedChange(facts, file, delivery)
  const unread = facts.stale && wanted.file === null && wanted.config === null
  if (wanted.file === null && wanted.config === null && !facts.stale) {
    log(`${file.path} and ${facts.config.path} are as they shall be: nothing is sent`)
    return { kind: 'skipped' }
  }
  await changeSshd(
    dependencies.sshPool,
    node,
    {
      files: wanted.file === null ? [] : [wanted.file],
      // A configuration that lies there and was never read is written once more: then sshd is told, and it is proven.
      config: unread
        ? { before: facts.config, content: Buffer.from(facts.config.content ?? '', 'latin1') }
        : wanted.config,
      reload: delivery.readAtStart || facts.stale,
      label: delivery.section,
    },
    options,
  )
  log(`${file.path} is delivered, ${delivery.content.length} bytes; sshd took it and let us in afterwards`)
  return { kind: 'done', patch: { summary: summaryOf(delivery) } }
}

const summaryOf = ({ content }: SshdDelivery) => ({
  filesTotal: 1,
  filesTransferred: 1,
  filesDeleted: 0,
  bytesTotal: content.length,
  bytesTransferred: content.length,
  durationMs: 0,
})

export const lookAt = (delivery: Pick<SshdDelivery, 'path' | 'readAtStart'>): Looking => ({
  files: { delivered: delivery.path },
  readAtStart: delivery.readAtStart ? ['delivered'] : [],
})

export function fileOf(facts: SshdFacts): RemoteFile {
  const file = facts.files.get('delivered')
  if (file === undefined) throw new AppError('INTERNAL', 'the node was not asked about the file')
  return file
}

/**
 * What lies there is read back, sshd has read it, and names it. `option` in the spelling of sshd_config.
 * @returns the facts, or the outcome that ends the step: what differs is delivered again
 */
export async function readBack(
  dependencies: SshdDependencies,
  context: StepContext,
  delivery: SshdDelivery & { readonly option: string },
): Promise<{ readonly facts: SshdFacts; readonly digest: string } | StepOutcome> {
  const { node } = context
  const facts = await look(dependencies, context, lookAt(delivery))
  const file = fileOf(facts)
  const wanted = wantedChange(facts, file, delivery)
  const undecided = facts.stale || facts.pending.length > 0
  if (wanted.file !== null || wanted.config !== null || undecided || file.digest === null)
    return { kind: 'retry', from: 'PUSH_SYNC', diagnosis: notAsDelivered(node, facts, wanted.file === null) }
  if (facts.complaint !== null) throw new Refused(sshdConfigRefused(node, facts.complaint, false))
  if (!obeys(facts.effective, delivery.option, file.path)) {
    const found = (facts.effective.get(delivery.option.toLowerCase()) ?? []).join(' ')
    throw new Refused(optionOverridden(node, { name: delivery.option, wanted: file.path, found }))
  }
  return { facts, digest: file.digest }
}

function notAsDelivered(node: FleetNode, facts: SshdFacts, fileIsRight: boolean): Diagnosis {
  const file = fileOf(facts)
  const what = fileIsRight ? facts.config.path : file.path
  return {
    ...changedMeanwhile(node, [file.listing, facts.config.listing]),
    code: 'VERIFY_MISMATCH',
    sentence: `What ${node.name} has in ${what} is not what was delivered. Something else writes there; it is delivered again.`,
    short: 'content differs',
  }
}

/** A login beside the pool with the certificate that we work with. @throws Refused, or why the node cannot be reached */
export async function proveOwnLogin(
  { identities, loginProbe }: SshdDependencies,
  node: FleetNode,
  signal: AbortSignal,
): Promise<void> {
  const identity = await identities.ensure(node, 'automation', { reason: 'prove that the node lets us in' })
  const attempt = await loginProbe.attempt(node, identity, { timeoutMs: connectTimeoutMs, signal })
  if (attempt.status === 'refused')
    throw new AppError(attempt.diagnosis.code, attempt.diagnosis.sentence, { data: { diagnosis: attempt.diagnosis } })
}

export function proven(
  { clock }: SshdDependencies,
  { run, log }: StepContext,
  proof: { readonly digest: string; readonly verify: ProofRule },
): StepOutcome {
  log(`verified, digest ${proof.digest}`)
  return {
    kind: 'done',
    patch: {
      proof: {
        ...proof,
        filesVerified: 1,
        verifiedAt: clock.nowMs(),
        ...provenWith(run),
      },
    },
  }
}

export const probeTimeoutMs = connectTimeoutMs

const stopTimeoutMs = 30_000

/** A change is never given up half-way, so that its end is proven when the node has nothing undecided left. */
export async function stopSshd(
  { sshPool }: Pick<SshdDependencies, 'sshPool'>,
  { node }: Pick<StepContext, 'node'>,
): Promise<Diagnosis | null> {
  try {
    const { pending } = await inspectSshd(sshPool, node, { files: {}, timeoutMs: stopTimeoutMs })
    return pending.length === 0 ? null : stopNotConfirmed(node.name, [...pending])
  } catch (error) {
    const { sentence, evidence } = diagnosisOf(error)
    return stopNotConfirmed(node.name, [sentence, ...evidence])
  }
}

export const nothingToCleanUp = async (): Promise<void> => undefined
