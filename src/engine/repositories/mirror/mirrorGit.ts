import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type GitQuestion, wantedHashFunction } from '../../../core/parse/git.ts'
import { type GitRequest, type GitResult, runGit } from '../../../platform/git/git.ts'
import type { MirrorLimits } from './dependencies.ts'
import { gitError } from './failure.ts'
import { exists, unfinishedName } from './layout.ts'
import type { RemoteAccess } from './remoteAccess.ts'

export interface WorkOptions {
  readonly signal?: AbortSignal
  readonly onOutput?: (line: string) => void
}

interface FetchWish {
  readonly refspecs: readonly string[]
  readonly depth?: number | null
  /** Forget what the other side does not have any more, of what the refspecs name. */
  readonly prune?: boolean
}

type Call = Omit<GitRequest, 'directory' | 'gitDirectory' | 'timeoutMs' | 'idleMs'>

/** A bare repository of ours, and the calls of git on it. */
export class MirrorGit {
  readonly directory: string
  readonly #limits: MirrorLimits

  constructor(directory: string, limits: MirrorLimits) {
    this.directory = directory
    this.#limits = limits
  }

  /** Every exit code is a result. */
  run(call: Call): Promise<GitResult> {
    return runGit({
      ...call,
      directory: dirname(this.directory),
      gitDirectory: this.directory,
      timeoutMs: this.#limits.localMs,
    })
  }

  /** @throws AppError as the port says, for every exit code but 0 */
  async must(call: Call, question: Partial<GitQuestion> = {}): Promise<Buffer> {
    const result = await this.run(call)
    if (result.exitCode !== 0)
      throw gitError(result, { place: 'the mirror', login: 'none', machine: 'this machine', ...question })
    return result.stdout
  }

  /** Made whole, or not at all. */
  async ensure(hashFunction: 'sha1' | 'sha256' = 'sha1'): Promise<void> {
    if (await exists(this.directory)) return
    const parent = dirname(this.directory)
    const unfinished = join(parent, unfinishedName())
    await mkdir(unfinished, { mode: 0o700 })
    try {
      const init = ['init', '--quiet', '--bare', '--template=', `--object-format=${hashFunction}`, unfinished]
      const result = await runGit({ args: init, directory: parent, timeoutMs: this.#limits.localMs })
      if (result.exitCode !== 0)
        throw gitError(result, { place: this.directory, login: 'none', machine: 'this machine' })
      await writeFile(join(unfinished, 'HEAD'), 'ref: refs/heads/none\n')
      await rename(unfinished, this.directory)
    } finally {
      await rm(unfinished, { recursive: true, force: true })
    }
  }

  /**
   * Fetches over whatever way the access names. A remote of the other hash function makes a new mirror, as long as this
   * one holds nothing.
   */
  async fetch(
    access: RemoteAccess,
    { refspecs, depth = null, prune = false }: FetchWish,
    options: WorkOptions,
  ): Promise<void> {
    const args = [
      'fetch',
      '--progress',
      ...(prune ? ['--prune'] : []),
      '--no-tags',
      '--no-auto-maintenance',
      '--no-write-fetch-head',
      '--no-recurse-submodules',
      '--update-shallow',
      ...(depth === null ? [] : [`--depth=${depth}`]),
      '--end-of-options',
      access.url,
      ...refspecs,
    ]
    const first = await this.#over(access, args, options)
    if (first.exitCode === 0) return
    const other = wantedHashFunction(first.stderr)
    if (other !== null && (await this.#isEmpty())) {
      await rm(this.directory, { recursive: true, force: true })
      await this.ensure(other)
      const second = await this.#over(access, args, options)
      if (second.exitCode === 0) return
      throw access.error(second)
    }
    throw access.error(first)
  }

  #over(access: RemoteAccess, args: readonly string[], { signal, onOutput }: WorkOptions): Promise<GitResult> {
    return runGit({
      args,
      directory: dirname(this.directory),
      gitDirectory: this.directory,
      protocols: access.protocols,
      settings: access.settings,
      environment: access.environment,
      timeoutMs: this.#limits.networkMs,
      idleMs: this.#limits.silenceMs,
      ...(signal === undefined ? {} : { signal }),
      ...(onOutput === undefined ? {} : { onLine: (line: string) => onOutput(access.redact(line)) }),
    })
  }

  async #isEmpty(): Promise<boolean> {
    return (await this.#packs()).length === 0
  }

  async #packs(): Promise<string[]> {
    const names = await readdir(join(this.directory, 'objects', 'pack')).catch(() => [])
    return names.filter((name) => name.endsWith('.pack'))
  }

  /** Joins packs when there are many. Unreachable objects stay: a commit that was rewritten may still be rolled back to. */
  async tidy(options: WorkOptions): Promise<void> {
    if ((await this.#packs()).length <= this.#limits.mostPacks) return
    const { signal } = options
    await this.must({ args: ['repack', '-a', '-d', '-k', '--quiet'], ...(signal === undefined ? {} : { signal }) })
  }
}
