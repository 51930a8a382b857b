import type { ErrorCode } from '../../shared/errors.ts'
import type { Diagnosis } from '../../shared/model/diagnosis.ts'

type NextAction = Diagnosis['nextAction']

/** Fixed parts of each cause: the four words of a map card, whether waiting can help, and the one button. */
interface CauseShape {
  readonly short: string
  readonly transient: boolean
  readonly nextAction: NextAction
}

const wait: NextAction = { kind: 'wait', label: 'Try again later' }
const resync: NextAction = { kind: 'resync', label: 'Try again' }
const doctor: NextAction = { kind: 'run-doctor', label: 'Find the cause' }
const terminal: NextAction = { kind: 'open-terminal', label: 'Open a terminal' }

const shapes = {
  NODE_UNREACHABLE: { short: 'unreachable', transient: true, nextAction: wait },
  CONNECTION_REFUSED: { short: 'connection refused', transient: true, nextAction: wait },
  CONNECTION_TIMED_OUT: { short: 'no answer', transient: true, nextAction: wait },
  CONNECTION_LOST: { short: 'connection lost', transient: true, nextAction: resync },
  NAME_NOT_RESOLVED: {
    short: 'name not found',
    transient: true,
    nextAction: { kind: 'edit-node', label: 'Correct the address' },
  },
  NOT_AN_SSH_SERVER: {
    short: 'not an SSH server',
    transient: false,
    nextAction: { kind: 'edit-node', label: 'Correct the port' },
  },
  HOST_KEY_UNKNOWN: {
    short: 'host key unknown',
    transient: false,
    nextAction: { kind: 'accept-host-key', label: 'Compare the fingerprint' },
  },
  HOST_KEY_CHANGED: {
    short: 'host key changed',
    transient: false,
    nextAction: { kind: 'accept-host-key', label: 'Compare both fingerprints' },
  },
  CERTIFICATE_EXPIRED: {
    short: 'certificate expired',
    transient: true,
    nextAction: { kind: 'renew-certificate', label: 'Renew the certificate' },
  },
  CERTIFICATE_NOT_YET_VALID: {
    short: 'clock is behind',
    transient: false,
    nextAction: { kind: 'none', label: 'Set the clock of the node' },
  },
  PRINCIPAL_NOT_LISTED: {
    short: 'principal not allowed',
    transient: false,
    nextAction: { kind: 'edit-node', label: 'Change the login user' },
  },
  KEY_REFUSED: { short: 'login refused', transient: false, nextAction: doctor },
  CHANNEL_LIMIT: { short: 'too many sessions', transient: true, nextAction: wait },
  TOO_MANY_STARTUPS: { short: 'server is busy', transient: true, nextAction: wait },
  SHELL_REFUSED: {
    short: 'no shell',
    transient: false,
    nextAction: { kind: 'edit-node', label: 'Change the login user' },
  },
  REMOTE_PROGRAM_MISSING: { short: 'program missing', transient: false, nextAction: terminal },
  REMOTE_DISK_FULL: { short: 'disk full', transient: false, nextAction: terminal },
  REMOTE_READ_ONLY: { short: 'disk is read-only', transient: false, nextAction: terminal },
  REMOTE_PERMISSION_DENIED: { short: 'permission denied', transient: false, nextAction: terminal },
  REMOTE_PATH_INVALID: {
    short: 'path not found',
    transient: false,
    nextAction: { kind: 'edit-plan', label: 'Correct the path' },
  },
  SOURCE_MISSING: {
    short: 'source is missing',
    transient: false,
    nextAction: { kind: 'edit-plan', label: 'Correct the source' },
  },
  TRANSFER_INCOMPLETE: { short: 'source not readable', transient: false, nextAction: resync },
  REMOTE_COMMAND_FAILED: { short: 'command failed', transient: false, nextAction: terminal },
} as const satisfies Partial<Record<ErrorCode, CauseShape>>

/** The causes that this folder can find. */
export type Cause = keyof typeof shapes

interface CauseDetails {
  readonly evidence: readonly string[]
  /** Where the usual button would be the wrong one. */
  readonly nextAction?: NextAction
  readonly transient?: boolean
  readonly short?: string
}

/** One cause in words: what, why, next step; evidence most telling first, without empty or repeated lines. */
export function cause(code: Cause, sentence: string, details: CauseDetails): Diagnosis {
  const shape: CauseShape = shapes[code]
  return {
    code,
    sentence,
    short: details.short ?? shape.short,
    // A banner or a last word of a hostile node may be as long as a packet.
    evidence: [...new Set(details.evidence.map((line) => line.trim().slice(0, 1_000)).filter((line) => line !== ''))],
    nextAction: details.nextAction ?? shape.nextAction,
    transient: details.transient ?? shape.transient,
  }
}

/** `1 s`, `12 s`, `3 min`, `2 h`, `5 days`: the largest unit that still says something. */
export function duration(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1000)
  if (seconds < 120) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 120) return `${minutes} min`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`
}

/** UTC to the second, as logs write it. */
export function utc(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(/\.\d{3}Z$/, 'Z')
}
