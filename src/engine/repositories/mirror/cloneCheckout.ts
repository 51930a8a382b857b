import { randomUUID } from 'node:crypto'
import { checkedRef } from '../../../platform/git/git.ts'
import { AppError } from '../../../shared/errors.ts'
import type { Repository } from '../../../shared/model/repository.ts'
import type { AccessFor, Checkout } from './checkout.ts'
import { finishCloneScript, prepareCloneScript, removeCloneScript } from './checkoutScripts.ts'
import type { WorkOptions } from './mirrorGit.ts'

/** Clones beside the place and renames: what is there is a whole checkout. Its `origin` is the remote as it was entered. */
export async function cloneCheckout(
  checkout: Checkout,
  { settings, accessFor }: { readonly settings: Repository['settings']; readonly accessFor: AccessFor },
  options: WorkOptions,
): Promise<void> {
  const { runner, directory } = checkout
  const { remote, defaultBranch, depth } = settings
  if (remote === null)
    throw new AppError(
      'SOURCE_MISSING',
      `${checkout.shown} is not there, and the repository has no remote to clone it from. Check the directory, or enter a remote.`,
      { data: { directory } },
    )
  const access = await accessFor(remote)
  const prepared = await runner.script(prepareCloneScript, [directory, randomUUID()], options)
  if (prepared.exitCode !== 0) throw checkout.error(prepared)
  const unfinished = prepared.stdout.toString('utf8')
  try {
    const cloned = await runner.git({
      ...options,
      directory: '/',
      access,
      args: [
        'clone',
        '--progress',
        '--template=',
        '--origin=origin',
        '--no-local',
        '--no-recurse-submodules',
        `--branch=${checkedRef(defaultBranch)}`,
        ...(depth === null ? [] : [`--depth=${depth}`, '--no-single-branch']),
        '--end-of-options',
        access.url,
        unfinished,
      ],
    })
    if (cloned.exitCode !== 0) throw access.error(cloned)
    const renamed = await runner.git({
      ...options,
      directory: unfinished,
      args: ['remote', 'set-url', '--', 'origin', remote],
    })
    if (renamed.exitCode !== 0) throw checkout.error(renamed)
    const finished = await runner.script(finishCloneScript, [unfinished, directory], options)
    if (finished.exitCode !== 0) throw checkout.error(finished)
  } finally {
    await runner.script(removeCloneScript, [unfinished], {}).catch(() => undefined)
  }
}
