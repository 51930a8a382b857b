import type { ByteName, RsyncLine } from '../../../../core/parse/rsync.ts'
import { excludesOf } from '../../../../core/repository/places.ts'
import { transferIncomplete } from '../../../../core/run/causes.ts'
import { listingScript } from '../../../../core/transfer/listing.ts'
import { shellRemoteDirectory } from '../../../../core/transfer/paths.ts'
import type { RsyncTransfer } from '../../../../core/transfer/rsyncArguments.ts'
import { isContent, nothingMoved } from '../../../../core/transfer/tally.ts'
import type { RunSummary } from '../../../../shared/model/run.ts'
import type { StepOutcome } from '../../executor.ts'
import { accessOf, moveTree, previewDeletes } from '../transfer/transfer.ts'
import type { Delivery } from './memory.ts'
import type { Place } from './place.ts'
import { runOnNode } from './script.ts'
import { putSentinel, takeSentinelAway, unlisted } from './sentinel.ts'
import { mayStream, type Streamed, stream } from './stream.ts'

/** How rsync brings the commit into a directory, without deletes. */
export async function describeTransfer(
  delivery: Delivery,
  place: Pick<Place, 'directory' | 'inUse' | 'linkDestination'>,
): Promise<RsyncTransfer> {
  const { context, memory, source } = delivery
  return {
    direction: 'push',
    localDirectory: source.manifest.directory,
    remoteDirectory: place.directory,
    excludes: excludesOf(context.plan.spec),
    bandwidthKiBps: context.plan.spec.bandwidthKiBps,
    ...(await accessOf(delivery)),
    deletes: null,
    dryRun: false,
    // Asked to send again, we take nobody's word for what is there (D18).
    checksum: memory.compareContent || context.run.force === true,
    listEqual: false,
    replaceTogether: place.inUse,
    ...(place.linkDestination === undefined ? {} : { linkDestination: place.linkDestination }),
  }
}

/** Brings the commit into a directory, the sentinel last (S2.4, S2.6, D16). */
export async function deliver(delivery: Delivery, place: Place): Promise<StepOutcome> {
  const { context, memory, commit } = delivery
  memory.nothingToDo = false
  memory.listed = false
  const isSame = place.sentinel === commit && !memory.compareContent && context.run.force !== true
  if (isSame && place.listing.status === 'same') return nothingToDo(delivery, 'every file is there as it should be')
  const streamed = await streamWhatDiffers(delivery, place)
  if (streamed?.kind === 'done') return { kind: 'done', patch: { summary: wholeTree(delivery, streamed.summary) } }
  const left = streamed?.kind === 'other' || place.listing.status === 'assumed' ? unknownNow(place) : place
  return deliverByRsync(delivery, left, isSame)
}

const unknownNow = (place: Place): Place => ({ ...place, listing: { status: 'unknown' } })

/** The way that suits every node and every tree. */
async function deliverByRsync(delivery: Delivery, place: Place, isSame: boolean): Promise<StepOutcome> {
  const { memory } = delivery
  const chosen = await chooseTransfer(delivery, place)
  if ('outcome' in chosen) return chosen.outcome
  if (isSame && chosen.unchanged) return nothingToDo(delivery, 'nothing to send and nothing to delete')
  if (place.sentinel !== null) await takeSentinelAway(delivery, place.directory)
  memory.look = null
  // Of a tree that is new as a whole no file is fresher than another, and 10,000 names for each node are a burden.
  const keep = place.listing.status === 'empty' ? () => undefined : (line: RsyncLine) => remember(delivery, line)
  const moved = await moveTree(delivery, chosen.transfer, keep, chosen.names)
  const summary = wholeTree(delivery, moved.summary)
  const outcome: StepOutcome = { ...moved.outcome, patch: { ...moved.outcome.patch, summary } }
  if (moved.outcome.kind !== 'done') return outcome
  // Nobody writes into a snapshot: whatever vanished from it makes the tree over there incomplete.
  if (moved.result.exitCode !== 0)
    return { kind: 'retry', diagnosis: transferIncomplete([], [moved.result.stderr]), patch: { summary } }
  await putSentinel(delivery, place.directory)
  return outcome
}

function nothingToDo(delivery: Delivery, why: string): StepOutcome {
  const { context, memory } = delivery
  context.log(`${why}, and ${context.plan.spec.sentinel} names the commit: 0 files transferred`)
  memory.nothingToDo = true
  return { kind: 'done', patch: { summary: wholeTree(delivery, context.run.summary ?? nothingMoved) } }
}

/** Of a transfer of a few files too, what lies there in the end is all of them. */
function wholeTree({ source: { manifest } }: Delivery, summary: RunSummary): RunSummary {
  return { ...summary, filesTotal: manifest.files, bytesTotal: manifest.totalBytes }
}

function remember({ memory }: Delivery, line: RsyncLine): void {
  if (line.kind === 'item' && isContent(line) && !line.change.startsWith('.')) memory.sent.add(line.name)
}

type Chosen =
  | { readonly transfer: RsyncTransfer; readonly unchanged: boolean; readonly names?: Uint8Array }
  | { readonly outcome: StepOutcome }

async function chooseTransfer(delivery: Delivery, place: Place): Promise<Chosen> {
  const { context } = delivery
  const transfer = await describeTransfer(delivery, place)
  // Nothing lies there, so nothing can be lost and nothing be half old, half new.
  if (place.listing.status === 'empty') return { transfer: { ...transfer, replaceTogether: false }, unchanged: false }
  const named = await onlyWhatDiffers(delivery, place, transfer)
  if (named !== null) return named
  if (place.deletes === 'none') return { transfer, unchanged: false }
  if (place.deletes === 'free') return { transfer: { ...transfer, deletes: { atMost: null } }, unchanged: false }
  const preview = await previewDeletes(delivery, transfer, {
    limits: context.plan.spec.deleteLimits,
    filesOnTarget: (tally) => tally.existing + tally.filesDeleted,
  })
  if (preview.outcome !== null) return { outcome: preview.outcome }
  return { transfer: { ...transfer, deletes: { atMost: preview.deletes } }, unchanged: preview.unchanged }
}

/** Of so many entries, more than this share that differs is left to rsync as a whole. */
const largestShare = 0.5
/** A listing of more entries than these is not worth its memory here. */
const mostEntries = 200_000

/**
 * Where the node can list its tree, a commit that changes a few files costs a few files: rsync is told which, and judges
 * those by content. A listing that we know, mostly that of the commit before, need not come over. Null when something of
 * others lies there, which may have to be deleted, or when the listing does not tell enough.
 */
async function onlyWhatDiffers(delivery: Delivery, place: Place, transfer: RsyncTransfer): Promise<Chosen | null> {
  const { context, source } = delivery
  if (transfer.checksum || place.linkDestination !== undefined) return null
  const changed = await changedThere(delivery, place)
  if (changed === null) return null
  context.log(`${changed.length} of ${source.facts.size} entries differ by listing: rsync looks at these`)
  return { transfer: { ...transfer, onlyNamed: true, checksum: true }, unchanged: false, names: namesOf(changed) }
}

async function changedThere(
  delivery: Delivery,
  { listing, directory }: Pick<Place, 'listing' | 'directory'>,
): Promise<readonly ByteName[] | null> {
  const { source, shared } = delivery
  if (listing.status !== 'differs' && listing.status !== 'assumed') return null
  if (source.facts.size > mostEntries) return null
  const difference = await shared.sources
    .differenceFrom(listing.digest, source, () => listThere(delivery, directory))
    // Another run may have asked, and been cut: rsync looks at everything then.
    .catch(() => null)
  if (difference === null || difference.holdsOther) return null
  return difference.changed.length > source.facts.size * largestShare ? null : difference.changed
}

/** Null: that was no question here. */
async function streamWhatDiffers(delivery: Delivery, place: Place): Promise<Streamed | null> {
  const { context, memory, shared } = delivery
  if (!mayStream(delivery, place)) return null
  const changed = place.listing.status === 'empty' ? null : await changedThere(delivery, place)
  if (changed === null && place.listing.status !== 'empty') return null
  const look = memory.look
  // Whatever comes of it, the node is not as it was seen any more.
  memory.look = null
  const streamed = await stream(delivery, place, changed)
  if (streamed.kind === 'done') {
    memory.listed = true
    if (changed !== null) for (const name of streamed.sent) memory.sent.add(name)
    return streamed
  }
  context.log(`rsync takes over: ${streamed.why}`)
  if (streamed.kind === 'impossible') {
    if (streamed.isLasting) shared.withoutStream.add(context.node.id)
    memory.look = look
  } else memory.rsyncOnly = true
  return streamed
}

const namesOf = (names: readonly ByteName[]): Uint8Array =>
  Buffer.from(names.map((name) => `${name}\0`).join(''), 'latin1')

async function listThere({ dependencies, context }: Delivery, directory: string): Promise<string[]> {
  const script = `cd ${shellRemoteDirectory(directory)} || exit 3\n${listingScript(unlisted(context.plan))}\nl_list`
  const lines = (await runOnNode(dependencies, context, script)).split('\0')
  lines.pop()
  return lines
}
