import { join } from 'node:path'
import { caseClashes, parseTree, utf8 } from '../../../core/parse/gitTree.ts'
import type { RepositoryId } from '../../../shared/model/ids.ts'
import type { CommitHash, Repository } from '../../../shared/model/repository.ts'
import type { Fetched, TreeSnapshot } from '../../ports/repositories.ts'
import type { MirrorLimits, RepositoryMirrorDependencies } from './dependencies.ts'
import { incoming, keptHeads, readIncoming } from './heads.ts'
import { exists, openHome, type RepositoryHome, repositoryHome } from './layout.ts'
import { treeMaker } from './makeTree.ts'
import { MirrorGit, type WorkOptions } from './mirrorGit.ts'
import { accessTo } from './remoteAccess.ts'
import { formOf, Snapshots } from './snapshots.ts'

/** The mirror of one repository: git in it is run one at a time where it changes something. */
export class OneMirror {
  readonly home: RepositoryHome
  readonly git: MirrorGit
  readonly snapshots: Snapshots
  readonly #dependencies: RepositoryMirrorDependencies
  #opened: Promise<void> | null = null
  #queue: Promise<unknown> = Promise.resolve()

  constructor(id: RepositoryId, dependencies: RepositoryMirrorDependencies, limits: MirrorLimits) {
    this.#dependencies = dependencies
    this.home = repositoryHome(join(dependencies.directory, id))
    this.git = new MirrorGit(this.home.mirror, limits)
    this.snapshots = new Snapshots(this.home, { clock: dependencies.clock, kept: limits.keptSnapshots })
  }

  /** Directories, a mirror, and nothing that a killed engine left. */
  open(): Promise<void> {
    this.#opened ??= (async () => {
      await openHome(this.home)
      await this.git.ensure()
    })()
    this.#opened.catch(() => {
      this.#opened = null
    })
    return this.#opened
  }

  /** Null when nothing was ever fetched: then nothing is made for it. */
  async ifThere(): Promise<MirrorGit | null> {
    if (this.#opened === null && !(await exists(this.home.mirror))) return null
    await this.open()
    return this.git
  }

  alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work)
    this.#queue = result.catch(() => undefined)
    return result
  }

  fetch(repository: Repository, options: WorkOptions & { readonly force: boolean }): Promise<Fetched> {
    return this.alone(async () => {
      await this.open()
      const { settings, state } = repository
      const access = await accessTo(this.#dependencies, repository, settings.remote ?? '')
      const depth = Object.keys(state.heads).length === 0 ? settings.depth : null
      const refspecs = [`+refs/heads/*:${incoming.branches}*`, `+refs/tags/*:${incoming.tags}*`]
      await this.git.fetch(access, { refspecs, depth }, options)
      const came = await readIncoming(this.git)
      const kept = await keptHeads(this.git, {
        before: state.heads,
        came: came.heads,
        strict: [settings.defaultBranch],
        force: options.force,
      })
      await this.git.tidy(options)
      const clashes = await this.#caseClashes(kept.heads[settings.defaultBranch])
      return { heads: kept.heads, warnings: [...came.warnings, ...kept.warnings, ...clashes] }
    })
  }

  async #caseClashes(commit: CommitHash | undefined): Promise<string[]> {
    if (commit === undefined) return []
    const listing = await this.git.must({ args: ['ls-tree', '-r', '-t', '-z', '--full-tree', commit] })
    const clashes = caseClashes(parseTree(listing.toString('latin1')).entries.map(({ path }) => path))
    return clashes.map(
      ([one = '', other = '']) =>
        `${JSON.stringify(utf8(one))} and ${JSON.stringify(utf8(other))} are one file where capitals do not count (macOS, Windows).`,
    )
  }

  async snapshot(
    repository: Repository,
    commit: CommitHash,
    { dotGit, ...options }: WorkOptions & { readonly dotGit: boolean },
  ): Promise<TreeSnapshot> {
    await this.open()
    const { snapshot } = await this.snapshots.take(
      formOf(repository.settings, commit, dotGit),
      {
        make: treeMaker(this.git),
        listBase: async (base) => {
          const listing = await this.git.must({ args: ['ls-tree', '-r', '-t', '-z', '--full-tree', base] })
          return parseTree(listing.toString('latin1')).entries
        },
      },
      options,
    )
    return snapshot
  }
}
