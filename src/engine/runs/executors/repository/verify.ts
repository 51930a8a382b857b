import { displayName } from '../../../../core/parse/rsync.ts'
import { sourceChanged, transferIncomplete, verifyMismatch } from '../../../../core/run/causes.ts'
import { targetHoldsForeign } from '../../../../core/run/repositoryCauses.ts'
import { listingScript } from '../../../../core/transfer/listing.ts'
import { shellRemoteDirectory } from '../../../../core/transfer/paths.ts'
import { CommitHash } from '../../../../shared/model/repository.ts'
import { digestOf } from '../../../transfer/sample.ts'
import type { StepOutcome } from '../../executor.ts'
import { provenWith } from '../login.ts'
import { leftToDo } from '../transfer/transfer.ts'
import { type ContentCheck, checkContent, distrust } from './content.ts'
import { describeTransfer } from './deliver.ts'
import type { ListingState } from './found.ts'
import { listingStateOf, unlisted } from './look.ts'
import type { Delivery } from './memory.ts'
import { releaseDirectory, releaseLink } from './release.ts'
import { runOnNode } from './script.ts'

/** VERIFY: sentinel, hashes and, for releases, the link, all read back from the node (S2.7, S2.15, S2.16). */
export async function verify(delivery: Delivery): Promise<StepOutcome> {
  const { context, shared, memory, source } = delivery
  const isRelease = context.plan.spec.strategy.kind === 'release'
  const directory = isRelease ? releaseDirectory(delivery) : delivery.target
  const [checked, readBack, changed] = await Promise.all([
    checkContent(delivery, directory),
    readState(delivery, { directory, isRelease }),
    shared.sources.changes(source),
  ])
  if (changed.length > 0) {
    memory.source = null
    return { kind: 'retry', from: 'PRE_FLIGHT_CHECK', diagnosis: sourceChanged(changed.map(displayName)) }
  }
  if (checked.outcome !== null) return checked.outcome
  if (isRelease && readBack.link !== releaseLink(delivery.commit))
    return { kind: 'fatal', diagnosis: targetHoldsForeign(context.node.name, 'current') }
  const unfinished = await sanityCheck(delivery, directory, readBack.listing)
  return unfinished ?? prove(delivery, checked, isRelease ? releaseLink(delivery.commit) : null)
}

interface ReadBack {
  readonly listing: ListingState
  /** What `current` points at. */
  readonly link: string | null
}

/** In place a listing that was the same in PRE_FLIGHT_CHECK, with nothing sent since, has said it all. */
async function readState(
  { dependencies, context, memory, source, target }: Delivery,
  { directory, isRelease }: { readonly directory: string; readonly isRelease: boolean },
): Promise<ReadBack> {
  if (memory.nothingToDo && !isRelease) return { listing: { status: 'same' }, link: null }
  const script = `
${listingScript(unlisted(context.plan))}
${isRelease ? `cd ${shellRemoteDirectory(target)} || exit 3\nreadlink current || echo` : 'echo'}
cd ${shellRemoteDirectory(directory)} || exit 3
l_digest`
  const [link = '', listing] = (await runOnNode(dependencies, context, script)).split('\n')
  return { listing: listingStateOf(listing, source), link: link === '' ? null : link }
}

/** A sample says nothing of files that should be gone, nor of all that should be there: where no listing does, rsync is asked. */
async function sanityCheck(delivery: Delivery, directory: string, listing: ListingState): Promise<StepOutcome | null> {
  const { context, memory } = delivery
  const { spec } = context.plan
  if (listing.status === 'same' || memory.nothingToDo) return null
  const transfer = await describeTransfer(delivery, { directory, inUse: false })
  const deletes = spec.delete || memory.builtRelease ? { atMost: null } : null
  const left = await leftToDo(delivery, { ...transfer, checksum: false, deletes })
  if (left === null) return { kind: 'retry', diagnosis: transferIncomplete([], ['a last dry run did not end well']) }
  if (left.length === 0) return null
  const diagnosis = verifyMismatch(context.node.name, left.slice(0, 100))
  return distrust(delivery, directory, { kind: 'retry', diagnosis })
}

function prove(
  { dependencies, context, commit }: Delivery,
  { sample }: Extract<ContentCheck, { outcome: null }>,
  release: string | null,
): StepOutcome {
  const { run, plan, log } = context
  // No file has this key: theirs hold a slash.
  const facts = new Map([['commit', commit]])
  for (const [name, fingerprint] of sample) facts.set(`push/${name}`, fingerprint)
  const digest = digestOf(facts)
  log(`verified ${sample.size} files of ${commit}, digest ${digest}`)
  const proof = {
    digest,
    filesVerified: sample.size,
    verify: {
      mode: 'repository' as const,
      commit: CommitHash.parse(commit),
      compared: plan.spec.verify.mode,
      release,
    },
    verifiedAt: dependencies.clock.nowMs(),
    ...provenWith(run),
  }
  return { kind: 'done', patch: { proof } }
}
