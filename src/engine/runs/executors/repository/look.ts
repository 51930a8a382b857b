import { targetHoldsForeign, targetIsMountPoint } from '../../../../core/run/repositoryCauses.ts'
import { emptyListing, listingScript, noListing } from '../../../../core/transfer/listing.ts'
import { shellRemoteDirectory } from '../../../../core/transfer/paths.ts'
import { CommitHash } from '../../../../shared/model/repository.ts'
import { readRemoteFacts } from '../../../transfer/remoteFacts.ts'
import { scriptsByChannel, scriptsBySession } from '../../../transfer/scripts.ts'
import type { Source } from '../../../transfer/source.ts'
import { checkPrograms, checkTarget, refuse } from '../transfer/checks.ts'
import { commandTimeoutMs } from '../transfer/step.ts'
import type { ListingState, Look, ReleasesThere } from './found.ts'
import { type Delivery, listingBefore } from './memory.ts'
import { unlisted } from './sentinel.ts'
import { mayStream } from './stream.ts'

/** Looks at the node in one round trip, and refuses what must not be written to. */
export async function lookAtNode(delivery: Delivery): Promise<Look> {
  const { dependencies, context, target } = delivery
  const { node, signal } = context
  const before = mayAssume(delivery) ? listingBefore(delivery) : null
  const { sshPool, channels } = dependencies
  // A listing takes as long as the tree is large, and only a session shows whether the login shell disturbs rsync.
  const runScript = before === null ? scriptsBySession(sshPool) : scriptsByChannel(channels)
  const facts = await readRemoteFacts(runScript, node, {
    target: { directory: target },
    source: null,
    more: moreScript(delivery, before?.commit ?? null),
    timeoutMs: commandTimeoutMs,
    signal,
  })
  checkPrograms(dependencies, context, facts)
  if (facts.target === null) throw new Error('the node said nothing about the target')
  checkTarget(dependencies, context, facts.target)
  if (facts.more.get('mount') === 'yes') refuse(targetIsMountPoint(node.name, facts.target.resolved))
  const foreign = facts.more.get('foreign')
  if (foreign !== undefined) refuse(targetHoldsForeign(node.name, foreign))
  const listing = facts.more.get('listing')
  const sentinel = facts.more.get('sentinel') ?? null
  const isAssumed = before !== null && listing === assumed && sentinel === before.commit
  return {
    directory: facts.target,
    listing: isAssumed ? { status: 'assumed', digest: before.digest } : listingStateOf(listing, delivery.source),
    sentinel,
    releases: releasesOf(delivery, facts.more),
  }
}

const assumed = 'assumed'

/** A stream compares the whole listing before the sentinel names the commit, so nothing rests on what is assumed here. */
const mayAssume = (delivery: Delivery): boolean =>
  delivery.context.plan.spec.strategy.kind === 'in-place' && mayStream(delivery, {})

/** @param text what `l_digest` said */
export function listingStateOf(text: string | undefined, source: Source): ListingState {
  if (text === undefined || !/^[0-9a-f]{64}$/.test(text) || text === noListing) return { status: 'unknown' }
  if (text === source.digest) return { status: 'same' }
  return text === emptyListing ? { status: 'empty' } : { status: 'differs', digest: text }
}

function releasesOf({ context: { node } }: Delivery, facts: ReadonlyMap<string, string>): ReleasesThere {
  const have = new Map<string, number>()
  for (const [name, rank] of factsOf(facts, 'have')) if (isCommit(name)) have.set(name, Number(rank))
  const current = facts.get('current')
  const inUse = current === undefined ? null : releaseOf(current)
  if (current !== undefined && inUse === null) return refuse(targetHoldsForeign(node.name, 'current'))
  return {
    inUse,
    isThere: facts.get('there') === 'yes',
    have,
    unfinished: factsOf(facts, 'unfinished')
      .map(([name]) => name)
      .filter(isCommit),
    foreign: factsOf(facts, 'foreign-release').map(([, name]) => name),
  }
}

/** Facts `<kind>.<key>`, without the kind. */
const factsOf = (facts: ReadonlyMap<string, string>, kind: string): [string, string][] =>
  [...facts].filter(([key]) => key.startsWith(`${kind}.`)).map(([key, value]) => [key.slice(kind.length + 1), value])

/** A whole name, as git writes it, whatever a shell over there takes for a letter. */
const isCommit = (name: string): boolean => CommitHash.safeParse(name).success

/** The commit in what `current` points at; null when it points at something of somebody else. */
export const releaseOf = (link: string): string | null =>
  /^releases\/([0-9a-f]{40}|[0-9a-f]{64})$/.exec(link)?.[1] ?? null

/** `more` of the facts: goes no further in a directory that will be refused, which may be a whole disk. */
function moreScript({ context: { plan }, commit, target }: Delivery, before: string | null): string {
  const { sentinel } = plan.spec
  const isRelease = plan.spec.strategy.kind === 'release'
  return `
cd ${shellRemoteDirectory(target)} 2>/dev/null || exit 0
case "$home/" in "\${p%/}"/*) exit 0 ;; esac
l_mounted() {
  if command -v mountpoint >/dev/null 2>&1; then mountpoint -q .; return; fi
  l_devices=$(stat -c %d . .. 2>/dev/null || stat -f %d . .. 2>/dev/null)
  [ "\${l_devices%%[!0-9]*}" != "\${l_devices##*[!0-9]}" ]
}
if l_mounted; then say mount yes; exit 0; fi
l_said=
l_sentinel() {
  if [ -d ./${sentinel} ] && [ ! -L ./${sentinel} ]; then say foreign ${sentinel}
  elif [ -f ./${sentinel} ] && [ ! -L ./${sentinel} ]; then l_said=$(head -c 200 ./${sentinel} 2>/dev/null); say sentinel "$l_said"
  elif [ -e ./${sentinel} ] || [ -L ./${sentinel} ]; then say sentinel '?'; fi
}
${listingScript(unlisted(plan))}
${isRelease ? releasesScript(plan.spec.sentinel, commit) : ''}
l_sentinel
${before === null ? '' : `if [ "$l_said" = ${before} ]; then say listing ${assumed}; exit 0; fi`}
say listing "$(l_digest)"`
}

/** Of things in `releases/` that are not ours so many are named. */
const mostForeign = 20

/**
 * A name alone does not make a release ours: times (`20240101120000`) and words (`cafe`) are hexadecimal too, and what is
 * ours may be removed. The sentinel in it has to name it.
 */
const releasesScript = (sentinel: string, commit: string): string => `
if [ -L current ]; then say current "$(readlink current)"; elif [ -e current ]; then say foreign current; exit 0; fi
if [ -L releases ] || { [ -e releases ] && [ ! -d releases ]; }; then say foreign releases; exit 0; fi
${isCommitScript}
l_foreign=0
l_ours=
for l_each in releases/*; do
  if [ ! -e "$l_each" ] && [ ! -L "$l_each" ]; then continue; fi
  l_name=\${l_each#releases/}
  if [ "$l_name" = ${commit} ]; then say there yes; fi
  if l_is_commit "\${l_name%.partial}" && [ -d "$l_each" ] && [ ! -L "$l_each" ]; then
    if [ "$l_name" != "\${l_name%.partial}" ]; then say "unfinished.\${l_name%.partial}" yes; continue; fi
    if [ -f "$l_each/${sentinel}" ] && [ ! -L "$l_each/${sentinel}" ] && [ "$(head -c 200 "$l_each/${sentinel}" 2>/dev/null)" = "$l_name" ]; then
      say "have.$l_name" 0
      l_ours="$l_ours $l_each/${sentinel}"
      continue
    fi
  fi
  l_foreign=$((l_foreign + 1))
  if [ "$l_name" != ${commit} ] && [ "$l_foreign" -le ${mostForeign} ]; then say "foreign-release.$l_foreign" "$l_name"; fi
done
l_rank=1000000
for l_each in $(ls -td $l_ours 2>/dev/null); do
  l_name=\${l_each#releases/}
  l_name=\${l_name%/${sentinel}}
  l_rank=$((l_rank - 1))
  if l_is_commit "$l_name"; then say "have.$l_name" $l_rank; fi
done
if [ -e releases/${commit} ] || [ -L releases/${commit} ]; then
  if [ ! -d releases/${commit} ] || [ -L releases/${commit} ]; then say foreign releases/${commit}; exit 0; fi
  cd releases/${commit} || exit 0
else
  cd releases/${commit}.partial 2>/dev/null || exit 0
fi`

/** `l_is_commit NAME`: as git writes the whole name of one. */
const isCommitScript = `l_is_commit() { case $1 in *[!0-9a-f]*) return 1 ;; esac; [ \${#1} -eq 40 ] || [ \${#1} -eq 64 ]; }`
