import { constants } from 'node:fs'
import { access, mkdir, readdir, realpath, stat, statfs } from 'node:fs/promises'
import { homedir } from 'node:os'
import {
  diskFull,
  noisyShell,
  runCause,
  sourceEmpty,
  sourceMissing,
  sourceNotADirectory,
  unexpected,
  unsafeTarget,
} from '../../../../core/run/causes.ts'
import { isApproved, mustHaltForEmptySource } from '../../../../core/run/safety.ts'
import { diagnosisOf } from '../../../../core/run/thrown.ts'
import type { Diagnosis } from '../../../../shared/model/diagnosis.ts'
import { type Manifest, readManifest } from '../../../transfer/manifest.ts'
import { localDirectory } from '../../../transfer/paths.ts'
import { type RemoteDirectoryFacts, type RemoteFacts, readRemoteFacts } from '../../../transfer/remoteFacts.ts'
import { stopRemoteProcesses } from '../../../transfer/remoteProcess.ts'
import { type NodeLesson, outcomeOf, type StepOutcome } from '../../executor.ts'
import { clockWarning, lessonOf, login } from '../login.ts'
import { commandTimeoutMs, type TreeContext, type TreeDependencies, type TreeMemory } from './memory.ts'
import { measureTransfer } from './transfer.ts'

/** Thrown by a check that did not pass; every one of them is non-negotiable (S0.61). */
class CheckFailed extends Error {
  readonly outcome: StepOutcome
  constructor(outcome: StepOutcome) {
    super('a pre-flight check failed')
    this.outcome = outcome
  }
}

const refuse = (diagnosis: Diagnosis): never => {
  throw new CheckFailed({ kind: 'fatal', diagnosis })
}

/** All checks of S0.62-65, the node first: whoever does not answer costs no more than the connect timeout. */
export async function preflight(
  dependencies: TreeDependencies,
  context: TreeContext,
  memory: TreeMemory,
): Promise<StepOutcome> {
  let learned: NodeLesson | undefined
  try {
    const proof = await login(dependencies, context)
    learned = lessonOf(proof, context)
    const warnings = clockWarning(proof, context)
    await endLeftoverProcesses(dependencies, context)
    memory.manifest = await checkLocalSource(context)
    const facts = await checkNode(dependencies, context)
    memory.receiverWasEmpty = {
      push: facts.target?.hasFiles === false,
      pull: await checkLocalTarget(dependencies, context),
    }
    checkEmptySources(context, memory, facts)
    await checkFreeSpace({ dependencies, context, memory, facts })
    return { kind: 'done', learned, patch: { warnings } }
  } catch (error) {
    const outcome = error instanceof CheckFailed ? error.outcome : outcomeOf(diagnosisOf(error))
    return learned === undefined ? outcome : { ...outcome, learned }
  }
}

/** An earlier attempt of this run, or a canceled run whose stop was never proven, may still write over there. */
async function endLeftoverProcesses(
  { sshPool, store }: TreeDependencies,
  { run, node, log }: TreeContext,
): Promise<void> {
  const canceled = await store.listRuns({ nodeId: node.id, statuses: ['canceled'], limit: 20 })
  const unproven = canceled.filter((other) => other.cancellation?.stopConfirmed === false).map((other) => other.id)
  const suspects = run.attempts.length > 1 ? [run.id, ...unproven] : unproven
  for (const suspect of suspects) {
    const proof = await stopRemoteProcesses(sshPool, node, suspect, { timeoutMs: commandTimeoutMs })
    if (proof.confirmed) continue
    log(`processes of run ${suspect} still run on ${node.name}`)
    refuse(
      runCause('STOP_NOT_CONFIRMED', {
        sentence: `A process of an earlier transfer still runs on ${node.name} and cannot be ended. End it there first.`,
        short: 'old transfer runs',
        evidence: proof.evidence,
        nextAction: { kind: 'open-terminal', label: 'Open a terminal' },
      }),
    )
  }
}

async function checkLocalSource({ plan, node, signal, log }: TreeContext): Promise<Manifest | null> {
  if (plan.spec.push === null) return null
  const directory = localDirectory(plan.spec.push.source, node.name)
  const stats = await stat(directory).catch(() => null)
  if (stats === null) return refuse(sourceMissing(directory))
  if (!stats.isDirectory()) return refuse(sourceNotADirectory(directory))
  const manifest = await readManifest(directory, plan.spec.excludes, { signal })
  log(`source ${directory}: ${manifest.files} files, ${manifest.totalBytes} bytes`)
  return manifest
}

async function checkNode({ sshPool, diagnose }: TreeDependencies, context: TreeContext): Promise<RemoteFacts> {
  const { plan, node, signal, log } = context
  const { push, pull } = plan.spec
  const facts = await readRemoteFacts(sshPool, node, {
    target: push === null ? null : { directory: push.target },
    source: pull === null ? null : { directory: pull.source },
    timeoutMs: commandTimeoutMs,
    signal,
  })
  if (facts.noise.length > 0) refuse(noisyShell(node.name, facts.noise))
  if (facts.rsyncVersion === null)
    refuse(diagnose(node, { program: 'rsync', exitCode: 127, stderr: 'sh: rsync: not found' }))
  log(`node has ${facts.rsyncVersion}`)
  const judge = {
    node: node.name,
    refused: (complaint: string) => diagnose(node, { program: 'mkdir', exitCode: 1, stderr: complaint }),
  }
  if (facts.target !== null) checkTarget(facts.target, judge)
  if (facts.source !== null && pull !== null) checkRemoteSource(facts.source, { ...judge, directory: pull.source })
  return facts
}

interface Judge {
  readonly node: string
  refused(complaint: string): Diagnosis
}

function checkTarget(facts: RemoteDirectoryFacts, judge: Judge): void {
  if (facts.status === 'not-a-directory') {
    refuse(
      runCause('REMOTE_PATH_INVALID', {
        sentence: `The target on ${judge.node} exists and is not a directory. Correct the path.`,
        short: 'target not directory',
        nextAction: { kind: 'edit-plan', label: 'Correct the path' },
      }),
    )
  }
  if (facts.status !== 'ok') refuse(judge.refused(facts.complaint))
  if (!facts.safe) refuse(unsafeTarget(judge.node, facts.resolved))
}

function checkRemoteSource(facts: RemoteDirectoryFacts, judge: Judge & { readonly directory: string }): void {
  const named = `${judge.directory} on ${judge.node}`
  if (facts.status === 'missing') refuse(sourceMissing(named))
  if (facts.status === 'not-a-directory') refuse(sourceNotADirectory(named))
  if (facts.status !== 'ok') refuse(judge.refused(facts.complaint))
}

/** @returns true when the directory is there and empty. */
async function checkLocalTarget({ store }: TreeDependencies, { plan, node }: TreeContext): Promise<boolean> {
  if (plan.spec.pull === null) return false
  const directory = localDirectory(plan.spec.pull.target, node.name)
  if (!plan.spec.pull.target.includes('{node}')) await refuseSharedCopy(store, plan, directory)
  try {
    await mkdir(directory, { recursive: true })
    await access(directory, constants.W_OK | constants.X_OK)
    if (!(await holdsHome(directory))) return (await readdir(directory)).length === 0
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return refuse(
      unexpected(
        'PRECONDITION_FAILED',
        `The local directory ${directory} cannot be written. Correct the plan or its permissions.`,
        [reason],
      ),
    )
  }
  return refuse(
    unexpected(
      'PRECONDITION_FAILED',
      `${directory} is your home directory or holds it. Name a directory of its own in the plan.`,
    ),
  )
}

/** Nodes and selectors change after a plan was applied: a second node here would overwrite the copy of the first. */
async function refuseSharedCopy(
  store: TreeDependencies['store'],
  plan: TreeContext['plan'],
  directory: string,
): Promise<void> {
  const nodes = (await store.listNodes()).filter((node) => node.plans.some(({ planId }) => planId === plan.id))
  if (nodes.length <= 1) return
  const sentence = `${nodes.length} nodes would be pulled into ${directory} and overwrite each other. Put {node} into the target of the pull.`
  refuse(
    unexpected(
      'PRECONDITION_FAILED',
      sentence,
      nodes.slice(0, 20).map(({ name }) => name),
    ),
  )
}

/** Deletes and overwriting in there would reach everything of the person that runs us. */
async function holdsHome(directory: string): Promise<boolean> {
  const [target, home] = await Promise.all([realpath(directory), realpath(homedir())])
  return target === '/' || target === home || home.startsWith(`${target}/`)
}

function checkEmptySources(context: TreeContext, { manifest, receiverWasEmpty }: TreeMemory, facts: RemoteFacts): void {
  const { run, node, plan } = context
  if (isApproved(run.approvals, 'source-empty', { planRevision: run.planRevision })) return
  if (
    manifest !== null &&
    mustHaltForEmptySource({ sourceFiles: manifest.files, receiverHasFiles: facts.target?.hasFiles ?? false })
  ) {
    throw new CheckFailed({
      kind: 'halt',
      reason: 'source-empty',
      diagnosis: sourceEmpty(manifest.directory, `the target on ${node.name}`),
    })
  }
  const { pull } = plan.spec
  if (pull === null || facts.source === null) return
  const copy = localDirectory(pull.target, node.name)
  // What lies here is the last good copy: an emptied node must not touch it unasked.
  const receiverHasFiles = !receiverWasEmpty.pull
  if (mustHaltForEmptySource({ sourceFiles: facts.source.hasFiles ? 1 : 0, receiverHasFiles })) {
    throw new CheckFailed({
      kind: 'halt',
      reason: 'source-empty',
      diagnosis: sourceEmpty(`${pull.source} on ${node.name}`, copy),
    })
  }
}

interface SpaceCheck {
  readonly dependencies: TreeDependencies
  readonly context: TreeContext
  readonly memory: TreeMemory
  readonly facts: RemoteFacts
}

/** Only when the whole tree would not fit, rsync is asked what really has to come (S0.62). */
async function checkFreeSpace(check: SpaceCheck): Promise<void> {
  const { context, memory, facts } = check
  const remoteFree = facts.target?.freeBytes ?? null
  if (memory.manifest !== null && remoteFree !== null && remoteFree < memory.manifest.totalBytes) {
    const needBytes = await measureTransfer('push', check)
    if (needBytes > remoteFree) refuse(diskFull(context.node.name, needBytes, remoteFree, false))
  }
  const { pull } = context.plan.spec
  const used = facts.source?.usedBytes ?? null
  if (pull === null || used === null) return
  const directory = localDirectory(pull.target, context.node.name)
  const { bavail, bsize } = await statfs(directory)
  const localFree = bavail * bsize
  if (used <= localFree) return
  const needBytes = await measureTransfer('pull', check)
  if (needBytes > localFree) refuse(diskFull('This machine', needBytes, localFree, true))
}
