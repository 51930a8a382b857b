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
import { listingStateOf } from './look.ts'
import type { Delivery } from './memory.ts'
import { releaseDirectory, releaseLink } from './release.ts'
import { unlisted } from './sentinel.ts'

/** VERIFY: sentinel, hashes and, for releases, the link, all read back from the node (S2.7, S2.15, S2.16). */
export async function verify(delivery: Delivery): Promise<StepOutcome> {
  const { context, shared, memory, source } = delivery
  const isRelease = context.plan.spec.strategy.kind === 'release'
  const directory = isRelease ? releaseDirectory(delivery) : delivery.target
  const checked = await checkContent(delivery, directory, stateScript(delivery, isRelease))
  const readBack = stateOf(delivery, checked, isRelease)
  // Where the node has what was listed here, it does not matter what has become of the snapshot since.
  if (checked.outcome !== null || readBack.listing.status !== 'same') {
    const changed = await shared.sources.changes(source)
    if (changed.length > 0) {
      memory.source = null
      return { kind: 'retry', from: 'PRE_FLIGHT_CHECK', diagnosis: sourceChanged(changed.map(displayName)) }
    }
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

/** In place a listing that was the same, with nothing sent since, has said it all. */
const isListed = ({ memory }: Delivery, isRelease: boolean): boolean =>
  !isRelease && (memory.nothingToDo || memory.listed)

/** Asked in the directory of the commit: what `current` points at, and the listing. */
function stateScript(delivery: Delivery, isRelease: boolean): string {
  if (isListed(delivery, isRelease)) return ''
  const { context, target } = delivery
  const link = isRelease ? `( cd ${shellRemoteDirectory(target)} && readlink current ) || echo` : 'echo'
  return `${listingScript(unlisted(context.plan))}\n${link}\nl_digest`
}

function stateOf(delivery: Delivery, { said }: ContentCheck, isRelease: boolean): ReadBack {
  if (isListed(delivery, isRelease)) return { listing: { status: 'same' }, link: null }
  const [link = '', listing] = said.split('\n')
  return { listing: listingStateOf(listing, delivery.source), link: link === '' ? null : link }
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
