import { type ByteName, displayName } from '../../../../core/parse/rsync.ts'
import { ProgressMeter } from '../../../../core/run/progress.ts'
import { listingScript } from '../../../../core/transfer/listing.ts'
import { shellRemoteDirectory } from '../../../../core/transfer/paths.ts'
import { remoteScript, streamedScript } from '../../../../core/transfer/remoteShell.ts'
import { partialDirectory } from '../../../../core/transfer/rsyncArguments.ts'
import { nothingMoved } from '../../../../core/transfer/tally.ts'
import { exec } from '../../../../platform/exec.ts'
import { AppError, toAppError } from '../../../../shared/errors.ts'
import type { RunSummary } from '../../../../shared/model/run.ts'
import type { Archive } from '../../../transfer/archive.ts'
import { runMark } from '../../../transfer/remoteProcess.ts'
import type { Source } from '../../../transfer/source.ts'
import { commandTimeoutMs } from '../transfer/step.ts'
import type { Delivery } from './memory.ts'
import type { Place } from './place.ts'
import { sentinelAwayScript, sentinelScript, slowestDiskBytesPerMs, unlisted } from './sentinel.ts'

/*
 * A commit on its way over the connection that is open anyway. Where it is known which entries a node lacks, nothing has
 * to be asked there any more: they go over in one `tar`, are put into place by renames, and the node compares its whole
 * listing with ours before the sentinel names the commit. rsync needs a login of its own for that and asks about every
 * file; it does what this cannot: deletes, limits of bandwidth, large trees that are taken up where they were cut, nodes
 * without GNU tar or perl.
 */

/** More than this is left to rsync, which does not begin anew after a cut. */
const mostBytes = 128 * 1024 * 1024
/** A link slower than 20 kB/s is given up. */
const slowestLinkBytesPerMs = 20
/** Names of so many entries are written into the log. */
const mostNamed = 1_000

/**
 * From this size on a login of its own costs less than our part of the open connection: the system's ssh encrypts many
 * times faster than we do.
 */
const ownLoginBytes = 4 * 1024 * 1024

/** What becomes of an offer to stream. */
export type Streamed =
  | { readonly kind: 'done'; readonly summary: RunSummary; readonly sent: readonly ByteName[] }
  /** Nothing was changed on the node. `isLasting`: it will be no other the next time. */
  | { readonly kind: 'impossible'; readonly why: string; readonly isLasting: boolean }
  /** The sentinel may be gone, files may be new, and what lies there is not what was thought. */
  | { readonly kind: 'other'; readonly why: string }

/** Whether the plan, and what was asked of the run, leave it to us how the entries go over. */
export function mayStream(
  { context, memory, shared, source }: Delivery,
  place: Pick<Place, 'linkDestination'>,
): boolean {
  const { plan, run } = context
  if (shared.withoutStream.has(context.node.id)) return false
  if (memory.rsyncOnly || memory.compareContent || run.force === true) return false
  // What was cut once may be cut again, and rsync goes on where it was.
  if (run.attempts.length > 1) return false
  if (plan.spec.bandwidthKiBps !== null || place.linkDestination !== undefined) return false
  return source.manifest.totalBytes <= mostBytes
}

/** `changed`: entries to bring; null: all of them, to where nothing lies. */
export async function stream(
  delivery: Delivery,
  place: Pick<Place, 'directory' | 'sentinel'>,
  changed: readonly ByteName[] | null,
): Promise<Streamed> {
  const { dependencies, context, shared, memory, source } = delivery
  const { node, log } = context
  const names = changed === null ? allNames(source) : withParents(changed)
  const { directory } = source.manifest
  const archive = await shared.archives
    .take({ directory, names, scratch: memory.tree?.scratch ?? directory })
    .catch((error: unknown) => toAppError(error))
  // rsync needs no room here.
  if (archive instanceof AppError) return { kind: 'impossible', why: archive.message, isLasting: false }
  if (archive === null) return { kind: 'impossible', why: 'this machine has no GNU tar', isLasting: true }
  try {
    const sent = changed ?? names
    tell(delivery, sent, archive.sizeBytes)
    const script = changed === null ? intoEmpty(delivery, place) : overKnown(delivery, place)
    const timeoutMs =
      commandTimeoutMs +
      Math.ceil(archive.sizeBytes / slowestLinkBytesPerMs + source.manifest.totalBytes / slowestDiskBytesPerMs)
    const progress = new UnpackedProgress(delivery, archive.sizeBytes)
    const send = archive.sizeBytes < ownLoginBytes ? byOpenConnection : byOwnLogin
    const order = { script: `${runMark(context.run.id)}${script}`, archive, timeoutMs, progress }
    const result = await send(delivery, order)
    if (result.stdout.endsWith(`${doneMark}\n`)) {
      log(`every entry listed on ${node.name}, and ${context.plan.spec.sentinel} names ${delivery.commit}`)
      return { kind: 'done', summary: summaryOf(delivery, sent, archive.sizeBytes), sent }
    }
    const stderr = progress.withoutFigures(result.stderr)
    if (result.exitCode === 4)
      return { kind: 'impossible', why: `${node.name} has no GNU tar or no perl`, isLasting: true }
    if (result.exitCode === 6) return { kind: 'other', why: stderr.trim() }
    if (result.exitCode === 7) return { kind: 'other', why: 'the listing is another than it should be' }
    const program = result.exitCode === 255 ? 'ssh' : 'tar'
    const diagnosis = dependencies.diagnose(node, { program, exitCode: result.exitCode, stderr })
    throw new AppError(diagnosis.code, diagnosis.sentence, { data: { diagnosis } })
  } finally {
    archive.release()
  }
}

function tell({ context, source }: Delivery, sent: readonly ByteName[], sizeBytes: number): void {
  const { log, output } = context
  log(`sending ${sent.length} of ${source.facts.size} entries in one stream, ${sizeBytes} bytes`)
  if (sent.length <= mostNamed) output(sent.map((name) => `  ${displayName(name)}\n`).join(''))
}

interface StreamOrder {
  /** Reads the archive after itself. */
  readonly script: string
  readonly archive: Archive
  readonly timeoutMs: number
  readonly progress: UnpackedProgress
}

interface StreamEnd {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

async function byOpenConnection(
  { dependencies, context: { node, signal } }: Delivery,
  { script, archive, timeoutMs, progress }: StreamOrder,
): Promise<StreamEnd> {
  const { command, stdin } = streamedScript(script, () => archive.read())
  const onStderr = (bytes: Uint8Array): void => progress.take(bytes)
  const result = await dependencies.sshPool.exec(node, command, { stdin, timeoutMs, signal, onStderr })
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')
  return { exitCode: result.exitCode, stdout: text(result.stdout), stderr: text(result.stderr) }
}

/** Script and archive are put together by the system: through us they would be copied twice. */
async function byOwnLogin(
  { dependencies, context: { node, signal } }: Delivery,
  { script, archive, timeoutMs, progress }: StreamOrder,
): Promise<StreamEnd> {
  const { sshArguments } = await dependencies.openSsh.prepare(node, 'automation')
  const { command, stdin } = remoteScript(script, { followed: true })
  return exec({
    command: 'sh',
    args: ['-c', '{ cat; cat -- "$0"; } | "$@"', archive.path, ...sshArguments, command],
    stdin,
    timeoutMs,
    signal,
    okExitCodes: 'any',
    onStderr: (bytes) => progress.take(bytes),
  })
}

/** How much the node has unpacked, as its own `tar` says. */
class UnpackedProgress {
  readonly #delivery: Delivery
  readonly #totalBytes: number
  readonly #meter = new ProgressMeter('push')

  constructor(delivery: Delivery, totalBytes: number) {
    this.#delivery = delivery
    this.#totalBytes = totalBytes
  }

  take(bytes: Uint8Array): void {
    const said = Buffer.from(bytes).toString('latin1').match(figurePattern)?.at(-1)
    if (said === undefined) return
    const { dependencies, context } = this.#delivery
    const unpackedBytes = Math.min(Number(/\d+/.exec(said)?.[0] ?? 0) * recordBytes, this.#totalBytes)
    const figures = { bytes: unpackedBytes, totalBytes: this.#totalBytes, files: 0 }
    context.progress(this.#meter.measure(figures, dependencies.clock.monotonicMs()))
  }

  /** What else was said. */
  withoutFigures(stderr: string): string {
    return stderr.replaceAll(figurePattern, '')
  }
}

const figurePattern = /tar: lockstep-unpacked:\d+\n/g
const recordBytes = 64 * 1024
const recordsBetweenFigures = 16

function summaryOf({ context: { run }, source }: Delivery, sent: readonly ByteName[], sizeBytes: number): RunSummary {
  const before = run.summary ?? nothingMoved
  const files = sent.filter((name) => source.facts.get(name)?.startsWith('f ') === true).length
  return {
    ...before,
    filesTransferred: before.filesTransferred + files,
    bytesTransferred: before.bytesTransferred + sizeBytes,
  }
}

const namesOfSources = new WeakMap<Source, readonly ByteName[]>()
const namesWithParents = new WeakMap<readonly ByteName[], readonly ByteName[]>()

/** The same array each time, so that all nodes get the same archive. */
function allNames(source: Source): readonly ByteName[] {
  const names = namesOfSources.get(source) ?? [...source.facts.keys()]
  namesOfSources.set(source, names)
  return names
}

/** The directories they lie in too, each before what is in it: one that is new there gets its permissions that way. */
function withParents(changed: readonly ByteName[]): readonly ByteName[] {
  const known = namesWithParents.get(changed)
  if (known !== undefined) return known
  const all = new Set<ByteName>()
  for (const name of changed) {
    for (let slash = name.indexOf('/'); slash > 0; slash = name.indexOf('/', slash + 1)) all.add(name.slice(0, slash))
    all.add(name)
  }
  const names = [...all]
  namesWithParents.set(changed, names)
  return names
}

const doneMark = 'lockstep-streamed'

const begin = (directory: string): string => `
export LC_ALL=C
cd ${shellRemoteDirectory(directory)} || exit 3
l_options='--preserve-permissions --no-same-owner --warning=no-timestamp --warning=no-record-size --blocking-factor=${recordBytes / 512} --checkpoint=${recordsBetweenFigures} --checkpoint-action=echo=lockstep-unpacked:%u'
l_unpack() {
  tar --extract --file=- $l_options && return
  # A tar that does not know these options has not begun.
  if tar $l_options --version >/dev/null 2>&1; then exit 5; else exit 4; fi
}`

const end = (delivery: Delivery): string => `
${listingScript(unlisted(delivery.context.plan))}
[ "$(l_digest)" = ${delivery.source.digest} ] || exit 7
${sentinelScript(delivery)}
echo ${doneMark}
`

const takeAway = ({ context }: Delivery, { sentinel }: Pick<Place, 'sentinel'>): string =>
  sentinel === null ? '' : sentinelAwayScript(context.plan.spec.sentinel)

/** Nothing lies there that could be mixed with what comes. */
const intoEmpty = (delivery: Delivery, place: Pick<Place, 'directory' | 'sentinel'>): string => `
${begin(place.directory)}
${takeAway(delivery, place)}
umask 022
l_unpack
${end(delivery)}`

/**
 * Unpacked beside what is in use, and put into place by one program that renames: a reader sees each file whole, and old
 * and new together for a moment only. Whatever stands in the way is not ours to remove here.
 */
const overKnown = (delivery: Delivery, place: Pick<Place, 'directory' | 'sentinel'>): string => `
${begin(place.directory)}
command -v perl >/dev/null 2>&1 || exit 4
[ ! -L ${partialDirectory} ] || { echo '${partialDirectory}: is a link' >&2; exit 6; }
l_new=./${partialDirectory}/stream
if [ -e "$l_new" ] || [ -L "$l_new" ]; then rm -rf "$l_new" || exit 5; fi
umask 077
mkdir -p "$l_new" || exit 5
( cd "$l_new" && umask 022 && l_unpack ) || { l_code=$?; rm -rf "$l_new"; exit $l_code; }
${takeAway(delivery, place)}
perl -e '${putIntoPlace}' "$l_new" || exit 6
${end(delivery)}`

/** Program of perl, without a single quote. Links are never followed: one that stands where a directory goes is in the way. */
const putIntoPlace = `
use strict; use warnings; use Fcntl ":mode";
my $from = shift;
sub names { opendir my $d, $_[0] or die "$_[0]: $!\\n"; return grep { $_ ne "." && $_ ne ".." } readdir $d }
sub put {
  my $name = shift;
  my @new = lstat "$from/$name" or die "$name: $!\\n";
  my @old = lstat $name;
  if (S_ISDIR($new[2])) {
    if (!@old) { mkdir $name or die "$name: $!\\n" }
    elsif (!S_ISDIR($old[2])) { die "$name: is no directory\\n" }
    my $mode = $new[2] & 07777;
    if (!@old || ($old[2] & 07777) != $mode) { chmod $mode, $name or die "$name: $!\\n" }
    put("$name/$_") for names("$from/$name");
    rmdir "$from/$name";
  } else {
    die "$name: is a directory\\n" if @old && S_ISDIR($old[2]);
    rename "$from/$name", $name or die "$name: $!\\n";
  }
}
put($_) for names($from);
rmdir $from;
rmdir "${partialDirectory}";
`
