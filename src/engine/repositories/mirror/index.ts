import { assertGit } from '../../../platform/git/version.ts'
import { AppError } from '../../../shared/errors.ts'
import type { RepositoryId } from '../../../shared/model/ids.ts'
import type { RepositoryMirrors } from '../../ports/repositories.ts'
import { defaultLimits, type RepositoryMirrorDependencies } from './dependencies.ts'
import { checkedCommit, countBetween, hasCommit, listChanged, readLog } from './history.ts'
import { removeWhole } from './layout.ts'
import { OneMirror } from './oneMirror.ts'

export type { RepositoryMirrorDependencies } from './dependencies.ts'

/** The engine's own copies of repositories, on the git of this machine. See {@link RepositoryMirrors}. */
export function createRepositoryMirrors(dependencies: RepositoryMirrorDependencies): RepositoryMirrors {
  const limits = { ...defaultLimits, ...dependencies.limits }
  const mirrors = new Map<RepositoryId, OneMirror>()
  let git: Promise<void> | null = null

  const of = async (id: RepositoryId): Promise<OneMirror> => {
    git ??= assertGit()
    // It may be installed later.
    await git.catch((thrown: unknown) => {
      git = null
      throw thrown
    })
    let mirror = mirrors.get(id)
    if (mirror === undefined) {
      mirror = new OneMirror(id, dependencies, limits)
      mirrors.set(id, mirror)
    }
    return mirror
  }

  return {
    fetch: async (repository, options) => (await of(repository.id)).fetch(repository, options),
    log: async (id, query) => {
      const mirror = await (await of(id)).ifThere()
      if (mirror === null || !(await hasCommit(mirror, query.from)))
        throw new AppError('REF_NOT_FOUND', `The commit ${query.from.slice(0, 12)} is not here. Fetch first.`)
      return readLog(mirror, query)
    },
    commitsBetween: async (id, from, to) => {
      const mirror = await (await of(id)).ifThere()
      return mirror === null ? null : countBetween(mirror, from, to)
    },
    has: async (id, commit) => {
      const mirror = await (await of(id)).ifThere()
      return mirror !== null && hasCommit(mirror, commit)
    },
    changedFiles: async (id, from, to) => {
      const mirror = await (await of(id)).ifThere()
      return mirror === null ? null : listChanged(mirror, from, to)
    },
    snapshot: async (repository, commit, options) =>
      (await of(repository.id)).snapshot(repository, checkedCommit(commit), options),
    remove: async (id) => {
      const mirror = mirrors.get(id)
      mirrors.delete(id)
      await mirror?.snapshots.stop()
      await (mirror?.alone(async () => undefined) ?? Promise.resolve())
      await removeWhole(dependencies.directory, id)
    },
  }
}
