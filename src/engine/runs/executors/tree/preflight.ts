import { constants } from 'node:fs'
import { access, mkdir, readdir, realpath, stat, statfs } from 'node:fs/promises'
import { homedir } from 'node:os'
import { diskFull, sourceMissing, sourceNotADirectory, unexpected } from '../../../../core/run/causes.ts'
import { type Manifest, readManifest } from '../../../transfer/manifest.ts'
import { localDirectory } from '../../../transfer/paths.ts'
import { type RemoteDirectoryFacts, type RemoteFacts, readRemoteFacts } from '../../../transfer/remoteFacts.ts'
import { scriptsBySession } from '../../../transfer/scripts.ts'
import type { StepOutcome } from '../../executor.ts'
import {
  afterLogin,
  checkEmptySource,
  checkFreeSpace,
  checkPrograms,
  checkTarget,
  refuse,
  refusedThere,
} from '../transfer/checks.ts'
import { commandTimeoutMs } from '../transfer/step.ts'
import type { TreeContext, TreeDependencies, TreeMemory } from './memory.ts'
import { measureTransfer } from './transfer.ts'

/** PRE_FLIGHT_CHECK of both sides (S0.61-65). */
export function preflight(
  dependencies: TreeDependencies,
  context: TreeContext,
  memory: TreeMemory,
): Promise<StepOutcome> {
  return afterLogin(dependencies, context, async () => {
    memory.manifest = await checkLocalSource(context)
    const facts = await checkNode(dependencies, context)
    memory.receiverWasEmpty = {
      push: facts.target?.hasFiles === false,
      pull: await checkLocalTarget(dependencies, context),
    }
    checkEmptySources(context, memory, facts)
    await checkSpace({ dependencies, context, memory, facts })
    return []
  })
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

async function checkNode(dependencies: TreeDependencies, context: TreeContext): Promise<RemoteFacts> {
  const { plan, node, signal } = context
  const { push, pull } = plan.spec
  const facts = await readRemoteFacts(scriptsBySession(dependencies.sshPool), node, {
    target: push === null ? null : { directory: push.target },
    source: pull === null ? null : { directory: pull.source },
    timeoutMs: commandTimeoutMs,
    signal,
  })
  checkPrograms(dependencies, context, facts)
  if (facts.target !== null) checkTarget(dependencies, context, facts.target)
  if (facts.source !== null && pull !== null) checkRemoteSource(dependencies, context, facts.source, pull.source)
  return facts
}

function checkRemoteSource(
  dependencies: TreeDependencies,
  context: TreeContext,
  facts: RemoteDirectoryFacts,
  directory: string,
): void {
  const named = `${directory} on ${context.node.name}`
  if (facts.status === 'missing') refuse(sourceMissing(named))
  if (facts.status === 'not-a-directory') refuse(sourceNotADirectory(named))
  if (facts.status !== 'ok') refuse(refusedThere(dependencies, context, facts))
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
  const { node, plan } = context
  if (manifest !== null) {
    const source = { name: manifest.directory, files: manifest.files }
    checkEmptySource(context, source, {
      name: `the target on ${node.name}`,
      hasFiles: facts.target?.hasFiles ?? false,
    })
  }
  const { pull } = plan.spec
  if (pull === null || facts.source === null) return
  // What lies here is the last good copy: an emptied node must not touch it unasked.
  const source = { name: `${pull.source} on ${node.name}`, files: facts.source.hasFiles ? 1 : 0 }
  checkEmptySource(context, source, {
    name: localDirectory(pull.target, node.name),
    hasFiles: !receiverWasEmpty.pull,
  })
}

interface SpaceCheck {
  readonly dependencies: TreeDependencies
  readonly context: TreeContext
  readonly memory: TreeMemory
  readonly facts: RemoteFacts
}

async function checkSpace(check: SpaceCheck): Promise<void> {
  const { context, memory, facts } = check
  if (memory.manifest !== null) {
    const space = { totalBytes: memory.manifest.totalBytes, freeBytes: facts.target?.freeBytes ?? null }
    await checkFreeSpace(context, space, () => measureTransfer('push', check))
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
