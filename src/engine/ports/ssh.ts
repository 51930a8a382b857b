import type { IssuedCertificate } from '../../shared/model/certificate.ts'
import type { Diagnosis, DoctorReport } from '../../shared/model/diagnosis.ts'
import type { NodeId } from '../../shared/model/ids.ts'
import type { FleetNode, OfferedHostKey, PinnedHostKey } from '../../shared/model/node.ts'
import type { NodeIdentity } from './pki.ts'

export interface RemoteCommandOptions {
  /** All of it, or where it comes from: asked anew when the command has to be sent again, and read as fast as it is taken. */
  readonly stdin?: Uint8Array | string | (() => AsyncIterable<Uint8Array>)
  readonly signal?: AbortSignal
  /** Whole call: connect, queue, run. */
  readonly timeoutMs: number
  /** More output than this ends the command with an error. Default 16 MiB. */
  readonly maxOutputBytes?: number
  readonly onStdout?: (bytes: Uint8Array) => void
  readonly onStderr?: (bytes: Uint8Array) => void
}

export interface RemoteCommandResult {
  readonly exitCode: number | null
  readonly signal: string | null
  readonly stdout: Uint8Array
  readonly stderr: Uint8Array
}

/** Says what a login proved, so that the registry can be brought up to date. */
export interface LoginProof {
  readonly nodeId: NodeId
  /** Null: it was made with a static key. */
  readonly certificateSerial: string | null
  /** Fingerprint of the static key; null: it was made with a certificate. */
  readonly staticKey: string | null
  readonly at: number
  /** Node clock minus ours; null when not measured at this login. */
  readonly clockSkewMs: number | null
}

/**
 * Warm ssh2 connections, one per node. Rejects with an AppError whose `data.diagnosis` is a {@link Diagnosis} when the
 * node cannot be reached or refuses us. A command that ran and failed is a result, not an error.
 */
export interface SshPool {
  exec(node: FleetNode, command: string, options: RemoteCommandOptions): Promise<RemoteCommandResult>
  /** Logs in (or proves that the open connection is alive) and measures the clock. */
  login(
    node: FleetNode,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal; readonly fresh?: boolean },
  ): Promise<LoginProof>
  /** Closes what is open to the node: its certificate, address or host keys have changed. */
  drop(nodeId: NodeId): void
  /**
   * Called when an open connection ends that nobody here ended: the node, or the way to it, may be gone. `silent`: it was
   * not closed from there, nobody answered any more.
   * @returns the unsubscribe function.
   */
  onLost(listener: (nodeId: NodeId, loss: { readonly silent: boolean }) => void): () => void
  openConnections(): number
  /** A connection to the node stands now: what is asked of it begins at once. */
  isOpen(nodeId: NodeId): boolean
  close(): Promise<void>
}

/** How system `ssh` and `rsync` reach a node: a generated client configuration and an agent socket. */
export interface OpenSshAccess {
  /**
   * Writes configuration, public key, certificate and known hosts of the node.
   * @returns argv for `ssh` up to and including the host alias; for `rsync -e`, `sshCommand` is the same as one
   * shell-quoted string without the alias.
   */
  prepare(
    node: FleetNode,
    purpose: 'automation' | 'terminal',
  ): Promise<{ readonly sshArguments: readonly string[]; readonly sshCommand: string; readonly hostAlias: string }>
}

export interface HostKeyProbe {
  /** Looks at the keys an address offers; authenticates nowhere. */
  probe(
    target: { readonly address: string; readonly port: number },
    options: { readonly timeoutMs: number },
  ): Promise<OfferedHostKey[]>
}

export interface Doctor {
  /** Read-only steps, ending in one cause. */
  examine(node: FleetNode, options: { readonly requestedBy: string }): Promise<DoctorReport>
}

/** How one login with one identity ended. A node that cannot be reached is an AppError with a diagnosis, as in {@link SshPool}. */
export type LoginAttempt =
  | { readonly status: 'accepted' }
  | { readonly status: 'refused'; readonly diagnosis: Diagnosis; readonly evidence: readonly string[] }

/** Fresh logins beside the pool, to prove what a node accepts and what it refuses. */
export interface LoginProbe {
  attempt(
    node: FleetNode,
    identity: NodeIdentity,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal; readonly user?: string },
  ): Promise<LoginAttempt>
  /** The host certificate the node offers (certificate line), seen by a client that asks for certificates only; null: none. */
  offeredHostCertificate(
    node: FleetNode,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<string | null>
}

/** Turns what was seen of a failed program into one cause. */
export type DiagnoseFailure = (
  node: FleetNode,
  failure: {
    readonly program: string
    readonly exitCode: number | null
    readonly stderr: string
    readonly certificate?: IssuedCertificate
  },
) => Diagnosis

export const toPinnedHostKey = (offered: OfferedHostKey, pinnedBy: string, pinnedAt: number): PinnedHostKey => ({
  keyType: offered.keyType,
  publicKey: offered.publicKey,
  fingerprint: offered.fingerprint,
  pinnedAt,
  pinnedBy,
})
