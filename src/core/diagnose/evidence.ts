import type { NodeLogin } from '../../shared/model/node.ts'

/** The node as far as a sentence about it needs. */
export interface DiagnosedNode {
  readonly name: string
  readonly address: string
  readonly port: number
  readonly user: string
  /** Omitted: with certificates. */
  readonly login?: NodeLogin
  /** The revocation list its sshd was proven to obey; omitted or null: none. */
  readonly krl?: { readonly version: number } | null
}

/** How far an attempt to reach a node got before it failed. */
export type ConnectStage = 'resolve' | 'connect' | 'banner' | 'handshake' | 'authenticate' | 'channel' | 'command'

/** The certificate we presented. Milliseconds since 1970. */
export interface PresentedCertificate {
  readonly serial: string
  readonly principals: readonly string[]
  readonly validAfter: number
  readonly validBefore: number
}

/** What the pins say about the key that was offered. */
export interface HostKeyFinding {
  readonly status: 'unknown' | 'changed'
  readonly keyType: string
  readonly offeredFingerprint: string
  /** Pins of the same key type; empty when unknown. */
  readonly pinnedFingerprints: readonly string[]
}

/**
 * What the doctor learned by logging in with other certificates: one whose principal is the login user, and one that
 * is valid a day either way.
 */
export interface LoginProbes {
  readonly principalIsUser: 'accepted' | 'refused' | 'not-tried'
  readonly wideValidity: 'accepted' | 'refused' | 'not-tried'
}

/** Everything known about one failed attempt. Nothing here is a secret. */
export interface ConnectEvidence {
  readonly stage: ConnectStage
  /** Our clock when it failed, epoch ms. */
  readonly nowMs: number
  readonly timedOut?: boolean
  /** `ECONNREFUSED` and the like. */
  readonly errno?: string
  /** Text of the error or what the server said, as it was seen. */
  readonly message?: string
  /** First line of the server, when it sent one. */
  readonly banner?: string
  readonly hostKey?: HostKeyFinding
  readonly certificate?: PresentedCertificate
  /** Shown in the place of a certificate. */
  readonly staticKey?: { readonly fingerprint: string; readonly keyFile: string }
  /** Node clock minus ours when it was last measured. */
  readonly clockSkewMs?: number | null
  readonly probes?: LoginProbes
}

/** A program (`ssh`, `rsync`, or a command on the node) that ended badly. */
export interface ProgramEvidence {
  readonly program: string
  readonly exitCode: number | null
  readonly stderr: string
  readonly nowMs: number
  readonly certificate?: PresentedCertificate
  readonly clockSkewMs?: number | null
}
