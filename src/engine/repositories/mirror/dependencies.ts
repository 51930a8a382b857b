import type { Clock } from '../../../platform/clock.ts'
import type { Logger } from '../../../platform/logger.ts'
import type { RepositoryId } from '../../../shared/model/ids.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import type { OpenSshAccess, SshPool } from '../../ports/ssh.ts'

export interface MirrorLimits {
  /** For one call of git over a network, in all. */
  readonly networkMs: number
  /** For one call of git on files of its own machine. */
  readonly localMs: number
  /** A call over a network that says nothing for this long is given up. */
  readonly silenceMs: number
  /** More packs than these are joined into one, so that a mirror which is asked often stays fast. */
  readonly mostPacks: number
  /** Snapshots that stay, besides those in use. */
  readonly keptSnapshots: number
}

export const defaultLimits: MirrorLimits = {
  networkMs: 6 * 3_600_000,
  localMs: 1_800_000,
  silenceMs: 600_000,
  mostPacks: 40,
  keptSnapshots: 3,
}

export interface RepositoryMirrorDependencies {
  /** `<home>/repositories`: made when it is missing. One engine at a time. */
  readonly directory: string
  readonly clock: Pick<Clock, 'nowMs'>
  readonly logger: Pick<Logger, 'info' | 'warn'>
  /** For git servers and for nodes: certificates of our authority and static keys, both through an agent socket of ours. */
  readonly openSsh: Pick<OpenSshAccess, 'prepare'>
  readonly sshPool: Pick<SshPool, 'exec'>
  /** By name or id. */
  readonly findNode: (node: string) => Promise<FleetNode | null>
  /** Of a certificate for a git server; the policy of the authority has to allow it. */
  readonly principal: string
  /** For the server of this URL. @throws CONFLICT when the repository names another one by now */
  readonly tokenOf: (repositoryId: RepositoryId, url: string) => Promise<string | null>
  /** Host keys of git servers for which a repository names none. Default `~/.ssh/known_hosts`. */
  readonly knownHostsFile?: string
  readonly limits?: Partial<MirrorLimits>
}
