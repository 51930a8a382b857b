import { createHash, type Hash } from 'node:crypto'
import { constants } from 'node:fs'
import { open, readlink } from 'node:fs/promises'
import { type ByteName, displayName } from '../../core/parse/rsync.ts'
import { countDiffers, sourceChanged, verifyMismatch } from '../../core/run/causes.ts'
import { isContent, isDifference, nothingMoved, Tally } from '../../core/transfer/tally.ts'
import { type Leg, type StepContext, storageOf } from './context.ts'
import { legsOf, transferOf } from './legs.ts'
import type { StepOutcome } from './outcome.ts'
import { runRsync } from './rsync.ts'
import { judgeExit } from './transfer.ts'

interface VerifiedEntry {
  readonly type: 'file' | 'symlink'
  readonly name: ByteName
  readonly sizeBytes: number
}

const mostNames = 100

/**
 * VERIFY (S0.73-75): the same rsync once more, as a dry run that names what is equal too, has to end with exit code 0
 * and find nothing to send and nothing to delete. Then the files it named have to be as many as it counted, and for a
 * push as many as the source held.
 *
 * What green means here. `checksum`: rsync has read every file on both sides in this moment, and the hashes it made on
 * storage were those it made here. `listing`: size and modification time of every file agree, the content was not
 * read again. Both are the word of rsync on storage, not of a program of ours.
 *
 * The digest is SHA-256 over the sorted list of all directories and, in them, of type, size and name of each file and
 * link; with `checksum` also of its content as it is here (a link: where it leads). So the same tree gives the same
 * digest on every run and every agent, and another content, name or size gives another one.
 */
export async function verify(context: StepContext): Promise<StepOutcome> {
  const { setup, log, clock, run } = context
  const compared = setup.config.sync.verify
  const digest = createHash('sha256')
  let filesTotal = 0
  let bytesTotal = 0
  for (const leg of [...legsOf(setup, 'push'), ...legsOf(setup, 'pull')]) {
    const checked = await compare(context, leg, compared === 'checksum')
    if ('kind' in checked) return checked
    filesTotal += checked.length
    bytesTotal += checked.reduce((sum, { type, sizeBytes }) => sum + (type === 'file' ? sizeBytes : 0), 0)
    digest.update(`${leg.direction} ${leg.index}\0`)
    const unreadable = await addToDigest(digest, leg, checked, compared === 'checksum')
    if (unreadable !== null) {
      return { kind: 'retry', from: 'PRE_FLIGHT_CHECK', diagnosis: sourceChanged([displayName(unreadable)]) }
    }
  }
  const proof = {
    digest: digest.digest('hex'),
    filesVerified: filesTotal,
    verify: { mode: 'agent' as const, compared },
    verifiedAt: clock.nowMs(),
    certificateSerial: run.certificateSerial,
  }
  log(`verified ${filesTotal} files by ${compared}, digest ${proof.digest}`)
  return { kind: 'done', patch: { proof, summary: { ...(run.summary ?? nothingMoved), filesTotal, bytesTotal } } }
}

/** The entries that are equal on both sides, or why not all are. */
async function compare(context: StepContext, leg: Leg, checksum: boolean): Promise<VerifiedEntry[] | StepOutcome> {
  const entries: VerifiedEntry[] = []
  const different: string[] = []
  const tally = new Tally()
  context.log(`does anything differ? ${leg.local} and ${leg.remote}${checksum ? ', by content' : ''}`)
  const deletes = context.setup.config.sync.delete ? { atMost: null } : null
  const result = await runRsync({
    transfer: transferOf(leg, context, { dryRun: true, checksum, listEqual: true, deletes }),
    lockFile: context.setup.config.lock_file,
    signal: context.signal,
    onLine: (line) => {
      tally.take(line)
      if (line.kind !== 'item' && line.kind !== 'delete') return
      if (isDifference(line)) different.push(displayName(line.name))
      else if (line.kind === 'item' && isContent(line)) entries.push(entryOf(line))
    },
  })
  const problem = judgeExit(context, leg, result, { allowPartial: false })
  if (problem !== null) return problem
  if (result.exitCode !== 0) return retryFromStart(sourceChanged([]))
  if (different.length > 0) {
    for (const name of different.slice(0, 20)) context.log(`differs: ${name}`)
    context.memory.compareContent = checksum
    return retryFromStart(verifyMismatch(storageOf(context).name, different.slice(0, mostNames)))
  }
  return miscount(context, leg, entries, tally) ?? entries
}

const retryFromStart = (diagnosis: ReturnType<typeof verifyMismatch>): StepOutcome => ({
  kind: 'retry',
  from: 'PRE_FLIGHT_CHECK',
  diagnosis,
})

const entryOf = ({ type, name, sizeBytes }: VerifiedEntry): VerifiedEntry => ({ type, name, sizeBytes })

/** S0.75: as many named as counted, and for a push as many as were there before. */
function miscount(context: StepContext, leg: Leg, entries: readonly VerifiedEntry[], tally: Tally): StepOutcome | null {
  const regular = entries.filter((entry) => entry.type === 'file').length
  const counted = tally.stat('Number of files (regular)')
  const name = storageOf(context).name
  if (regular !== counted) return retryFromStart(countDiffers(name, { expected: counted, found: regular }))
  const before = leg.direction === 'push' ? context.memory.sources[leg.index]?.files : undefined
  return before === undefined || before === entries.length
    ? null
    : retryFromStart(sourceChanged([`${leg.local} held ${before} files, now ${entries.length}`]))
}

/** @returns the name of a file that could not be read here any more, or null */
async function addToDigest(
  digest: Hash,
  leg: Leg,
  entries: readonly VerifiedEntry[],
  withContent: boolean,
): Promise<ByteName | null> {
  const sorted = [...entries].sort((left, right) => (left.name < right.name ? -1 : 1))
  for (const { type, name, sizeBytes } of sorted) {
    digest.update(`${type} ${sizeBytes} ${name}\0`)
    if (!withContent) continue
    const content = await contentOf(leg, { type, name }).catch(() => null)
    if (content === null) return name
    digest.update(`${content}\0`)
  }
  return null
}

async function contentOf(leg: Leg, { type, name }: Pick<VerifiedEntry, 'type' | 'name'>): Promise<string> {
  const path = Buffer.concat([Buffer.from(`${leg.local}/`), Buffer.from(name, 'latin1')])
  if (type === 'symlink') return (await readlink(path, 'buffer')).toString('latin1')
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const hash = createHash('sha256')
    for await (const piece of file.createReadStream({ autoClose: false })) hash.update(piece as Buffer)
    return hash.digest('hex')
  } finally {
    await file.close()
  }
}
