import { defaultSentinel } from '../../../core/parse/gitCheckout.ts'
import { unsafeSettings } from '../../../core/parse/gitConfig.ts'
import { parseGitUrl } from '../../../core/parse/gitUrl.ts'
import { AppError } from '../../../shared/errors.ts'
import type { CommitHash, Repository } from '../../../shared/model/repository.ts'
import { bringForward } from './bringForward.ts'
import { type AccessFor, Checkout, type CheckoutOptions, tip } from './checkout.ts'
import { excludeScript, lookScript } from './checkoutScripts.ts'
import { cloneCheckout } from './cloneCheckout.ts'
import { shortList } from './failure.ts'
import { incoming } from './heads.ts'
import type { WorkOptions } from './mirrorGit.ts'
import type { RemoteAccess } from './remoteAccess.ts'
import type { Runner } from './runner.ts'

/** Where a checkout is, or is to be. */
export interface CheckoutPlace {
  readonly runner: Runner
  readonly directory: string
  readonly settings: Repository['settings']
  readonly accessFor: AccessFor
}

/** What the mirror has to fetch from a checkout, after that was brought forward. */
export interface CheckoutSource {
  /** Absolute, on the machine of the checkout. */
  readonly directory: string
  readonly refspecs: readonly string[]
  /** What it stands on; null for a detached head. */
  readonly branch: string | null
  readonly warnings: readonly string[]
}

/**
 * Brings a checkout forward as `git pull --ff-only` does; with `force` as fetch and `reset --hard` do, on the branch that
 * is checked out and on nothing else (S2.3, S2.13, D18). Cloned where it is missing. Files that git does not know are
 * never touched.
 */
export async function pullCheckout(place: CheckoutPlace, options: CheckoutOptions): Promise<CheckoutSource> {
  const { settings, accessFor } = place
  const checkout = await findCheckout(place, options)
  await assertWorkTree(checkout)
  await keepSentinelOut(checkout, options)

  const origin = await checkout.maybe(['remote', 'get-url', 'origin'])
  const branch = await checkout.maybe(['symbolic-ref', '--quiet', '--short', 'HEAD'])
  const warnings = await uncommitted(checkout)
  if (branch === null)
    warnings.push(`${checkout.shown} stands on no branch (detached head), so nothing was pulled there.`)
  const url = settings.remote ?? origin
  if (url === null) {
    const refspecs = [`+refs/heads/*:${incoming.branches}*`, `+refs/tags/*:${incoming.tags}*`]
    return { directory: checkout.directory, refspecs, branch, warnings }
  }

  const access = await accessFor(reachable(url, checkout))
  // Names of the person's own remote are only brought up to date by what that remote has.
  const tracking = origin === url ? 'refs/remotes/origin/' : 'refs/remotes/lockstep/'
  const upstream = branch === null ? null : await upstreamOf(checkout, branch, tracking)
  const hadUpstream = upstream !== null && (await tip(checkout, upstream)) !== null
  await fetchInto(checkout, access, tracking)
  const moved = branch === null ? null : await bringForward(checkout, { branch, upstream, hadUpstream }, options)
  warnings.push(...(moved?.warnings ?? []))
  const ofBranch =
    branch !== null && moved?.gone !== true ? [`+refs/heads/${branch}:${incoming.checkout}${branch}`] : []
  const refspecs = [
    `+${tracking}*:${incoming.branches}*`,
    `^${tracking}HEAD`,
    `+refs/lockstep/tags/*:${incoming.tags}*`,
    ...ofBranch,
  ]
  return { directory: checkout.directory, refspecs, branch, warnings }
}

/** The checkout that lies there; cloned where there is nothing yet. */
export async function findCheckout(
  { runner, directory, settings, accessFor }: CheckoutPlace,
  options: WorkOptions,
): Promise<Checkout> {
  const look = await runner.script(lookScript, [directory], options)
  const text = look.stdout.toString('utf8')
  const kind = text.slice(0, text.indexOf('\n'))
  const checkout = new Checkout(runner, text.slice(text.indexOf('\n') + 1), options)
  switch (kind) {
    case 'checkout':
      await assertSettings(checkout)
      return checkout
    case 'missing':
    case 'empty':
      await cloneCheckout(checkout, { settings, accessFor }, options)
      return checkout
    case 'refused':
      throw new AppError('HOME_NOT_WRITABLE', `${checkout.shown} cannot be read. Check its owner and rights.`)
    default:
      throw new AppError(
        'SOURCE_MISSING',
        `${checkout.shown} is there and is not a git checkout; nothing was changed in it. Move it away, or name another directory.`,
        { data: { directory: checkout.directory } },
      )
  }
}

/** Before any other call of git there: what a checkout brings along runs no program and chooses nobody to trust. */
async function assertSettings(checkout: Checkout): Promise<void> {
  const listed = await checkout.run(['config', '--list', '--includes', '--show-scope', '-z'])
  if (listed.exitCode !== 0) throw checkout.error(listed)
  const names = unsafeSettings(listed.stdout.toString('latin1'))
  if (names.length === 0) return
  throw new AppError(
    'REPOSITORY_UNSAFE',
    `The configuration of the checkout ${checkout.shown} holds settings that run programs or change whom git trusts: ${shortList(names)}. Take them out (git config --unset-all), or enter its remote in the place of the checkout.`,
    { data: { directory: checkout.directory, settings: names.slice(0, 20) } },
  )
}

/** A `.git` whose files lie elsewhere (`core.worktree`), or nowhere, is not what was named. */
async function assertWorkTree(checkout: Checkout): Promise<void> {
  const inside = await checkout.must(['rev-parse', '--is-inside-work-tree', '--show-prefix'])
  if (inside.trim() === 'true') return
  throw new AppError(
    'SOURCE_MISSING',
    `The files that git keeps for ${checkout.shown} do not lie there (bare, or core.worktree). Name a plain checkout, or enter it as the remote.`,
    { data: { directory: checkout.directory } },
  )
}

/** Has one commit fetched by its hash, under a name of its own, unless it is there. @returns the directory */
export async function pinInCheckout(place: CheckoutPlace, commit: CommitHash, options: WorkOptions): Promise<string> {
  const checkout = await findCheckout(place, options)
  if ((await checkout.maybe(['cat-file', '-e', `${commit}^{commit}`])) !== null) return checkout.directory
  const url = place.settings.remote ?? (await checkout.maybe(['remote', 'get-url', 'origin']))
  if (url === null) return checkout.directory
  const access = await place.accessFor(reachable(url, checkout))
  const args = ['fetch', '--no-tags', '--no-auto-maintenance', '--no-write-fetch-head', '--no-recurse-submodules']
  const depth = place.settings.depth === null ? [] : ['--depth=1']
  const refspec = `+${commit}:refs/lockstep/pinned/${commit}`
  const result = await checkout.run([...args, ...depth, '--end-of-options', access.url, refspec], { access })
  if (result.exitCode !== 0) throw access.error(result)
  return checkout.directory
}

/** D16: a sentinel in a checkout must not become a change of the repository. */
async function keepSentinelOut(checkout: Checkout, options: WorkOptions): Promise<void> {
  const path = await checkout.must(['rev-parse', '--git-path', 'info/exclude'])
  const file = path.startsWith('/') ? path : `${checkout.directory}/${path}`
  const done = await checkout.runner.script(excludeScript, [file, `/${defaultSentinel}`], options)
  if (done.exitCode !== 0) throw checkout.error(done)
}

async function uncommitted(checkout: Checkout): Promise<string[]> {
  const args = ['status', '--porcelain=v1', '-z', '--no-renames', '--untracked-files=normal', '--ignore-submodules=all']
  const changed = (await checkout.bytes(args))
    .toString('utf8')
    .split('\0')
    .filter((entry) => entry !== '')
  if (changed.length === 0) return []
  const names = shortList(changed.map((entry) => JSON.stringify(entry.slice(3))))
  const files = changed.length === 1 ? '1 file in' : `${changed.length} files in`
  return [`${files} ${checkout.shown} changed and not committed, so not delivered: ${names}.`]
}

/** An `origin` may be a path below the checkout. */
function reachable(url: string, checkout: Checkout): string {
  const parsed = parseGitUrl(url)
  if (parsed.kind === 'file' && !parsed.path.startsWith('/')) return `${checkout.directory}/${parsed.path}`
  return url
}

/** The branch that the person follows, when it is one of this remote; else the one of the same name. */
async function upstreamOf(checkout: Checkout, branch: string, tracking: string): Promise<string | null> {
  const followed = await checkout.maybe(['for-each-ref', '--format=%(upstream)', `refs/heads/${branch}`])
  return followed?.startsWith(tracking) === true ? followed : `${tracking}${branch}`
}

async function fetchInto(checkout: Checkout, access: RemoteAccess, tracking: string): Promise<void> {
  const result = await checkout.run(
    [
      'fetch',
      '--progress',
      '--prune',
      '--no-tags',
      '--no-auto-maintenance',
      '--no-write-fetch-head',
      '--no-recurse-submodules',
      '--end-of-options',
      access.url,
      `+refs/heads/*:${tracking}*`,
      '+refs/tags/*:refs/lockstep/tags/*',
    ],
    { access },
  )
  if (result.exitCode !== 0) throw access.error(result)
}
