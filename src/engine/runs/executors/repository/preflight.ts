import { excludesOf } from '../../../../core/repository/places.ts'
import { boundedEvidence } from '../../../../core/run/causes.ts'
import { scanFailed, secretsFound } from '../../../../core/run/repositoryCauses.ts'
import { unsearchedFiles } from '../../../../core/scan/skipped.ts'
import type { Run } from '../../../../shared/model/run.ts'
import type { PreparedTree } from '../../../ports.ts'
import type { StepOutcome } from '../../executor.ts'
import { loginByChannel } from '../login.ts'
import { afterLogin, CheckFailed, checkEmptySource, checkFreeSpace, refuse } from '../transfer/checks.ts'
import { measureTransfer } from '../transfer/transfer.ts'
import { describeTransfer } from './deliver.ts'
import type { Look } from './found.ts'
import { lookAtNode } from './look.ts'
import {
  type Delivery,
  deliveryOf,
  noteDelivered,
  type RepositoryContext,
  type RepositoryDependencies,
  type RepositoryMemory,
  type Shared,
} from './memory.ts'
import { releaseDirectory } from './release.ts'

/** PRE_FLIGHT_CHECK: the node, then the commit with its scan, then what lies in the target. */
export function preflight(
  dependencies: RepositoryDependencies,
  shared: Shared,
  context: RepositoryContext,
  memory: RepositoryMemory,
): Promise<StepOutcome> {
  const checks = async (): Promise<Run['warnings']> => {
    const tree = await preparedTree(dependencies, context, memory)
    const warnings = checkScan(context, memory, tree)
    memory.source = await shared.sources.of(tree.directory, excludesOf(context.plan.spec))
    const { manifest } = memory.source
    context.log(`commit ${tree.commit}: ${manifest.files} files, ${manifest.totalBytes} bytes`)
    const delivery = deliveryOf(dependencies, shared, context, memory)
    const look = await lookAtNode(delivery)
    memory.look = look
    memory.listed = false
    noteDelivered(delivery)
    checkEmptySource(
      context,
      { name: `commit ${tree.commit} of "${context.plan.spec.repository}"`, files: manifest.files },
      { name: `the target on ${context.node.name}`, hasFiles: look.directory.hasFiles },
    )
    await checkSpace(delivery, look)
    return warnings
  }
  return afterLogin(dependencies, context, checks, () => loginByChannel(dependencies, context))
}

/** All tries of a run deliver the commit of the first. */
async function preparedTree(
  { trees }: RepositoryDependencies,
  { plan, signal, log }: RepositoryContext,
  memory: RepositoryMemory,
): Promise<PreparedTree> {
  if (memory.tree !== null) return memory.tree
  const tree = await trees.prepare(plan, { signal, log })
  if (signal.aborted) {
    // Nobody will ask this run any more, so nobody else would let go of it.
    tree.release()
    signal.throwIfAborted()
  }
  memory.tree = tree
  return tree
}

/** A run may be over, or wait for a person for days: its snapshot is not held meanwhile. */
export function letGo(memory: RepositoryMemory): void {
  memory.tree?.release()
  memory.tree = null
}

/** S2.17, S2.33: before anything is sent, and force does not skip it (D18). */
function checkScan({ plan }: RepositoryContext, memory: RepositoryMemory, { commit, scan }: PreparedTree) {
  const { repository } = plan.spec
  const warnings = notSearched(repository, scan)
  const isOfThis = scan.commit === commit
  if (isOfThis && (scan.status === 'clean' || scan.status === 'off')) return warnings
  if (isOfThis && scan.status === 'findings') {
    const { sentence, evidence } = secretsFound(repository, scan)
    return [
      ...warnings,
      {
        code: 'SECRETS_FOUND',
        message: sentence.replace('so nothing was sent', 'and was sent all the same'),
        evidence,
      },
    ]
  }
  letGo(memory)
  if (isOfThis && scan.status === 'blocked')
    throw new CheckFailed({ kind: 'halt', reason: 'secrets-found', diagnosis: secretsFound(repository, scan) })
  return refuse(scanFailed(repository, scan))
}

/** What nobody could search is sent all the same: that has to be said (S2.26). */
function notSearched(repository: string, { commit, skipped }: PreparedTree['scan']): Run['warnings'] {
  const unsearched = unsearchedFiles(skipped)
  if (unsearched === null) return []
  const { words, files } = unsearched
  const message = `Commit ${commit.slice(0, 12)} of "${repository}" was sent with ${words}. Look at what is in there, or exclude it from the plan.`
  return [{ code: 'SCAN_INCOMPLETE', message, evidence: boundedEvidence(files.map(({ file }) => file)) }]
}

async function checkSpace(delivery: Delivery, look: Look): Promise<void> {
  const { source, target } = delivery
  if (look.listing.status === 'same') return
  const { totalBytes } = source.manifest
  const isRelease = delivery.context.plan.spec.strategy.kind === 'release'
  const { inUse, isThere } = look.releases
  await checkFreeSpace(delivery.context, { totalBytes, freeBytes: look.directory.freeBytes }, async () => {
    // Without another release beside it, all of it has to come.
    if (isRelease && inUse === null && !isThere) return totalBytes
    if (!isRelease)
      return measureTransfer(delivery, await describeTransfer(delivery, { inUse: true, directory: target }))
    const directory = isThere ? releaseDirectory(delivery) : `${releaseDirectory(delivery)}.partial`
    const linked = isThere ? {} : { linkDestination: `../${inUse}` }
    return measureTransfer(delivery, await describeTransfer(delivery, { inUse: true, ...linked, directory }))
  })
}
