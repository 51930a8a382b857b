import type { ErrorCode } from '../../shared/errors.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { LoginProof } from './ssh.ts'

/** A path on a node: absolute, or below the home directory of the login user (`~/x`), which is expanded there (D17). */
export type RemotePath = string

/** SHA-256 of a file as it lies there, hexadecimal; `missing` for no file. */
export type FileState = string

/** One thing to be done on a node. Those of one exchange are done in order, whatever becomes of the others. */
export type NodeOrder =
  | {
      readonly kind: 'read'
      readonly path: RemotePath
      /** The content does not travel when it is this. */
      readonly unlessState?: FileState
      /** Through sudo where the login user may not read it. */
      readonly sudo?: boolean
    }
  | {
      /**
       * Puts `content` in the place of a file that is in the state `ifState`; of any other file only its state and content
       * come back. A file in the wanted state already is not written (D14). Written beside it, synced to disk, renamed;
       * where rename is refused (bind mounts) in place. A symbolic link stays one: what it points to is replaced. Owner
       * and mode of the old file stay; a new one gets 0644.
       */
      readonly kind: 'replace'
      readonly path: RemotePath
      /** `any`: whatever lies there. */
      readonly ifState: FileState | 'any'
      readonly content: Uint8Array
      /** Missing directories above it are made. Default false: a directory that is not there is a refusal. */
      readonly makeDirectory?: boolean
      readonly sudo?: boolean
    }
  | {
      /** A script for `/bin/sh`, without arguments, in the home directory. */
      readonly kind: 'run'
      readonly script: string
      readonly stdin?: Uint8Array
      /**
       * `after-change`: only when a `replace` before it in this exchange has written something, or when the exchange was cut
       * off and is given once more. Asked again by the caller, the file is as wanted and the script is skipped: what must
       * follow a write has to be remembered by whoever asks.
       */
      readonly when?: 'always' | 'after-change'
      readonly sudo?: boolean
    }

export type NodeAnswer =
  /** To `read`, when it is the state the asker knows; to `replace`, when nothing had to be written. */
  | { readonly kind: 'same'; readonly state: FileState }
  /** To `read`: what lies there. To `replace`: it was in another state and was left alone. Null content: no file. */
  | { readonly kind: 'content'; readonly state: FileState; readonly content: Uint8Array | null }
  /** `state` was read back from the file after it was written. */
  | { readonly kind: 'replaced'; readonly state: FileState; readonly how: 'renamed' | 'in-place' }
  | {
      readonly kind: 'ran'
      readonly exitCode: number
      readonly stdout: Uint8Array
      readonly stderr: Uint8Array
    }
  /** `after-change`, and nothing had changed. */
  | { readonly kind: 'skipped' }
  /** It could not be done; nothing was left half done. */
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly evidence: readonly string[] }

export interface NodeExchange {
  readonly answers: readonly NodeAnswer[]
  /** `at` is when the answers came; they prove that the login is alive. */
  readonly login: LoginProof
  /** `channel`: over the open shell of the node. `exec`: by a command of its own, where that is not to be had. */
  readonly via: 'channel' | 'exec'
  /** What went over the wire, both ways, without SSH's own share. */
  readonly bytes: number
}

/**
 * Small payloads to nodes and proof back, in one round trip: over one long-lived shell per node, which takes framed
 * orders, or by exec where a node does not allow that. Nothing a program on the node prints can pass for an answer.
 * Rejects like `SshPool` when the node cannot be reached, refuses us, or does not answer in time; then any order may or may
 * not have been carried out, and asking again is safe.
 */
export interface NodeChannels {
  exchange(
    node: FleetNode,
    orders: readonly NodeOrder[],
    options: {
      readonly timeoutMs: number
      readonly signal?: AbortSignal
      /** The proof of the login says what the clock of the node says; else only when a shell was opened for it. */
      readonly askClock?: boolean
    },
  ): Promise<NodeExchange>
  /** Shells that are open now. */
  openChannels(): number
  close(): Promise<void>
}
