import { z } from 'zod'
import { Digest, EpochMs, PlanId } from './ids.ts'
import { HostsSettings, RoutesSettings } from './registry.ts'
import { WantedRef } from './repository.ts'
import { Address, DirectoryPath, DisplayName, FilePath, HostName, LoginUser, Port } from './text.ts'

/** An rsync filter pattern; given by value, never as an option. */
const ExcludePattern = z
  .string()
  .min(1, 'an exclude pattern is not empty')
  .max(1024)
  .refine((text) => !/[\u0000\n\r]/.test(text), 'an exclude pattern holds no line break')

/** One direction of a tree plan. Only directories are synced, never single files (S0.69). */
const Leg = z.strictObject({
  /** Directory on the sending side; its content is sent, not the directory itself. */
  source: DirectoryPath,
  /** Directory on the receiving side. */
  target: DirectoryPath,
})

/** What "verified" means for a tree: all files hashed on the node, or a sample of them. */
export const TreeVerify = z.discriminatedUnion('mode', [
  z.strictObject({ mode: z.literal('full') }),
  z.strictObject({ mode: z.literal('sample'), files: z.number().int().min(1).max(100_000) }),
])
export type TreeVerify = z.infer<typeof TreeVerify>

/** When a push that deletes must stop and ask (F76, N9). */
export const DeleteLimits = z.strictObject({
  /** Share of the files on the node, 0 to 1, above which the run halts. */
  maxShare: z.number().min(0).max(1).default(0.25),
  /** Up to this many deletes never halt, whatever their share. */
  freeFiles: z.number().int().nonnegative().default(10),
})
export type DeleteLimits = z.infer<typeof DeleteLimits>

/**
 * A directory tree, pushed to the node and, in the state after it, pulled back (S0.68, S0.72). In the local
 * directory of a pull `{node}` stands for the node's name, so that nodes do not overwrite each other.
 */
export const TreeSpec = z
  .strictObject({
    push: Leg.nullable().default(null),
    pull: Leg.nullable().default(null),
    /** Remove files on the receiving side that the source does not have. */
    delete: z.boolean().default(false),
    excludes: z.array(ExcludePattern).max(1000).default([]),
    verify: TreeVerify.default({ mode: 'sample', files: 200 }),
    deleteLimits: DeleteLimits.default({ maxShare: 0.25, freeFiles: 10 }),
    /** Bandwidth limit in KiB/s; null for none. */
    bandwidthKiBps: z.number().int().positive().nullable().default(null),
  })
  .refine((spec) => spec.push !== null || spec.pull !== null, { message: 'a tree plan needs push, pull or both' })
export type TreeSpec = z.infer<typeof TreeSpec>

/** The revocation list of our user authority, where sshd reads it (`RevokedKeys`). Its content is the engine's. */
export const KrlSpec = z.strictObject({ file: FilePath.default('/etc/ssh/lockstep.krl') })
export type KrlSpec = z.infer<typeof KrlSpec>

/** The user authorities a node trusts (`TrustedUserCAKeys`, S0.18, S0.21). Its content is the engine's. */
export const TrustSpec = z.strictObject({ file: FilePath.default('/etc/ssh/ca/trusted_user_ca.pub') })
export type TrustSpec = z.infer<typeof TrustSpec>

/** A certificate over the node's own host key (F54), renewed at two thirds of its life. */
export const HostCertificateSpec = z.strictObject({
  /** Public half of the host key on the node. The private half never leaves it. */
  keyFile: FilePath.default('/etc/ssh/ssh_host_ed25519_key.pub'),
  certificateFile: FilePath.default('/etc/ssh/ssh_host_ed25519_key-cert.pub'),
  /** Names besides the node's address and name under which clients reach it. */
  names: z.array(HostName).max(15).default([]),
})
export type HostCertificateSpec = z.infer<typeof HostCertificateSpec>

/** How an agent checks what it has sent: rsync's own comparison, by size and time or by content (S0.74). */
export const AgentVerify = z.enum(['listing', 'checksum'])
export type AgentVerify = z.infer<typeof AgentVerify>

/**
 * What an agent says it does, from its own `agent.yaml`. Shown here, changed there. Fields that a newer agent adds are left
 * aside, not refused: both sides are upgraded apart.
 */
export const AgentSpec = z.object({
  storage: z.object({ address: Address, port: Port, user: LoginUser }),
  push: z.array(Leg.strip()).max(100),
  pull: z.array(Leg.strip()).max(100),
  excludes: z.array(ExcludePattern).max(1000).default([]),
  delete: z.boolean().default(false),
  verify: AgentVerify.default('checksum'),
  /** Cron expression on the agent's clock; null when something else starts it. */
  schedule: z.string().max(200).nullable().default(null),
})
export type AgentSpec = z.infer<typeof AgentSpec>

/**
 * How a payload of the registry gets into its place. `file`: we write it. `script`: a program that lies on the node already
 * does, with the registry in the sources' JSON form on its standard input (S1.44, S1.45); what it wrote is read back.
 */
export const Receiver = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('file') }),
  z.strictObject({ kind: z.literal('script'), file: FilePath }),
])
export type Receiver = z.infer<typeof Receiver>

/** A name of a process or a container: what `docker` and `pgrep` take, and never an option. */
const ProgramName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/,
    'a name is 1 to 63 letters, digits or . _ - and does not start with a dash',
  )

/** How it is known that Traefik runs on a node (S1.47, S1.50). */
export const TraefikCheck = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('container'),
    runtime: z.enum(['docker', 'podman']).default('docker'),
    name: ProgramName.default('traefik'),
  }),
  z.strictObject({ kind: z.literal('process'), name: ProgramName.default('traefik') }),
  /** The process whose id is in this file. */
  z.strictObject({ kind: z.literal('pid-file'), file: FilePath }),
  /** Not looked at: then the proof says that only the file was read back. */
  z.strictObject({ kind: z.literal('none') }),
])
export type TraefikCheck = z.infer<typeof TraefikCheck>

/** How Traefik takes new routes. It watches the directory by itself; where it cannot, it is told to (S1.45, U39). */
export const TraefikReload = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('watch') }),
  /** `docker compose restart` in this directory (S1.50, S1.107); what fails there is a failure of the run. */
  z.strictObject({ kind: z.literal('compose-restart'), directory: DirectoryPath.default('~/traefik') }),
])
export type TraefikReload = z.infer<typeof TraefikReload>

/** The public services as a file of Traefik's file provider (S1.42-50). Its content follows the registry. */
export const RoutesSpec = z.strictObject({
  file: FilePath.default('~/traefik/config/mynodeone-routes.yml'),
  routes: RoutesSettings,
  traefik: TraefikCheck.default({ kind: 'container', runtime: 'docker', name: 'traefik' }),
  reload: TraefikReload.default({ kind: 'watch' }),
  /** Traefik's API as the node itself reaches it, e.g. `http://127.0.0.1:8080`: then it must list our routers too. */
  api: z
    .string()
    .max(300)
    .regex(
      /^https?:\/\/[A-Za-z0-9.:[\]-]+(?:\/[A-Za-z0-9._~/-]*)?$/,
      'the API is an http or https URL without credentials',
    )
    .nullable()
    .default(null),
  receiver: Receiver.default({ kind: 'file' }),
})
export type RoutesSpec = z.infer<typeof RoutesSpec>

/** All services as a managed block in a hosts file (S1.51-61). Its content follows the registry. */
export const HostsSpec = z.strictObject({
  file: FilePath.default('/etc/hosts'),
  hosts: HostsSettings,
  /** `auto`: unless the login user may write there. Sudo must not ask for a password. */
  sudo: z.enum(['auto', 'never']).default('auto'),
  receiver: Receiver.default({ kind: 'file' }),
})
export type HostsSpec = z.infer<typeof HostsSpec>

/** How a commit gets into its place. */
export const DeliveryStrategy = z.discriminatedUnion('kind', [
  /** Over what lies in the directory; the sentinel is taken away first and put back last (D16). */
  z.strictObject({ kind: z.literal('in-place') }),
  /**
   * Each commit in a directory of its own below `releases/`, files that did not change shared with the last one, and
   * `current` pointed at it in one rename. So many releases are kept, the one in use among them.
   */
  z.strictObject({ kind: z.literal('release'), keep: z.int().min(1).max(100).default(5) }),
])
export type DeliveryStrategy = z.infer<typeof DeliveryStrategy>

/** A commit of a repository as a tree of files (S2.4, S2.5). Which commit that is follows the repository. */
export const RepositorySpec = z.strictObject({
  /** By name. */
  repository: DisplayName,
  ref: WantedRef.default({ kind: 'branch', name: null }),
  /** Where the tree lies on the node (`vm_repo_paths`, S2.19); `~` is expanded there (D17). */
  target: DirectoryPath.default('~/th_timmy'),
  /** Another directory for the nodes of these names. */
  targets: z.record(z.string().min(1).max(255), DirectoryPath).default({}),
  /** Off: the tree comes with a `.git` of this one commit (S2.5, S2.21). */
  excludeDotGit: z.boolean().default(true),
  excludes: z.array(ExcludePattern).max(1000).default(['__pycache__', '.vscode']),
  /** Remove what the commit does not have; never the sentinel, never what is excluded. */
  delete: z.boolean().default(true),
  deleteLimits: DeleteLimits.default({ maxShare: 0.25, freeFiles: 10 }),
  verify: TreeVerify.default({ mode: 'sample', files: 200 }),
  /** Name of the file that holds the commit, in the root of the tree (S2.6). */
  sentinel: z
    .string()
    .regex(/^[A-Za-z0-9._][A-Za-z0-9._-]{0,99}$/, 'the sentinel is one file name of letters, digits and . _ -')
    .refine((name) => !['.', '..', '.git'].includes(name), 'the sentinel needs a file name of its own')
    .default('.sync_rev'),
  strategy: DeliveryStrategy.default({ kind: 'in-place' }),
  /** Bandwidth limit in KiB/s; null for none. */
  bandwidthKiBps: z.number().int().positive().nullable().default(null),
})
export type RepositorySpec = z.infer<typeof RepositorySpec>

/** Which nodes, in the filter language of the map, e.g. `kind:vps and not label.stage:test`. */
const Selector = z.string().max(2000)

const specs = {
  tree: TreeSpec,
  krl: KrlSpec,
  trust: TrustSpec,
  'host-certificate': HostCertificateSpec,
  routes: RoutesSpec,
  hosts: HostsSpec,
  repository: RepositorySpec,
  agent: AgentSpec,
} as const

export const planKinds = ['tree', 'krl', 'trust', 'host-certificate', 'routes', 'hosts', 'repository', 'agent'] as const
export const PlanKind = z.enum(planKinds)
export type PlanKind = z.infer<typeof PlanKind>

const inputOf = <Kind extends Exclude<PlanKind, 'agent'>>(kind: Kind) =>
  z.strictObject({ name: DisplayName, kind: z.literal(kind), selector: Selector, spec: specs[kind] })

/** What an operator writes; `kind` decides the shape of `spec`. Plans of kind `agent` come from agents alone. */
export const PlanInput = z.discriminatedUnion('kind', [
  inputOf('tree'),
  inputOf('krl'),
  inputOf('trust'),
  inputOf('host-certificate'),
  inputOf('routes'),
  inputOf('hosts'),
  inputOf('repository'),
])
export type PlanInput = z.infer<typeof PlanInput>

const planOf = <Kind extends PlanKind>(kind: Kind) =>
  z.object({
    id: PlanId,
    name: z.string(),
    kind: z.literal(kind),
    selector: z.string(),
    spec: specs[kind],
    /** Grows by one with every change of what is delivered or to whom. */
    revision: z.number().int().positive(),
    /** Of the canonical form of kind, selector, spec and, where the engine makes the content, of that content. */
    digest: Digest,
    createdAt: EpochMs,
    updatedAt: EpochMs,
  })

export const Plan = z.discriminatedUnion('kind', [
  planOf('tree'),
  planOf('krl'),
  planOf('trust'),
  planOf('host-certificate'),
  planOf('routes'),
  planOf('hosts'),
  planOf('repository'),
  planOf('agent'),
])
export type Plan = z.infer<typeof Plan>
export type PlanOf<Kind extends PlanKind> = Extract<Plan, { kind: Kind }>
export type TreePlan = PlanOf<'tree'>
