import { shellRemoteDirectory } from '../../../../core/transfer/paths.ts'
import type { StepOutcome } from '../../executor.ts'
import { checkContent } from './content.ts'
import { deliver } from './deliver.ts'
import type { ReleasesThere } from './found.ts'
import { deletesInPlace } from './inPlace.ts'
import { type Delivery, lookOf } from './memory.ts'
import { runOnNode } from './script.ts'

/** Where a commit lies below the target, as `current` names it. */
export const releaseLink = (commit: string): string => `releases/${commit}`

/** As a directory of the node. */
export const releaseDirectory = ({ target, commit }: Pick<Delivery, 'target' | 'commit'>): string =>
  `${target}/${releaseLink(commit)}`

/**
 * PUSH_SYNC beside what is in use: the commit is built and proven under a name that nobody reads, and then comes into use
 * in one rename. One that lies there whole from an earlier run is proven again, and not sent. Programs may have written into
 * that one since, so only what the plan says is deleted there, within its limits.
 */
export async function pushRelease(delivery: Delivery): Promise<StepOutcome> {
  const { dependencies, context, memory, commit, target } = delivery
  const look = lookOf(memory)
  const { releases } = look
  if (releases.foreign.length > 0)
    context.log(
      `left alone in releases/, not of a sync: ${releases.foreign.map((name) => JSON.stringify(name)).join(', ')}`,
    )
  const { isThere } = releases
  memory.builtRelease = !isThere
  const isBegun = releases.unfinished.includes(commit)
  const directory = isThere ? releaseDirectory(delivery) : `${releaseDirectory(delivery)}.partial`
  const linkDestination = isThere || releases.inUse === null ? {} : { linkDestination: `../${releases.inUse}` }
  if (!isThere) await runOnNode(dependencies, context, makeRoom(target, `${commit}.partial`))
  const delivered = await deliver(delivery, {
    directory,
    listing: isThere || isBegun ? look.listing : { status: 'empty' },
    sentinel: look.sentinel,
    deletes: isThere ? deletesInPlace(context.plan) : 'free',
    inUse: releases.inUse === commit,
    ...linkDestination,
  })
  if (delivered.kind !== 'done') return delivered
  const checked = await checkContent(delivery, directory)
  if (checked.outcome !== null)
    return { ...checked.outcome, patch: { ...checked.outcome.patch, ...summaryOf(delivered) } }
  const obsolete = obsoleteReleases(releases, { commit, keep: keptReleases(delivery) })
  const isInUse = releases.inUse === commit
  if (isInUse && obsolete.length === 0) return delivered
  memory.look = null
  await runOnNode(dependencies, context, bringIntoUse(delivery, { isThere, obsolete }))
  if (!isInUse) context.log(`current points at ${releaseLink(commit)} now`)
  if (obsolete.length > 0) context.log(`removed old releases: ${obsolete.join(', ')}`)
  return delivered
}

const summaryOf = ({ patch }: StepOutcome) => (patch?.summary === undefined ? {} : { summary: patch.summary })

const keptReleases = ({ context }: Delivery): number => {
  const { strategy } = context.plan.spec
  return strategy.kind === 'release' ? strategy.keep : 1
}

/** Names below `releases/` that go once the commit is in use: those used longest ago, and what was never finished. */
export function obsoleteReleases(
  { have, unfinished }: Pick<ReleasesThere, 'have' | 'unfinished'>,
  { commit, keep }: { readonly commit: string; readonly keep: number },
): string[] {
  const others = [...have].filter(([name]) => name !== commit)
  const newestFirst = others.sort(([, left], [, right]) => right - left).map(([name]) => name)
  const broken = unfinished.filter((name) => name !== commit).map((name) => `${name}.partial`)
  return [...newestFirst.slice(keep - 1), ...broken]
}

/** A link in the place of the directory would have us write somewhere else. */
const makeRoom = (target: string, name: string): string => `
cd ${shellRemoteDirectory(target)} || exit 3
[ -d releases ] || mkdir releases || exit 5
if [ -L releases/${name} ] || { [ -e releases/${name} ] && [ ! -d releases/${name} ]; }; then rm -f releases/${name} || exit 5; fi
[ -d releases/${name} ] || mkdir releases/${name} || exit 5`

/**
 * A release gets its name only whole, and loses it before anything of it is removed; one whose sentinel no longer names it is
 * left. `mv -T`: GNU and busybox; `mv -h`: BSD; elsewhere perl does the rename.
 */
function bringIntoUse(
  { context, commit, target }: Delivery,
  { isThere, obsolete }: { readonly isThere: boolean; readonly obsolete: readonly string[] },
): string {
  const { sentinel } = context.plan.spec
  const release = releaseLink(commit)
  return `
cd ${shellRemoteDirectory(target)} || exit 3
l_refuse() { printf '%s\\n' "$1" >&2; exit 5; }
if [ -e current ] && [ ! -L current ]; then l_refuse 'current: is not a link of ours'; fi
${isThere ? '' : `if [ -e ${release} ] || [ -L ${release} ]; then l_refuse '${release}: appeared meanwhile'; fi\nmv ${release}.partial ${release} || exit 5`}
[ -f ${release}/${sentinel} ] || l_refuse '${release}: has no sentinel'
touch ${release}/${sentinel}
sync releases 2>/dev/null || sync
l_new=.current.lockstep-new
rm -f "$l_new" && ln -s ${release} "$l_new" || exit 5
mv -f -T "$l_new" current 2>/dev/null || mv -f -h "$l_new" current 2>/dev/null ||
  perl -e 'rename($ARGV[0], $ARGV[1]) or exit 1' "$l_new" current || { rm -f "$l_new"; l_refuse 'current: cannot be replaced'; }
[ "$(readlink current)" = ${release} ] || l_refuse 'current: points elsewhere'
sync . 2>/dev/null || sync
for l_old in ${obsolete.join(' ')}; do
  l_gone=releases/\${l_old%.partial}.partial
  if [ "$l_gone" != "releases/$l_old" ]; then
    [ ! -L "releases/$l_old" ] && [ "$(head -c 200 "releases/$l_old/${sentinel}")" = "$l_old" ] || continue
    rm -rf "$l_gone"
    mv "releases/$l_old" "$l_gone" || continue
    rm -f "$l_gone/${sentinel}"
  fi
  rm -rf "$l_gone"
done 2>/dev/null`
}
