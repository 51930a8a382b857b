import { z } from 'zod'
import { Diagnosis } from './diagnosis.ts'
import { EpochMs, NodeId, PlanId, RepositoryId, RunId } from './ids.ts'
import { DirectoryPath, DisplayName, KeyFilePath, LoginUser } from './text.ts'

/** Object name of a commit, in full: 40 hexadecimal digits, or 64 in a repository of SHA-256. */
export const CommitHash = z
  .string()
  .regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/, 'a commit is 40 or 64 small hexadecimal digits')
export type CommitHash = z.infer<typeof CommitHash>

/** A branch or tag by its short name, as `git check-ref-format` takes it; never an option, never a revision expression. */
export const RefName = z
  .string()
  .min(1, 'a branch or tag has a name')
  .max(244, 'a branch or tag has at most 244 characters')
  .refine(
    (name) => !/[\u0000-\u0020\u007f~^:?*[\\]/.test(name),
    'a branch or tag holds no space and none of ~ ^ : ? * [ \\',
  )
  .refine(
    (name) => !/^[-/.]|[/.]$|\.\.|\/\/|@\{|\/\.|\.lock(?:\/|$)|^@$/.test(name),
    'git takes no branch or tag of this name',
  )
export type RefName = z.infer<typeof RefName>

/**
 * Where git fetches from: `https://host/path`, `ssh://user@host:port/path`, `user@host:path`, or `file:///path` for one on
 * the machine of the engine. Never with a password: URLs end up in logs.
 */
export const RemoteUrl = z
  .string()
  .max(2048, 'a remote URL has at most 2048 characters')
  .refine((url) => !/[\u0000-\u0020\u007f]/.test(url), 'a remote URL holds no spaces or control characters')
  .refine(
    (url) =>
      /^https:\/\/[A-Za-z0-9.[\]:-]+\/.+$/.test(url) ||
      /^ssh:\/\/(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9.[\]:][A-Za-z0-9.[\]:-]*\/.+$/.test(url) ||
      /^(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)[A-Za-z0-9][A-Za-z0-9.-]*:(?!\/\/).+$/.test(url) ||
      /^file:\/\/\/.+$/.test(url),
    'a remote is https://host/path, ssh://user@host/path, user@host:path or file:///path, without a password in it',
  )
export type RemoteUrl = z.infer<typeof RemoteUrl>

/** The working copy that is the one source of truth (S2.2): git is run there, and nowhere else (S2.3, S2.8). */
export const CheckoutPlace = z.discriminatedUnion('kind', [
  /** On the machine of the engine (`repository.main_repo_path`, S2.18). Cloned there when it is missing. */
  z.strictObject({ kind: z.literal('here'), directory: KeyFilePath }),
  /** On a node of the fleet, reached over SSH. */
  z.strictObject({ kind: z.literal('node'), node: z.string().min(1).max(255), directory: DirectoryPath }),
  /** No working copy: only the engine's own mirror of the remote. */
  z.strictObject({ kind: z.literal('none') }),
])
export type CheckoutPlace = z.infer<typeof CheckoutPlace>

/** How git proves who it is (S2.11). A token itself is sealed by the key vault and never shown again. */
export const RepositoryLogin = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({ kind: z.literal('key'), file: KeyFilePath }),
  /** A short-lived certificate of the user authority. */
  z.strictObject({ kind: z.literal('certificate') }),
  /** A personal access token over https; most forges take any user name with it. */
  z.strictObject({ kind: z.literal('token'), user: LoginUser.default('git') }),
])
export type RepositoryLogin = z.infer<typeof RepositoryLogin>

/** Search for secrets before anything is sent (S2.17, S2.23-26, S2.33). */
export const ScanSettings = z.strictObject({
  enabled: z.boolean().default(true),
  /** `builtin`: in this process. `gitleaks`: the program, which has to be in PATH. `both`: whatever either of them finds. */
  tool: z.enum(['builtin', 'gitleaks', 'both']).default('builtin'),
  /** Configuration of gitleaks; null: its own. */
  configPath: KeyFilePath.nullable().default(null),
  /** Off: findings are shown and the sync goes on. */
  blockOnSecrets: z.boolean().default(true),
})
export type ScanSettings = z.infer<typeof ScanSettings>

/** What is kept of what an operator said about a repository. */
const RepositorySettings = z
  .strictObject({
    name: DisplayName,
    /** Null: the checkout's own `origin`; without one, what is committed in the checkout. */
    remote: RemoteUrl.nullable().default(null),
    checkout: CheckoutPlace.default({ kind: 'none' }),
    login: RepositoryLogin.default({ kind: 'none' }),
    /** `ssh-ed25519 AAAA…` lines of the git server; empty: those in `~/.ssh/known_hosts`. An unknown server is refused. */
    hostKeys: z
      .array(
        z
          .string()
          .max(16_384)
          .regex(/^[a-z0-9@.-]+ [A-Za-z0-9+/=]+$/, 'a host key is its type and its base64'),
      )
      .max(20)
      .default([]),
    /** Used where nobody names a branch (S2.20). */
    defaultBranch: RefName.default('main'),
    submodules: z.boolean().default(false),
    /**
     * Files of Git LFS. `refuse`: a commit with pointers in the place of content is not delivered. `fetch`: their content
     * is fetched (needs `git-lfs`). `pointers`: delivered as they are.
     */
    largeFiles: z.enum(['refuse', 'fetch', 'pointers']).default('refuse'),
    /** Only so many commits are fetched; null: all. */
    depth: z.int().min(1).max(1_000_000).nullable().default(null),
    /** How often the remote is asked; null: only when somebody syncs. */
    pollIntervalSeconds: z.int().min(10).max(86_400).nullable().default(null),
    scan: ScanSettings.prefault({}),
  })
  .refine((input) => input.checkout.kind !== 'none' || input.remote !== null, {
    message: 'a repository without a checkout needs a remote',
    path: ['remote'],
  })

/** What an operator says about a repository. */
export const RepositoryInput = RepositorySettings.refine(
  ({ login, remote }) => login.kind !== 'token' || remote !== null,
  {
    message: 'a token needs the remote that it is for: it is shown to no other server',
    path: ['remote'],
  },
)
export type RepositoryInput = z.infer<typeof RepositoryInput>

/** What git did, or could not do, the last time. */
export const RepositoryState = z.object({
  /** Tips of branches and tags, as last fetched. `tag` names start with `tags/`. */
  heads: z.record(z.string(), CommitHash),
  /** When the remote was last heard; null: never. */
  fetchedAt: EpochMs.nullable(),
  /** Why the last try failed; null when it did not. What was fetched before stays in force. */
  diagnosis: Diagnosis.nullable(),
  /** What is worth knowing although it worked, e.g. changes in the checkout that are not committed and so not delivered. */
  warnings: z.array(z.string()),
})
export type RepositoryState = z.infer<typeof RepositoryState>

/** One source of truth with what is known of it. */
export const Repository = z.object({
  id: RepositoryId,
  settings: RepositorySettings,
  /** A token lies in the vault. */
  hasToken: z.boolean(),
  state: RepositoryState,
  createdAt: EpochMs,
  updatedAt: EpochMs,
})
export type Repository = z.infer<typeof Repository>

export const Commit = z.object({
  commit: CommitHash,
  author: z.string(),
  committedAt: EpochMs,
  subject: z.string(),
  /** Branches and tags that end here. */
  refs: z.array(z.string()),
})
export type Commit = z.infer<typeof Commit>

/** Which commit a plan wants. A commit is pinned until somebody says otherwise; that is how one rolls back. */
export const WantedRef = z.discriminatedUnion('kind', [
  /** Null: the default branch. */
  z.strictObject({ kind: z.literal('branch'), name: RefName.nullable().default(null) }),
  z.strictObject({ kind: z.literal('tag'), name: RefName }),
  z.strictObject({ kind: z.literal('commit'), commit: CommitHash }),
])
export type WantedRef = z.infer<typeof WantedRef>

/** SHA-256 over the salt of the repository, the rule, the file and the value: the same finding has the same hash here, and tells nobody else. */
export const FindingHash = z.string().regex(/^[0-9a-f]{64}$/, 'the hash of a finding is 64 hexadecimal digits')
export type FindingHash = z.infer<typeof FindingHash>

/** A place that looks like a secret. Never the value, nor a part of it. */
export const Finding = z.object({
  hash: FindingHash,
  /** E.g. `aws-access-key`, `private-key`. */
  rule: z.string(),
  /** Below the root of the repository. */
  file: z.string(),
  /** From 1. */
  line: z.int().positive(),
  /** What it looks like, in words. */
  message: z.string(),
  /** By an entry that is in force. */
  allowed: z.boolean(),
})
export type Finding = z.infer<typeof Finding>

/** A finding that a person takes the blame for (U40). */
export const AllowedFinding = z.object({
  repositoryId: RepositoryId,
  hash: FindingHash,
  rule: z.string(),
  file: z.string(),
  reason: z.string(),
  owner: z.string(),
  createdAt: EpochMs,
  /** From then on it blocks again; null: never. */
  expiresAt: EpochMs.nullable(),
})
export type AllowedFinding = z.infer<typeof AllowedFinding>

export const ScanReport = z.object({
  repositoryId: RepositoryId,
  commit: CommitHash,
  /** `blocked`: findings that nobody allowed. `failed`: the scan itself; that blocks too. `off`: not asked for. */
  status: z.enum(['clean', 'blocked', 'findings', 'failed', 'off']),
  scannedAt: EpochMs,
  durationMs: z.int().nonnegative(),
  tool: z.string(),
  /** The whole tree, or what changed since a commit that was scanned with the same rules. */
  scope: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('full') }),
    z.object({ kind: z.literal('changed'), since: CommitHash }),
  ]),
  filesScanned: z.int().nonnegative(),
  /** The first thousand. */
  findings: z.array(Finding),
  findingsTotal: z.int().nonnegative(),
  /** Comments in the scanned files that tell a scanner to look away. They were not obeyed. */
  ignoredDirectives: z.array(z.object({ file: z.string(), line: z.int().positive() })),
  /** Files that were searched in part (binary, large texts) or not at all, with the reason. */
  skipped: z.array(z.object({ file: z.string(), reason: z.string() })),
  diagnosis: Diagnosis.nullable(),
})
export type ScanReport = z.infer<typeof ScanReport>

/** One node of one plan: what should be there, and what was read back. */
export const RepositoryTarget = z.object({
  planId: PlanId,
  nodeId: NodeId,
  /** Where the tree lies on this node. */
  directory: z.string(),
  /** Null: nothing was fetched yet. */
  desired: CommitHash.nullable(),
  /** Last verified there; null: nothing ever was. */
  observed: CommitHash.nullable(),
  verifiedAt: EpochMs.nullable(),
  /** Commits of the wanted line that it lacks; null when that cannot be said (another line, or not fetched). */
  behind: z.int().nonnegative().nullable(),
  /** The commit verified before this one: what a roll back returns to. */
  previous: CommitHash.nullable(),
  runId: RunId.nullable(),
})
export type RepositoryTarget = z.infer<typeof RepositoryTarget>

/** What the sentinel of a target said just now (S2.7, S2.15, S2.16). */
export const SentinelReading = z.object({
  planId: PlanId,
  nodeId: NodeId,
  readAt: EpochMs,
  /** `absent`: no sentinel, so nothing says what lies there. `unreadable`: see `diagnosis`. */
  status: z.enum(['matches', 'differs', 'absent', 'unreadable']),
  expected: CommitHash.nullable(),
  found: z.string().nullable(),
  diagnosis: Diagnosis.nullable(),
})
export type SentinelReading = z.infer<typeof SentinelReading>

/** What a sync would change on a node; names of the first thousand of each. */
export const SyncPreview = z.object({
  commit: CommitHash,
  added: z.array(z.string()),
  changed: z.array(z.string()),
  deleted: z.array(z.string()),
  totals: z.object({ added: z.int().nonnegative(), changed: z.int().nonnegative(), deleted: z.int().nonnegative() }),
  bytes: z.int().nonnegative(),
})
export type SyncPreview = z.infer<typeof SyncPreview>
