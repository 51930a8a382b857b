import type { RepositoryId } from '../../shared/model/ids.ts'
import type { PlanOf } from '../../shared/model/plan.ts'
import type { CommitHash, Finding, Repository, RepositoryInput, ScanReport } from '../../shared/model/repository.ts'
import type { StoreReader } from './store.ts'

/** What git brought: the heads that are kept, and what is worth knowing. */
export interface Fetched {
  readonly heads: Readonly<Record<string, CommitHash>>
  readonly warnings: readonly string[]
}

/** Files of one commit in a directory of their own that nobody else writes into. */
export interface TreeSnapshot {
  readonly commit: CommitHash
  /** Absolute, on the machine of the engine. Its files keep their times where the commit before had them too. */
  readonly directory: string
  /** The snapshot may be removed once everybody has let go of it. Safe to repeat. */
  release(): void
}

interface GitOptions {
  readonly signal?: AbortSignal
  /** Lines for a person: what git says while it works. Never a secret. */
  readonly onOutput?: (line: string) => void
}

/**
 * The engine's own bare copy of each repository, and what is asked of it. All git there is runs behind this, in a hardened
 * environment: no hooks, no configuration of the user or the system, no prompts, few protocols.
 *
 * @throws AppError REPOSITORY_UNREACHABLE, REPOSITORY_REFUSED (login), REPOSITORY_DIVERGED (not a fast-forward, without
 *   force), REPOSITORY_LOCKED, REPOSITORY_UNSAFE, REF_NOT_FOUND, LARGE_FILE_POINTERS, SOURCE_MISSING, PROGRAM_MISSING,
 *   LOCAL_DISK_FULL, TIMED_OUT, CANCELED
 */
export interface RepositoryMirrors {
  /**
   * Pulls the checkout forward where there is one (`pull --ff-only`, with `force` fetch and `reset --hard`, S2.13, D18),
   * clones it where it is missing, then brings the mirror up to it. One at a time for each repository.
   */
  fetch(repository: Repository, options: GitOptions & { readonly force: boolean }): Promise<Fetched>
  /** Newest first. `from` is a commit; nothing is fetched. */
  log(
    repositoryId: RepositoryId,
    query: { readonly from: CommitHash; readonly after?: CommitHash; readonly limit: number },
  ): Promise<
    { readonly commit: CommitHash; readonly author: string; readonly committedAt: number; readonly subject: string }[]
  >
  /** Commits that `to` has and `from` has not; null when they do not follow from one another or are not here. */
  commitsBetween(repositoryId: RepositoryId, from: CommitHash, to: CommitHash): Promise<number | null>
  has(repositoryId: RepositoryId, commit: CommitHash): Promise<boolean>
  /** Paths that were added or changed, byte-exact names as latin1-safe text is not assumed: NUL-split, UTF-8. Null: not to be said. */
  changedFiles(repositoryId: RepositoryId, from: CommitHash, to: CommitHash): Promise<string[] | null>
  /** Made once for all who ask for the same commit and form. */
  snapshot(
    repository: Repository,
    commit: CommitHash,
    options: GitOptions & { readonly dotGit: boolean },
  ): Promise<TreeSnapshot>
  /** Removes the mirror and its snapshots; the checkout is never touched. */
  remove(repositoryId: RepositoryId): Promise<void>
}

/** What a search for secrets came to. */
export interface ScanOutcome {
  /** Allowed or not is decided by whoever asked. */
  readonly findings: readonly Omit<Finding, 'allowed'>[]
  readonly filesScanned: number
  readonly ignoredDirectives: ScanReport['ignoredDirectives']
  readonly skipped: ScanReport['skipped']
  /** What searched, with versions: another one means that everything is to be searched again. */
  readonly tool: string
}

/** @throws AppError SCAN_FAILED, PROGRAM_MISSING (gitleaks asked for and not there), CANCELED. Never a value of a secret. */
export interface SecretScanner {
  scan(request: {
    readonly directory: string
    /** Below `directory`; null: all of them. */
    readonly files: readonly string[] | null
    readonly settings: RepositoryInput['scan']
    /** Of this repository; goes into every hash. */
    readonly salt: string
    readonly signal?: AbortSignal
  }): Promise<ScanOutcome>
  /** As {@link ScanOutcome.tool}, without a scan. */
  describe(settings: RepositoryInput['scan']): Promise<string>
}

/** What a run delivers: a scanned snapshot, shared by all runs of the commit. */
export interface PreparedTree {
  readonly commit: CommitHash
  readonly directory: string
  /** For what is derived from the snapshot; goes with it. */
  readonly scratch: string
  readonly scan: ScanReport
  release(): void
}

/** What runs of kind `repository` ask for. */
export interface RepositoryTrees {
  /**
   * The commit that a plan wants, as of the reader; null while nothing was fetched or the ref is not there.
   */
  wanted(
    plan: Pick<PlanOf<'repository'>, 'spec'>,
    reader?: Pick<StoreReader, 'findRepositoryByName'>,
  ): Promise<CommitHash | null>
  /**
   * The snapshot of what the plan wants now, scanned. One snapshot and one scan for all who ask at the same time (S2.14).
   * A scan that blocks is in `scan.status`, not thrown; then `directory` must not be sent.
   *
   * @throws as {@link RepositoryMirrors}; REF_NOT_FOUND when nothing was fetched yet
   */
  prepare(
    plan: Pick<PlanOf<'repository'>, 'name' | 'spec'>,
    options: { readonly signal: AbortSignal; readonly log: (line: string) => void },
  ): Promise<PreparedTree>
}
