import { AppError } from '../../../shared/errors.ts'
import type { CommitHash } from '../../../shared/model/repository.ts'
import { CommitHash as CommitHashSchema } from '../../../shared/model/repository.ts'
import { shortList } from './failure.ts'
import type { MirrorGit } from './mirrorGit.ts'

export type Heads = Readonly<Record<string, CommitHash>>

/** Where a fetch puts what the other side has; nothing else lies there. */
export const incoming = {
  branches: 'refs/incoming/heads/',
  tags: 'refs/incoming/tags/',
  /** What a checkout stands on. */
  checkout: 'refs/incoming/checkout/',
} as const

const format = '%(objectname) %(objecttype) %(*objectname) %(*objecttype) %(refname)'

/** Commits at the ends of branches and tags, as a fetch left them; tags of anything but commits are left out. */
export async function readIncoming(mirror: MirrorGit): Promise<{ heads: Heads; warnings: string[] }> {
  const listing = await mirror.must({ args: ['for-each-ref', `--format=${format}`, 'refs/incoming/'] })
  const heads = new Map<string, CommitHash>()
  const warnings: string[] = []
  for (const line of listing.toString('utf8').split('\n')) {
    const [object = '', type, peeled = '', peeledType, ref = ''] = line.split(' ')
    const name = nameOf(ref)
    if (name === null) continue
    if (name.startsWith('tags/') && !ref.startsWith(incoming.tags)) {
      warnings.push(`The branch ${name} is left out: its name cannot be told from the one of a tag.`)
      continue
    }
    // What stands in the checkout counts before what its remote has; it comes first in the list.
    if (heads.has(name)) continue
    const commit = type === 'commit' ? object : peeledType === 'commit' ? peeled : await peel(mirror, ref, type)
    if (commit !== null) heads.set(name, CommitHashSchema.parse(commit))
  }
  return { heads: Object.fromEntries(heads), warnings }
}

/** A fetch takes away branches that are gone, but not what another branch was checked out for. */
export async function forgetCheckedOut(mirror: MirrorGit): Promise<void> {
  const listing = await mirror.must({ args: ['for-each-ref', '--format=delete %(refname)', incoming.checkout] })
  if (listing.length > 0) await mirror.must({ args: ['update-ref', '--stdin'], stdin: listing })
}

function nameOf(ref: string): string | null {
  if (ref.startsWith(incoming.tags)) return `tags/${ref.slice(incoming.tags.length)}`
  if (ref.startsWith(incoming.checkout)) return ref.slice(incoming.checkout.length)
  return ref.startsWith(incoming.branches) ? ref.slice(incoming.branches.length) : null
}

/** A tag of a tag. */
async function peel(mirror: MirrorGit, ref: string, type: string | undefined): Promise<string | null> {
  if (type !== 'tag') return null
  const { exitCode, stdout } = await mirror.run({
    args: ['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`],
  })
  const last = stdout.toString('utf8').trim().split('\n').at(-1) ?? ''
  return exitCode === 0 && CommitHashSchema.safeParse(last).success ? last : null
}

/** True, false, or null when one of the two is not here. */
export async function isAncestor(mirror: MirrorGit, older: string, newer: string): Promise<boolean | null> {
  if (older === newer) return true
  const { exitCode } = await mirror.run({ args: ['merge-base', '--is-ancestor', older, newer] })
  return exitCode === 0 ? true : exitCode === 1 ? false : null
}

/**
 * What is kept of the heads that came. A head whose history was rewritten stays as it was unless `force`: without a word
 * for a branch that somebody works on, that would be a roll-back or worse on every machine. The branches in `strict` are
 * what the repository is about: there it is an error.
 *
 * @throws AppError REPOSITORY_DIVERGED
 */
export async function keptHeads(
  mirror: MirrorGit,
  change: { readonly before: Heads; readonly came: Heads; readonly strict: readonly string[]; readonly force: boolean },
): Promise<{ heads: Heads; warnings: string[] }> {
  const { before, came, strict, force } = change
  const heads = new Map(Object.entries(came))
  const rewritten: string[] = []
  if (!force)
    for (const [name, was] of Object.entries(before)) {
      const now = heads.get(name)
      if (now === undefined || (await follows(mirror, was, now))) continue
      rewritten.push(name)
      heads.set(name, was)
    }
  const wrong = rewritten.find((name) => strict.includes(name))
  if (wrong !== undefined)
    throw new AppError(
      'REPOSITORY_DIVERGED',
      `The history of the branch ${wrong} was rewritten: ${short(came[wrong])} does not follow from ${short(before[wrong])}, which was fetched before. Look at both; a sync with force takes the new one.`,
      { data: { branch: wrong, before: before[wrong], now: came[wrong] } },
    )
  const warnings =
    rewritten.length === 0
      ? []
      : [
          `The history of ${shortList(rewritten)} was rewritten: what was fetched before stays, until a sync with force takes the new one.`,
        ]
  const byName = [...heads].sort(([left], [right]) => (left < right ? -1 : 1))
  return { heads: Object.fromEntries(byName), warnings }
}

const short = (commit: string | undefined): string => (commit ?? '').slice(0, 12)

/** A commit that is not here cannot be followed: then only a mirror that never had the whole history says nothing. */
async function follows(mirror: MirrorGit, was: string, now: string): Promise<boolean> {
  const answer = await isAncestor(mirror, was, now)
  if (answer !== null) return answer
  const { stdout } = await mirror.run({ args: ['rev-parse', '--is-shallow-repository'] })
  return stdout.toString('utf8').trim() === 'true'
}
