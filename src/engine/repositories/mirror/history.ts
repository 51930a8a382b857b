import { AppError } from '../../../shared/errors.ts'
import { type CommitHash, CommitHash as CommitHashSchema } from '../../../shared/model/repository.ts'
import type { RepositoryMirrors } from '../../ports/repositories.ts'
import { isAncestor } from './heads.ts'
import type { MirrorGit } from './mirrorGit.ts'

type LogEntry = Awaited<ReturnType<RepositoryMirrors['log']>>[number]
type LogQuery = Parameters<RepositoryMirrors['log']>[1]

export async function hasCommit(mirror: MirrorGit, commit: CommitHash): Promise<boolean> {
  const { exitCode } = await mirror.run({ args: ['cat-file', '-e', `${checkedCommit(commit)}^{commit}`] })
  return exitCode === 0
}

/** A hash in full and nothing else: never an option, never an expression. */
export function checkedCommit(commit: CommitHash): CommitHash {
  const parsed = CommitHashSchema.safeParse(commit)
  if (parsed.success) return parsed.data
  throw new AppError('INVALID_INPUT', 'a commit is 40 or 64 small hexadecimal digits', { data: { commit } })
}

/** Ends the reading of a history of which the rest is not asked for. */
class Enough extends Error {}

const fieldsOfEntry = 4

/** Newest first. */
export async function readLog(mirror: MirrorGit, { from, after, limit }: LogQuery): Promise<LogEntry[]> {
  const entries: LogEntry[] = []
  let skipping = after !== undefined
  const parser = new FieldReader(fieldsOfEntry, ([commit = '', author = '', seconds = '', subject = '']) => {
    if (skipping) {
      skipping = commit !== after
      return
    }
    entries.push({
      commit: CommitHashSchema.parse(commit),
      author,
      committedAt: Math.max(0, Number(seconds) * 1000),
      subject,
    })
    if (entries.length >= limit) throw new Enough()
  })
  const args = ['log', '-z', '--format=%H%x00%an%x00%ct%x00%s', '--end-of-options', checkedCommit(from), '--']
  try {
    await mirror.must({ args, onStdout: (chunk) => parser.push(chunk) })
    parser.end()
  } catch (thrown) {
    if (!(thrown instanceof Enough)) throw thrown
  }
  return entries
}

/** Cuts a stream at NUL bytes into records of so many fields. */
class FieldReader {
  readonly #size: number
  readonly #onRecord: (fields: readonly string[]) => void
  #pending: Buffer = Buffer.alloc(0)
  #fields: string[] = []

  constructor(size: number, onRecord: (fields: readonly string[]) => void) {
    this.#size = size
    this.#onRecord = onRecord
  }

  push(chunk: Buffer): void {
    const bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    let start = 0
    for (let end = bytes.indexOf(0); end >= 0; end = bytes.indexOf(0, start)) {
      const field = bytes.toString('utf8', start, end)
      start = end + 1
      this.#take(field)
    }
    this.#pending = bytes.subarray(start)
  }

  /** The last record has no NUL behind it. */
  end(): void {
    if (this.#fields.length === this.#size - 1) this.#take(this.#pending.toString('utf8'))
    this.#pending = Buffer.alloc(0)
  }

  #take(field: string): void {
    this.#fields.push(field)
    if (this.#fields.length < this.#size) return
    const record = this.#fields
    this.#fields = []
    this.#onRecord(record)
  }
}

export async function countBetween(mirror: MirrorGit, from: CommitHash, to: CommitHash): Promise<number | null> {
  checkedCommit(from)
  checkedCommit(to)
  if (from === to) return (await hasCommit(mirror, to)) ? 0 : null
  if (await isAncestor(mirror, from, to)) {
    const count = await mirror.must({ args: ['rev-list', '--count', `${from}..${to}`, '--'] })
    return Number(count.toString('utf8').trim())
  }
  return (await isAncestor(mirror, to, from)) === true ? 0 : null
}

/** Names that are not UTF-8 cannot be said; then the answer is null, and whoever asks looks at everything. */
export async function listChanged(mirror: MirrorGit, from: CommitHash, to: CommitHash): Promise<string[] | null> {
  const args = ['diff-tree', '-r', '-z', '--name-only', '--no-renames', '--diff-filter=ACMT']
  const { exitCode, stdout } = await mirror.run({ args: [...args, checkedCommit(from), checkedCommit(to), '--'] })
  if (exitCode !== 0) return null
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(stdout)
    return text.split('\0').filter((name) => name !== '')
  } catch {
    return null
  }
}
