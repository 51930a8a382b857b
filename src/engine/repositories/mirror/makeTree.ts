import { join } from 'node:path'
import type { TreeEntry } from '../../../core/parse/gitTree.ts'
import { AppError } from '../../../shared/errors.ts'
import type { CommitHash } from '../../../shared/model/repository.ts'
import { bytePath, plainPath } from './bytePath.ts'
import { writeDotGit } from './dotGit.ts'
import { fetchLargeFiles, findPointers, type PointerFile } from './largeFiles.ts'
import type { MirrorGit, WorkOptions } from './mirrorGit.ts'
import type { RemoteAccess } from './remoteAccess.ts'
import type { MadeTree, MakeTree, SnapshotOrder } from './snapshots.ts'
import { listSubmodules, mirrorOfSubmodule, moveInto, newDirectory, type Submodule } from './submodules.ts'
import { type BaseTree, listEntries, stampDirectories, writeTree } from './treeWriter.ts'

/** Where content comes from that is in no commit of the mirror. */
export interface TreeSources {
  readonly mirror: MirrorGit
  readonly modules: string
  readonly newMirror: (directory: string) => MirrorGit
  /** What relative URLs of submodules are relative to, and where large files come from. */
  readonly url: () => Promise<string>
  /** The repository itself may lie on this machine; then its submodules may too. */
  readonly local: boolean
  readonly accessFor: (url: string) => Promise<RemoteAccess>
}

/** Submodules of submodules of submodules… A circle would never end. */
const deepestSubmodule = 10

interface Part {
  readonly mirror: MirrorGit
  readonly commit: CommitHash
  readonly url: () => Promise<string>
  readonly directory: string
  readonly base: BaseTree | null
  readonly depth: number
}

/** Fills snapshots from a mirror. */
export function treeMaker(sources: TreeSources): MakeTree {
  return async (order, options) => {
    const { form, directory, base, stamp } = order
    const maker = new TreeMaker(sources, order, options)
    const { mirror, url } = sources
    const made = await maker.make({ mirror, commit: form.commit, url, directory, base, depth: 0 })
    if (form.dotGit) await writeDotGit({ mirror, commit: form.commit, directory, stamp }, options)
    await maker.stampTop(made.entries)
    return made
  }
}

interface MadePart extends MadeTree {
  readonly entries: readonly TreeEntry[]
}

class TreeMaker {
  readonly #sources: TreeSources
  readonly #order: SnapshotOrder
  readonly #options: WorkOptions
  #scratchFiles = 0

  constructor(sources: TreeSources, order: SnapshotOrder, options: WorkOptions) {
    this.#sources = sources
    this.#order = order
    this.#options = options
  }

  async make(part: Part): Promise<MadePart> {
    const { mirror, commit, directory, base } = part
    const { stamp, form } = this.#order
    const written = await writeTree(
      { mirror, commit, directory, base, stamp, indexFile: this.#scratch('index') },
      this.#options,
    )
    const found = await findPointers(directory, written.fresh, this.#options)
    const fresh = new Set(written.fresh)
    const paths = new Set(written.entries.map(({ path }) => path))
    const linked = (base?.pointers ?? []).filter((path) => paths.has(path) && !fresh.has(path))
    if (form.largeFiles) await this.#fetchLarge(part, found)
    const inner = form.submodules ? await this.#submodules(part, written.entries) : { pointers: [], fresh: [] }
    await stampDirectories({ directory, base, stamp }, written.entries, this.#options)
    const pointers = form.largeFiles ? [] : [...linked, ...found.map(({ path }) => path)]
    return {
      entries: written.entries,
      pointers: [...pointers, ...inner.pointers],
      fresh: [...written.fresh, ...inner.fresh],
    }
  }

  /** What was put into the top afterwards changed its time. */
  stampTop(entries: readonly TreeEntry[]): Promise<void> {
    const { directory, base, stamp } = this.#order
    return stampDirectories({ directory, base, stamp }, entries, this.#options)
  }

  #scratch(name: string): string {
    this.#scratchFiles += 1
    return join(this.#order.scratch, `${name}-${this.#scratchFiles}`)
  }

  async #fetchLarge({ mirror, commit, directory, url }: Part, found: readonly PointerFile[]): Promise<void> {
    if (found.length === 0) return
    const access = await this.#sources.accessFor(await url())
    const { scratch, stamp } = this.#order
    await fetchLargeFiles({ mirror, access, commit, directory, scratch, stamp }, found, this.#options)
  }

  async #submodules(part: Part, entries: readonly TreeEntry[]): Promise<MadeTree> {
    const pointers: string[] = []
    const fresh: string[] = []
    if (!entries.some(({ kind }) => kind === 'submodule')) return { pointers, fresh }
    const { mirror, commit, directory, depth } = part
    if (depth >= deepestSubmodule)
      throw new AppError('REPOSITORY_UNSAFE', `Submodules lie in each other more than ${deepestSubmodule} deep.`)
    const { modules, newMirror, accessFor, local } = this.#sources
    const listed = await listSubmodules(mirror, { commit, entries, url: await part.url(), local }, this.#options)
    for (const module of listed) {
      const from = await mirrorOfSubmodule({ modules, newMirror, accessFor }, module, this.#options)
      const into = await newDirectory(this.#scratch('module'))
      const made = await this.make({
        mirror: from,
        commit: module.commit,
        url: async () => module.url,
        directory: into,
        base: await submoduleBase(part.base, module, from),
        depth: depth + 1,
      })
      await moveInto(directory, module.path, into)
      pointers.push(...made.pointers.map((path) => `${module.path}/${path}`))
      fresh.push(...made.fresh.map((path) => `${module.path}/${path}`))
    }
    return { pointers, fresh }
  }
}

/** What lay in the place of the submodule before, when that was a commit of it. */
async function submoduleBase(base: BaseTree | null, { path }: Submodule, mirror: MirrorGit): Promise<BaseTree | null> {
  const before = base?.entries.find((entry) => entry.path === path && entry.kind === 'submodule')
  if (base === null || before === undefined || plainPath(path) === null) return null
  const entries = await listEntries(mirror, before.hash).catch(() => null)
  if (entries === null) return null
  const prefix = `${path}/`
  return {
    entries,
    directory: String(bytePath(base.directory, path)),
    stamp: base.stamp,
    pointers: base.pointers
      .filter((pointer) => pointer.startsWith(prefix))
      .map((pointer) => pointer.slice(prefix.length)),
  }
}
