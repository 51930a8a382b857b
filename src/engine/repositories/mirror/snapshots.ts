import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { TreeEntry } from '../../../core/parse/gitTree.ts'
import { explainFileError, hasErrorCode } from '../../../platform/fileErrors.ts'
import { AppError } from '../../../shared/errors.ts'
import { CommitHash, type Repository } from '../../../shared/model/repository.ts'
import type { TreeSnapshot } from '../../ports/repositories.ts'
import { SharedWork } from '../sharedWork.ts'
import type { RepositoryMirrorDependencies } from './dependencies.ts'
import { exists, nextStamp, type RepositoryHome, removeWhole, unfinishedName } from './layout.ts'
import type { WorkOptions } from './mirrorGit.ts'
import { settle } from './settle.ts'
import type { BaseTree } from './treeWriter.ts'

/** What a snapshot says of itself; the last file of it that is written. */
const SnapshotRecord = z.object({
  version: z.literal(1),
  commit: CommitHash,
  stamp: z.int().nonnegative(),
  /** Bytes of the paths of files that hold a pointer in the place of content. */
  pointers: z.array(z.string()),
})
export type SnapshotRecord = z.infer<typeof SnapshotRecord>

/** Everything that makes two snapshots of one commit different. */
export interface SnapshotForm {
  readonly commit: CommitHash
  readonly dotGit: boolean
  readonly submodules: boolean
  readonly largeFiles: boolean
}

export const formOf = (
  { submodules, largeFiles }: Pick<Repository['settings'], 'submodules' | 'largeFiles'>,
  commit: CommitHash,
  dotGit: boolean,
): SnapshotForm => ({ commit, dotGit, submodules, largeFiles: largeFiles === 'fetch' })

const suffixOf = (form: Omit<SnapshotForm, 'commit'>): string =>
  `${form.dotGit ? '-git' : ''}${form.submodules ? '-modules' : ''}${form.largeFiles ? '-lfs' : ''}`
const nameOf = (form: SnapshotForm): string => `${form.commit}${suffixOf(form)}`

/** What a maker is given, and has to fill. */
export interface SnapshotOrder {
  readonly form: SnapshotForm
  /** Empty. Nothing else is in its parent, which is gone when the making fails. */
  readonly directory: string
  readonly scratch: string
  readonly stamp: number
  readonly base: BaseTree | null
}

/** What was made; paths are bytes. */
export interface MadeTree {
  /** Files that hold a pointer of Git LFS in the place of content. */
  readonly pointers: readonly string[]
  /** Files that were written and not linked. */
  readonly fresh: readonly string[]
}

/** Fills the directory. */
export type MakeTree = (order: SnapshotOrder, options: WorkOptions) => Promise<MadeTree>

interface SnapshotDependencies extends Pick<RepositoryMirrorDependencies, 'clock' | 'logger'> {
  /** How many stay besides those in use. */
  readonly kept: number
}

interface Held {
  leases: number
  /** Of those the ones whose holder was given the directory; the others wait for it. */
  given: number
}

interface Lease {
  give(): void
  /** Safe to repeat. */
  release(): void
}

const damagedRetryMs = 60_000

/**
 * The snapshots of one repository. Each is made under another name and renamed, so that one that is there is whole; made
 * once for all who ask at the same time; and kept for as long as somebody has it, or it is one of the newest.
 */
export class Snapshots {
  readonly #home: RepositoryHome
  readonly #dependencies: SnapshotDependencies
  readonly #held = new Map<string, Held>()
  readonly #making = new SharedWork<SnapshotRecord>()
  /** Stamps must differ, so one is made at a time. */
  #queue: Promise<unknown> = Promise.resolve()

  constructor(home: RepositoryHome, dependencies: SnapshotDependencies) {
    this.#home = home
    this.#dependencies = dependencies
  }

  /**
   * @param make fills a directory; not called when the snapshot is there already
   * @param listBase what a commit that was written before is made of
   */
  async take(
    form: SnapshotForm,
    { make, listBase }: { readonly make: MakeTree; readonly listBase: (commit: CommitHash) => Promise<TreeEntry[]> },
    options: WorkOptions,
  ): Promise<{ readonly snapshot: TreeSnapshot; readonly record: SnapshotRecord }> {
    const name = nameOf(form)
    // Before anything else, so that it is not removed between its end and our having it.
    const lease = this.#hold(name)
    const release = () => lease.release()
    try {
      const record = await this.#making.join(name, options.signal, (signal) =>
        this.#inTurn(async () => {
          const there = await this.#read(name)
          if (there !== null) return there
          return this.#make(form, { make, listBase }, { ...options, signal })
        }),
      )
      await this.#touch(name)
      lease.give()
      return { snapshot: { commit: form.commit, directory: this.#treeOf(name), release }, record }
    } catch (thrown) {
      release()
      throw thrown
    } finally {
      void this.#inTurn(() => this.#prune()).catch((error: unknown) =>
        this.#dependencies.logger.warn(
          { err: error, directory: this.#home.trees },
          'old snapshots could not be removed',
        ),
      )
    }
  }

  stop(): Promise<void> {
    return this.#making.stop().then(() => this.#queue.then(() => undefined))
  }

  #treeOf(name: string): string {
    return join(this.#home.trees, name, 'tree')
  }

  #hold(name: string): Lease {
    const held = this.#held.get(name) ?? { leases: 0, given: 0 }
    this.#held.set(name, held)
    held.leases += 1
    let given = 0
    let released = false
    const give = (): void => {
      given = 1
      held.given += 1
    }
    const release = (): void => {
      if (released) return
      released = true
      held.leases -= 1
      held.given -= given
      if (held.leases === 0 && this.#held.get(name) === held) this.#held.delete(name)
    }
    return { give, release }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work)
    this.#queue = result.catch(() => undefined)
    return result
  }

  async #make(
    form: SnapshotForm,
    { make, listBase }: { readonly make: MakeTree; readonly listBase: (commit: CommitHash) => Promise<TreeEntry[]> },
    options: WorkOptions,
  ): Promise<SnapshotRecord> {
    const unfinished = join(this.#home.trees, unfinishedName())
    const baseName = await this.#newest(form)
    const lease = baseName === null ? null : this.#hold(baseName)
    try {
      const directory = join(unfinished, 'tree')
      const scratch = join(unfinished, 'scratch')
      await mkdir(directory, { recursive: true, mode: 0o700 })
      await mkdir(scratch, { mode: 0o700 })
      const base = baseName === null ? null : await this.#base(baseName, listBase)
      const stamp = await nextStamp(this.#home, this.#dependencies.clock.nowMs())
      const { pointers, fresh } = await make({ form, directory, scratch, stamp, base }, options)
      await rm(scratch, { recursive: true, force: true })
      const record: SnapshotRecord = { version: 1, commit: form.commit, stamp, pointers: [...pointers] }
      await writeFile(join(unfinished, 'snapshot.json'), JSON.stringify(record), { mode: 0o600, flush: true })
      await settle(directory, fresh)
      await rename(unfinished, join(this.#home.trees, nameOf(form)))
      const { logger } = this.#dependencies
      logger.info({ snapshot: nameOf(form), filesWritten: fresh.length, directory: this.#home.trees }, 'snapshot made')
      return record
    } catch (thrown) {
      throw explainFileError(thrown, this.#home.trees)
    } finally {
      lease?.release()
      await rm(unfinished, { recursive: true, force: true })
    }
  }

  async #base(name: string, listBase: (commit: CommitHash) => Promise<TreeEntry[]>): Promise<BaseTree | null> {
    try {
      const { commit, stamp, pointers } = await this.#record(name)
      return { entries: await listBase(commit), directory: this.#treeOf(name), stamp, pointers }
    } catch {
      return null
    }
  }

  async #record(name: string): Promise<SnapshotRecord> {
    return SnapshotRecord.parse(JSON.parse(await readFile(join(this.#home.trees, name, 'snapshot.json'), 'utf8')))
  }

  /**
   * Null: there is none. One that is damaged is removed, but never from under somebody who has it; and a disk that could
   * not be read just now says nothing of the snapshot.
   */
  async #read(name: string): Promise<SnapshotRecord | null> {
    const directory = join(this.#home.trees, name)
    try {
      return await this.#record(name)
    } catch (thrown) {
      const isGone = hasErrorCode(thrown, 'ENOENT')
      if (!isGone && !(thrown instanceof SyntaxError) && !(thrown instanceof z.ZodError))
        throw explainFileError(thrown, directory)
      if (isGone && !(await exists(directory))) return null
      if ((this.#held.get(name)?.given ?? 0) > 0)
        throw new AppError(
          'CONFLICT',
          `The snapshot ${directory} is damaged and still in use. It is made anew once the runs that use it have ended.`,
          { data: { directory }, cause: thrown, retry: { kind: 'after', delayMs: damagedRetryMs } },
        )
      await removeWhole(this.#home.trees, name)
      return null
    }
  }

  /** Names of snapshots, the one used last first. */
  async #names(): Promise<string[]> {
    const names = (await readdir(this.#home.trees)).filter((name) => !name.startsWith('.'))
    const used = await Promise.all(
      names.map(async (name) => ({ name, at: (await stat(join(this.#home.trees, name))).mtimeMs })),
    )
    return used.sort((left, right) => right.at - left.at).map(({ name }) => name)
  }

  /** To be linked to: it has to have been made with the same large files and submodules. */
  async #newest(form: SnapshotForm): Promise<string | null> {
    const matches = (['', '-git'] as const).map((git) => `${suffixOf({ ...form, dotGit: false })}|${git}`)
    const fits = (name: string): boolean => {
      const suffix = name.replace(/^[0-9a-f]+/, '')
      const git = suffix.startsWith('-git') ? '-git' : ''
      return matches.includes(`${suffix.slice(git.length)}|${git}`)
    }
    return (await this.#names()).find(fits) ?? null
  }

  async #touch(name: string): Promise<void> {
    const now = this.#dependencies.clock.nowMs() / 1000
    await utimes(join(this.#home.trees, name), now, now)
  }

  /** Keeps the newest and all that somebody has. */
  async #prune(): Promise<void> {
    const spare = (await this.#names()).slice(this.#dependencies.kept)
    for (const name of spare) if (!this.#held.has(name)) await removeWhole(this.#home.trees, name)
  }
}
