import { outFormat } from '../parse/rsync.ts'
import { rsyncRemoteDirectory } from './paths.ts'

/** Where rsync keeps what it has of unfinished files, in each directory of the receiver (S0.70, S0.71, U33). */
export const partialDirectory = '.lockstep-partial'

export interface RsyncTransfer {
  readonly direction: 'push' | 'pull'
  /** Absolute. */
  readonly localDirectory: string
  /** As in the plan: absolute or below `~/`. */
  readonly remoteDirectory: string
  readonly excludes: readonly string[]
  readonly bandwidthKiBps: number | null
  /** How `-e` and the host are given, see `OpenSshAccess.prepare`. */
  readonly access: { readonly sshCommand: string; readonly hostAlias: string }
  /** What to run as rsync over there. */
  readonly remoteProgram: string
  /** Null: nothing is ever deleted. `atMost` counts files and directories. */
  readonly deletes: { readonly atMost: number | null } | null
  readonly dryRun: boolean
  /** Compare content instead of size and time; reads all files on both sides. */
  readonly checksum: boolean
  /** Name what is equal too. */
  readonly listEqual: boolean
  /**
   * The receiver holds files: put all new ones into place together at the end, so that it is mixed for a moment only.
   * An empty receiver has nothing to mix, and holding back 10,000 small files costs as much as sending them.
   */
  readonly replaceTogether: boolean
  /** A directory as seen from the target: what it has already is linked in the place of being sent. */
  readonly linkDestination?: string
  /** Nothing else is looked at: names come NUL-separated on standard input. The directories they lie in come along. */
  readonly onlyNamed?: boolean
}

/** No word from the other side for so long ends the transfer (exit code 30). */
const silenceSeconds = 60
/** To compare content, a side reads a large file from end to end before it says a word; a dead connection ssh notices. */
const silenceWhileReadingSeconds = 3_600

/**
 * Content, links, permission bits and times. Not owner and group (`-og`): the login user of a node may not give files
 * away, and ids of this machine mean nothing there. Not devices and sockets (`-D`): a tree delivers directories,
 * files and links.
 */
const whatIsKept = '-rlpt'
/** The same for entries that are named one by one: a directory among them comes without what is in it. */
const whatIsKeptOfNamed = ['-lpt', '--dirs', '--files-from=-', '--from0']

/** A program that a node hands us does not run as its owner here. */
const withoutSetId = '--chmod=Fu-s,Fg-s,Du-s,Dg-s'

/** Excludes by value: as filter rules, so that no pattern is read as `!`, `+ x` or an option. Ours comes first. */
export function filterArguments(excludes: readonly string[]): string[] {
  return [`${partialDirectory}/`, ...excludes].map((pattern) => `--filter=- ${pattern}`)
}

/**
 * The argv of one rsync over ssh. Pure; no argument is ever read by a shell, and none is a secret. `mark` begins each
 * line about a file; the node is not told it.
 */
export function rsyncArguments(transfer: RsyncTransfer, mark: string): string[] {
  const { access, bandwidthKiBps } = transfer
  return [
    ...(transfer.onlyNamed === true ? whatIsKeptOfNamed : [whatIsKept]),
    // Remote arguments go through the protocol: no remote shell expands or splits them (works from rsync 3.0 on).
    '--protect-args',
    `--partial-dir=${partialDirectory}`,
    ...(transfer.replaceTogether ? ['--delay-updates'] : []),
    ...(transfer.direction === 'pull' ? [withoutSetId] : []),
    ...deleteArguments(transfer.deletes),
    ...(transfer.dryRun ? ['--dry-run'] : []),
    ...(transfer.checksum ? ['--checksum'] : []),
    ...(transfer.linkDestination === undefined ? [] : [`--link-dest=${transfer.linkDestination}`]),
    '--itemize-changes',
    ...(transfer.listEqual ? ['--itemize-changes'] : []),
    `--out-format=${outFormat(mark)}`,
    ...(transfer.dryRun ? [] : ['--info=progress2']),
    '--stats',
    '--no-human-readable',
    // Written in blocks, and at once with every progress line: a write for each of 10,000 files shows.
    '--outbuf=B',
    `--timeout=${transfer.checksum ? silenceWhileReadingSeconds : silenceSeconds}`,
    ...(bandwidthKiBps === null ? [] : [`--bwlimit=${bandwidthKiBps}`]),
    ...filterArguments(transfer.excludes),
    `--rsh=${access.sshCommand}`,
    `--rsync-path=${transfer.remoteProgram}`,
    '--',
    ...endpoints(transfer),
  ]
}

function deleteArguments(deletes: RsyncTransfer['deletes']): string[] {
  if (deletes === null || deletes.atMost === 0) return []
  return ['--delete-delay', ...(deletes.atMost === null ? [] : [`--max-delete=${deletes.atMost}`])]
}

/** Always with a slash at the end: the content of a directory goes into a directory, never a file onto one (S0.69). */
function endpoints({ direction, localDirectory, remoteDirectory, access }: RsyncTransfer): [string, string] {
  const here = `${localDirectory}/`
  const there = `${access.hostAlias}:${rsyncRemoteDirectory(remoteDirectory)}/`
  return direction === 'push' ? [here, there] : [there, here]
}

/** Lists a local tree with the very filters of a transfer. */
export function listArguments(localDirectory: string, excludes: readonly string[]): string[] {
  return [whatIsKept, '--list-only', '--no-human-readable', ...filterArguments(excludes), '--', `${localDirectory}/`]
}
