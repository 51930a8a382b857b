import type { ErrorCode } from '../../shared/errors.ts'

/** `unreachable` ends the cycle at once and is no failure of the node (D13); `halt` waits for a person. */
export type CauseSeverity = 'unreachable' | 'retryable' | 'halt' | 'fatal'

const severities: Partial<Record<ErrorCode, CauseSeverity>> = {
  NODE_UNREACHABLE: 'unreachable',
  CONNECTION_REFUSED: 'unreachable',
  CONNECTION_TIMED_OUT: 'unreachable',
  NAME_NOT_RESOLVED: 'unreachable',
  CONNECTION_LOST: 'retryable',
  TOO_MANY_STARTUPS: 'retryable',
  CHANNEL_LIMIT: 'retryable',
  TIMED_OUT: 'retryable',
  AUTHORITY_UNREACHABLE: 'retryable',
  REMOTE_COMMAND_FAILED: 'retryable',
  TRANSFER_FAILED: 'retryable',
  TRANSFER_INCOMPLETE: 'retryable',
  SOURCE_CHANGED: 'retryable',
  VERIFY_MISMATCH: 'retryable',
  // Somebody who writes now may have finished in five seconds; a script that failed is a command that failed (S1.74).
  REMOTE_FILE_CHANGED: 'retryable',
  RECEIVER_FAILED: 'retryable',
  REGISTRY_SOURCE_UNREACHABLE: 'retryable',
  REPOSITORY_UNREACHABLE: 'retryable',
  REPOSITORY_LOCKED: 'retryable',
  SENTINEL_MISMATCH: 'retryable',
  HOST_KEY_CHANGED: 'halt',
  SECRETS_FOUND: 'halt',
}

/** What a cause means for the run that met it; whatever is not named here needs somebody to act. */
export function severityOf(code: ErrorCode): CauseSeverity {
  return severities[code] ?? 'fatal'
}
