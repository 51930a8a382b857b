import { untrackedInTheWay } from '../../../core/parse/gitCheckout.ts'
import { utf8 } from '../../../core/parse/gitTree.ts'
import { AppError } from '../../../shared/errors.ts'
import { type Checkout, type CheckoutOptions, tip } from './checkout.ts'
import { shortList } from './failure.ts'

interface Branch {
  readonly branch: string
  /** Where the remote's tip of it was fetched to. */
  readonly upstream: string | null
  /** It was there before the fetch. */
  readonly hadUpstream: boolean
}

interface Moved {
  readonly warnings: readonly string[]
  /** The remote had the branch and does not any more. */
  readonly gone: boolean
}

/** Moves the branch that is checked out to what was fetched, or says why not. */
export async function bringForward(checkout: Checkout, wanted: Branch, { force }: CheckoutOptions): Promise<Moved> {
  const { branch, upstream } = wanted
  const theirs = upstream === null ? null : await tip(checkout, upstream)
  const ours = await tip(checkout, `refs/heads/${branch}`)
  if (theirs === null) return withoutUpstream(checkout, wanted)
  if (ours === theirs && !force) return { warnings: [], gone: false }
  if (force) return reset(checkout, wanted, { ours, theirs })
  if (ours !== null && (await isOlder(checkout, theirs, ours))) {
    const count = await checkout.must(['rev-list', '--count', `${theirs}..${ours}`, '--'])
    const warning = `${checkout.shown} has commits on ${branch} that the remote does not have (${count}); they are delivered.`
    return { warnings: [warning], gone: false }
  }
  if (ours !== null && !(await isOlder(checkout, ours, theirs))) throw diverged(checkout, branch, { ours, theirs })
  // An ignored file is as much the only copy of something as any other that git does not know.
  const merge = ['merge', '--ff-only', '--no-overwrite-ignore', '--no-stat', '--no-autostash', '--quiet', theirs]
  const result = await checkout.run(merge)
  if (result.exitCode !== 0) throw checkout.error(result)
  return { warnings: [], gone: false }
}

async function withoutUpstream(checkout: Checkout, { branch, upstream, hadUpstream }: Branch): Promise<Moved> {
  const followed = await checkout.maybe(['config', '--get', `branch.${branch}.merge`])
  if (upstream === null || (!hadUpstream && followed === null)) return { warnings: [], gone: false }
  const warning = `${checkout.shown} stands on ${branch}, which the remote does not have any more. Check out another branch there.`
  return { warnings: [warning], gone: true }
}

async function isOlder(checkout: Checkout, older: string, newer: string): Promise<boolean> {
  const result = await checkout.run(['merge-base', '--is-ancestor', older, newer])
  if (result.exitCode > 1) throw checkout.error(result)
  return result.exitCode === 0
}

function diverged(
  checkout: Checkout,
  branch: string,
  tips: { readonly ours: string; readonly theirs: string },
): AppError {
  const [ours, theirs] = [tips.ours.slice(0, 12), tips.theirs.slice(0, 12)]
  return new AppError(
    'REPOSITORY_DIVERGED',
    `The branch ${branch} of ${checkout.shown} (${ours}) and the one of the remote (${theirs}) went apart: commits were made there that were not pushed, or history was rewritten. A sync with force takes the remote's.`,
    { data: { branch, ...tips } },
  )
}

/** `reset --hard` takes back changes of tracked files, as asked, but must not write over what git never knew. */
async function reset(
  checkout: Checkout,
  { branch }: Branch,
  { ours, theirs }: { readonly ours: string | null; readonly theirs: string },
): Promise<Moved> {
  const untracked = await checkout.bytes(['ls-files', '-z', '--others'])
  const tree = await checkout.bytes(['ls-tree', '-r', '-z', '--name-only', '--full-tree', theirs])
  const inTheWay = untrackedInTheWay(untracked.toString('latin1'), tree.toString('latin1')).map(utf8)
  if (inTheWay.length > 0)
    throw new AppError(
      'REPOSITORY_DIVERGED',
      `Files in ${checkout.shown} that git does not know would be written over: ${shortList(inTheWay)}. Move them away; force takes back changes of tracked files only.`,
      { data: { files: inTheWay.slice(0, 20) } },
    )
  const result = await checkout.run(['reset', '--hard', '--quiet', theirs, '--'])
  if (result.exitCode !== 0) throw checkout.error(result)
  const left = ours !== null && ours !== theirs && !(await isOlder(checkout, ours, theirs))
  const warning = `${branch} of ${checkout.shown} was at ${ours}, which the remote does not have; it was reset to ${theirs.slice(0, 12)}.`
  return { warnings: left ? [warning] : [], gone: false }
}
