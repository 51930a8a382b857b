import { join } from 'node:path'
import { caseClashes, utf8 } from '../../../core/parse/gitTree.ts'
import { parseGitUrl } from '../../../core/parse/gitUrl.ts'
import { AppError } from '../../../shared/errors.ts'
import type { RepositoryId } from '../../../shared/model/ids.ts'
import type { CommitHash, Repository } from '../../../shared/model/repository.ts'
import type { Fetched, TreeSnapshot } from '../../ports/repositories.ts'
import type { CheckoutOptions } from './checkout.ts'
import type { MirrorLimits, RepositoryMirrorDependencies } from './dependencies.ts'
import { forgetCheckedOut, incoming, keptHeads, readIncoming } from './heads.ts'
import { hasCommit } from './history.ts'
import { pointersRefused } from './largeFiles.ts'
import { exists, openHome, type RepositoryHome, repositoryHome } from './layout.ts'
import { treeMaker } from './makeTree.ts'
import { MirrorGit, type WorkOptions } from './mirrorGit.ts'
import { accessFromNode, accessOnNode } from './nodeAccess.ts'
import { type CheckoutPlace, type CheckoutSource, findCheckout, pinInCheckout, pullCheckout } from './pullCheckout.ts'
import { accessTo, localAccess, type RemoteAccess, shownPlace } from './remoteAccess.ts'
import { localRunner, nodeRunner } from './runner.ts'
import { formOf, Snapshots } from './snapshots.ts'
import { listEntries } from './treeWriter.ts'

interface Source extends Omit<CheckoutSource, 'directory'> {
  readonly access: RemoteAccess
}

/** The mirror of one repository: git in it is run one at a time where it changes something. */
export class OneMirror {
  readonly home: RepositoryHome
  readonly git: MirrorGit
  readonly snapshots: Snapshots
  readonly #dependencies: RepositoryMirrorDependencies
  readonly #limits: MirrorLimits
  #opened: Promise<void> | null = null
  #queue: Promise<unknown> = Promise.resolve()

  constructor(id: RepositoryId, dependencies: RepositoryMirrorDependencies, limits: MirrorLimits) {
    this.#dependencies = dependencies
    this.#limits = limits
    this.home = repositoryHome(join(dependencies.directory, id))
    this.git = new MirrorGit(this.home.mirror, limits)
    this.snapshots = new Snapshots(this.home, { ...dependencies, kept: limits.keptSnapshots })
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
      // Somebody may have removed it, damaged as it was.
      await this.git.ensure()
      const { settings, state } = repository
      const source = await this.#source(repository, options)
      const depth = Object.keys(state.heads).length === 0 ? settings.depth : null
      await forgetCheckedOut(this.git)
      await this.git.fetch(source.access, { refspecs: source.refspecs, depth, prune: true }, options)
      const came = await readIncoming(this.git)
      const kept = await keptHeads(this.git, {
        before: state.heads,
        came: came.heads,
        strict: [settings.defaultBranch, ...(source.branch === null ? [] : [source.branch])],
        force: options.force,
      })
      await this.git.tidy(options)
      const clashes = await this.#caseClashes(kept.heads[settings.defaultBranch])
      return { heads: kept.heads, warnings: [...source.warnings, ...came.warnings, ...kept.warnings, ...clashes] }
    })
  }

  /** Where the mirror fetches from: the remote, or a checkout that was brought forward just before. */
  async #source(repository: Repository, options: CheckoutOptions): Promise<Source> {
    const { checkout, remote } = repository.settings
    if (checkout.kind === 'none') {
      const access = await accessTo(this.#dependencies, repository, remote ?? '')
      const refspecs = [`+refs/heads/*:${incoming.branches}*`, `+refs/tags/*:${incoming.tags}*`]
      return { access, refspecs, branch: null, warnings: [] }
    }
    const pulled: CheckoutSource[] = []
    const access = await this.#withCheckout(repository, async (place) => {
      const source = await pullCheckout(place, options)
      pulled.push(source)
      return source.directory
    })
    const [source] = pulled
    if (source === undefined) throw new AppError('INTERNAL', 'the checkout was not looked at')
    return { ...source, access }
  }

  /** Work on the machine of the checkout. @returns how the mirror gets to the directory that it names */
  async #withCheckout(repository: Repository, work: (place: CheckoutPlace) => Promise<string>): Promise<RemoteAccess> {
    const { settings } = repository
    const { checkout } = settings
    if (checkout.kind === 'none') throw new AppError('INTERNAL', 'the repository has no checkout')
    const { directory } = checkout
    if (checkout.kind === 'here') {
      const accessFor = (url: string) => accessTo(this.#dependencies, repository, url)
      return localAccess(await work({ runner: localRunner(this.#limits), directory, settings, accessFor }))
    }
    const node = await this.#dependencies.findNode(checkout.node)
    if (node === null)
      throw new AppError(
        'SOURCE_MISSING',
        `The checkout lies on ${checkout.node}, which is not in the fleet. Register it, or name another one.`,
      )
    const accessFor = (url: string) => accessFromNode(this.#dependencies, node, repository, url)
    const runner = nodeRunner(this.#dependencies.sshPool, node, this.#limits)
    return accessOnNode(this.#dependencies, node, await work({ runner, directory, settings, accessFor }))
  }

  async #caseClashes(commit: CommitHash | undefined): Promise<string[]> {
    if (commit === undefined) return []
    const clashes = caseClashes((await listEntries(this.git, commit)).map(({ path }) => path))
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
    const { checkout } = repository.settings
    let asked: Promise<string> | null = null
    const own = (): Promise<string> => {
      asked ??= this.#remoteUrl(repository, options)
      return asked
    }
    const make = treeMaker({
      mirror: this.git,
      modules: this.home.modules,
      newMirror: (directory) => new MirrorGit(directory, this.#limits),
      url: own,
      local: checkout.kind !== 'node',
      accessFor: async (url) => {
        if (checkout.kind === 'node' && parseGitUrl(url).kind === 'file') throw onNode(checkout.node, url)
        return accessTo(this.#dependencies, repository, url, await own())
      },
    })
    const { snapshot, record } = await this.snapshots.take(
      formOf(repository.settings, commit, dotGit),
      {
        make: async (order, making) => {
          await this.#ensureCommit(repository, commit, making)
          return make(order, making)
        },
        listBase: (base) => listEntries(this.git, base),
      },
      options,
    )
    if (repository.settings.largeFiles !== 'refuse' || record.pointers.length === 0) return snapshot
    snapshot.release()
    throw pointersRefused(commit, record.pointers)
  }

  /** A commit that no branch reaches is asked for by its hash, which most servers answer. */
  #ensureCommit(repository: Repository, commit: CommitHash, options: WorkOptions): Promise<void> {
    return this.alone(async () => {
      if (await hasCommit(this.git, commit)) return
      const { checkout } = repository.settings
      const access =
        checkout.kind === 'none'
          ? await accessTo(this.#dependencies, repository, repository.settings.remote ?? '')
          : await this.#withCheckout(repository, (place) => pinInCheckout(place, commit, options))
      const depth = repository.settings.depth === null ? null : 1
      await this.git.fetch(access, { refspecs: [`+${commit}:refs/lockstep/pinned/${commit}`], depth }, options)
    })
  }

  /** What relative URLs are relative to: the remote, the `origin` of the checkout, or the checkout itself. */
  async #remoteUrl(repository: Repository, options: WorkOptions): Promise<string> {
    const { remote, checkout } = repository.settings
    if (remote !== null || checkout.kind === 'none') return remote ?? ''
    let origin: string | null = null
    const access = await this.#withCheckout(repository, async (place) => {
      const found = await findCheckout(place, options)
      origin = await found.maybe(['remote', 'get-url', 'origin'])
      return found.directory
    })
    return origin ?? `file://${access.url}`
  }
}

/** A path of another machine must not be looked up on this one. */
const onNode = (node: string, url: string): AppError =>
  new AppError(
    'UNSUPPORTED',
    `${shownPlace(url)} lies on ${node}, and large files and submodules are fetched from servers only. Enter a remote over https or ssh, or deliver without them.`,
  )
