import { createHash } from 'node:crypto'
import { excludesOf } from '../../../../core/repository/places.ts'
import { shellRemoteDirectory } from '../../../../core/transfer/paths.ts'
import { commandTimeoutMs } from '../transfer/step.ts'
import type { Delivery, RepositoryPlan } from './memory.ts'
import { runOnNode } from './script.ts'

/*
 * The sentinel says which commit lies there, so it stands only over a whole tree (D16): it is taken away before the first
 * change, and put back by itself when everything else has arrived and is on the disk.
 */

/** Below 5 MB/s a disk is given up. */
export const slowestDiskBytesPerMs = 5_000

/** Beside the sentinel, while it is written. */
export const newSentinel = (sentinel: string): string => `${sentinel}.lockstep-new`

/** Excludes of the transfer, and what a sentinel that is being written leaves for a moment. */
export const unlisted = ({ spec }: Pick<RepositoryPlan, 'spec'>): string[] => [
  ...excludesOf(spec),
  `/${newSentinel(spec.sentinel)}`,
]

/** What the file holds. */
const sentinelText = (commit: string): string => `${commit}\n`

/** What a node computes of a sentinel that is right. */
export const sentinelFingerprint = (commit: string): string =>
  createHash('sha256').update(sentinelText(commit)).digest('hex')

/** In the current directory, durably; ends the shell when it cannot. */
export const sentinelAwayScript = (sentinel: string): string => `
rm -f ./${newSentinel(sentinel)} ./${sentinel} || exit 5
if [ -e ./${sentinel} ] || [ -L ./${sentinel} ]; then echo './${sentinel}: still there' >&2; exit 5; fi
sync . 2>/dev/null || sync`

/** Nothing says any more which commit lies in the directory. */
export async function takeSentinelAway(
  { dependencies, context }: Pick<Delivery, 'dependencies' | 'context'>,
  directory: string,
): Promise<void> {
  const { sentinel } = context.plan.spec
  context.log(`taking ${sentinel} away: what lies there is about to change`)
  const script = `cd ${shellRemoteDirectory(directory)} || exit 3\n${sentinelAwayScript(sentinel)}`
  await runOnNode(dependencies, context, script)
}

/** Writes it in the current directory, durably and after everything that was written before; ends the shell when it cannot. */
export function sentinelScript({ context, commit }: Pick<Delivery, 'context' | 'commit'>): string {
  const { sentinel } = context.plan.spec
  const made = `./${newSentinel(sentinel)}`
  return `
umask 022
if [ -d ./${sentinel} ] && [ ! -L ./${sentinel} ]; then echo './${sentinel}: Is a directory' >&2; exit 5; fi
sync -f . 2>/dev/null || sync
if [ -e ./${sentinel} ] || [ -L ./${sentinel} ] || [ -e ${made} ] || [ -L ${made} ]; then rm -f ./${sentinel} ${made} || exit 5; fi
l_why=$(dd of=${made} conv=fsync 2>&1 <<'END'
${commit}
END
) || { rm -f ${made}; printf '%s\\n' "$l_why" >&2; exit 5; }
l_back=
read -r l_back <${made}
[ "$l_back" = ${commit} ] || { rm -f ${made}; echo '${made}: No space left on device' >&2; exit 5; }
mv -f ${made} ./${sentinel} || exit 5
sync . 2>/dev/null || sync`
}

/** Only after rsync has ended with exit code 0. */
export async function putSentinel(delivery: Delivery, directory: string): Promise<void> {
  const { dependencies, context, commit, source } = delivery
  const script = `cd ${shellRemoteDirectory(directory)} || exit 3\n${sentinelScript(delivery)}`
  const timeoutMs = commandTimeoutMs + Math.ceil(source.manifest.totalBytes / slowestDiskBytesPerMs)
  await runOnNode(dependencies, context, script, timeoutMs)
  context.log(`${context.plan.spec.sentinel} names ${commit}`)
}
