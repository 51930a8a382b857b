import type { RepositoryMirrors, SecretScanner } from '../../src/engine/ports.ts'
import { AppError } from '../../src/shared/errors.ts'
import type { CommitHash } from '../../src/shared/model/repository.ts'

export const commitOf = (digit: string): CommitHash => digit.repeat(40)

export interface FakeMirrors extends RepositoryMirrors {
  /** What the remote has. */
  head: CommitHash
  /** Thrown by fetches while it is set. */
  failure: AppError | null
  snapshotFailure: AppError | null
  /** Awaited in the middle of a fetch. */
  meanwhile: (() => Promise<unknown>) | null
  readonly fetches: { readonly force: boolean }[]
  readonly snapshots: { readonly commit: CommitHash; readonly dotGit: boolean }[]
  /** Snapshots that nobody has released. */
  held: number
  changed: string[] | null
}

/** A remote with one branch `main`, and directories that need not exist. */
export function createFakeMirrors(directory = '/nowhere'): FakeMirrors {
  const fake: FakeMirrors = {
    head: commitOf('1'),
    failure: null,
    meanwhile: null,
    fetches: [],
    snapshots: [],
    snapshotFailure: null,
    held: 0,
    changed: null,
    fetch: async (_repository, { force, signal }) => {
      fake.fetches.push({ force })
      const { head } = fake
      await fake.meanwhile?.()
      if (signal?.aborted === true) throw new AppError('CANCELED', 'Canceled.')
      if (fake.failure !== null) throw fake.failure
      return { heads: { main: head }, warnings: [] }
    },
    log: () => Promise.resolve([]),
    commitsBetween: () => Promise.resolve(null),
    has: (_id, commit) => Promise.resolve(commit === fake.head),
    changedFiles: () => Promise.resolve(fake.changed),
    snapshot: (_repository, commit, { dotGit }) => {
      fake.snapshots.push({ commit, dotGit })
      if (fake.snapshotFailure !== null) return Promise.reject(fake.snapshotFailure)
      fake.held += 1
      let isHeld = true
      const release = (): void => {
        if (isHeld) fake.held -= 1
        isHeld = false
      }
      return Promise.resolve({ commit, directory, release })
    },
    remove: () => Promise.resolve(),
  }
  return fake
}

export interface FakeScanner extends SecretScanner {
  readonly scans: { readonly files: readonly string[] | null }[]
  /** What the next scans come to. */
  findings: { hash: string; rule: string; file: string; line: number; message: string }[]
  tool: string
  failure: AppError | null
  /** Awaited in the middle of a scan. */
  meanwhile: ((signal: AbortSignal | undefined) => Promise<unknown>) | null
}

export function createFakeScanner(): FakeScanner {
  const fake: FakeScanner = {
    scans: [],
    findings: [],
    tool: 'fake 1',
    failure: null,
    meanwhile: null,
    scan: async ({ files, signal }) => {
      fake.scans.push({ files })
      await fake.meanwhile?.(signal)
      if (signal?.aborted === true) throw new AppError('CANCELED', 'Canceled.')
      if (fake.failure !== null) throw fake.failure
      return {
        findings: fake.findings,
        filesScanned: files?.length ?? 7,
        ignoredDirectives: [],
        skipped: [],
        tool: fake.tool,
      }
    },
    describe: () => Promise.resolve(fake.tool),
  }
  return fake
}
