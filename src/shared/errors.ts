import { z } from 'zod'

/**
 * Every way in which Lockstep can say no, grouped by topic. The list is closed: a host, a test or a script may
 * switch over it, and a new code is a change of the contract.
 */
export const errorCodes = [
  // what was asked for
  'INVALID_INPUT',
  'NOT_FOUND',
  'CONFLICT',
  'PRECONDITION_FAILED',
  'UNAUTHORIZED',
  'FORBIDDEN',
  'UNSUPPORTED',
  'CANCELED',
  // this machine
  'HOME_NOT_WRITABLE',
  'HOME_IN_USE',
  'HOME_PATH_TOO_LONG',
  'ADDRESS_IN_USE',
  'DATABASE_CORRUPT',
  'DATABASE_NEWER',
  'LOCAL_DISK_FULL',
  'PROGRAM_MISSING',
  'PROGRAM_FAILED',
  'TIMED_OUT',
  'ENGINE_UNAVAILABLE',
  'OUT_OF_SYNC',
  'INTERNAL',
  // keys and certificates
  'VAULT_LOCKED',
  'VAULT_PASSPHRASE_WRONG',
  'VAULT_TAMPERED',
  'VAULT_BACKEND_REFUSED',
  'CERTIFICATE_POLICY_REFUSED',
  'CERTIFICATE_INVALID',
  'SERIAL_EXHAUSTED',
  'AUTHORITY_UNREACHABLE',
  'AUTHORITY_ROOT_MISMATCH',
  'AUTHORITY_REFUSED',
  'ROTATION_BLOCKED',
  'AUDIT_CHAIN_BROKEN',
  // agents and the gateway
  'JOIN_TOKEN_REFUSED',
  'RATE_LIMITED',
  'GATEWAY_UNREACHABLE',
  'GATEWAY_REFUSED',
  'AGENT_SILENT',
  'AGENT_VERSION_UNSUPPORTED',
  'PAYLOAD_TOO_LARGE',
  // the way to a node: one code for each cause of core/diagnose
  'NODE_UNREACHABLE',
  'CONNECTION_REFUSED',
  'CONNECTION_TIMED_OUT',
  'CONNECTION_LOST',
  'NAME_NOT_RESOLVED',
  'NOT_AN_SSH_SERVER',
  'HOST_KEY_UNKNOWN',
  'HOST_KEY_CHANGED',
  'CERTIFICATE_EXPIRED',
  'CERTIFICATE_NOT_YET_VALID',
  'CERTIFICATE_REVOKED',
  'PRINCIPAL_NOT_LISTED',
  'KEY_REFUSED',
  'CHANNEL_LIMIT',
  'TOO_MANY_STARTUPS',
  'SHELL_REFUSED',
  // the registry and its sources
  'REGISTRY_INVALID',
  'REGISTRY_SOURCE_UNREACHABLE',
  'REGISTRY_SOURCE_REFUSED',
  'WEBHOOK_REFUSED',
  // repositories
  'REPOSITORY_UNREACHABLE',
  'REPOSITORY_REFUSED',
  'REPOSITORY_DIVERGED',
  'REPOSITORY_LOCKED',
  'REPOSITORY_UNSAFE',
  'REF_NOT_FOUND',
  'LARGE_FILE_POINTERS',
  'SECRETS_FOUND',
  'SCAN_FAILED',
  'SENTINEL_MISMATCH',
  // another control plane
  'CONTROL_PLANE_UNREACHABLE',
  // the work on a node
  'REMOTE_PROGRAM_MISSING',
  'REMOTE_DISK_FULL',
  'REMOTE_READ_ONLY',
  'REMOTE_PERMISSION_DENIED',
  'REMOTE_PATH_INVALID',
  'REMOTE_FILE_IMMUTABLE',
  'REMOTE_FILE_CHANGED',
  'HOSTS_FILE_UNREADABLE',
  'TRAEFIK_NOT_RUNNING',
  'TRAEFIK_NOT_LISTING',
  'RECEIVER_FAILED',
  'REMOTE_COMMAND_FAILED',
  'SUDO_REFUSED',
  'SSHD_CONFIG_REFUSED',
  'LOGIN_NOT_PROVEN',
  'REVOCATION_NOT_PROVEN',
  'STOP_NOT_CONFIRMED',
  'LOCK_HELD',
  'SOURCE_MISSING',
  'SOURCE_NOT_A_DIRECTORY',
  'SOURCE_CHANGED',
  'TRANSFER_FAILED',
  'TRANSFER_INCOMPLETE',
  'VERIFY_MISMATCH',
] as const

export const ErrorCode = z.enum(errorCodes)
export type ErrorCode = z.infer<typeof ErrorCode>

/** What a caller may do about an error: nothing by itself, try again after a while, or offer a named action. */
export const RetryHint = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('after'), delayMs: z.number().int().nonnegative() }),
  z.object({ kind: z.literal('action'), action: z.string(), label: z.string() }),
])
export type RetryHint = z.infer<typeof RetryHint>

/** The form in which an error crosses a process or network boundary. `message` is for a person and holds no secret. */
export const ErrorBody = z.object({
  code: ErrorCode,
  message: z.string(),
  data: z.record(z.string(), z.unknown()).optional(),
  retry: RetryHint.optional(),
})
export type ErrorBody = z.infer<typeof ErrorBody>

interface AppErrorOptions {
  readonly data?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
  readonly retry?: RetryHint
}

/**
 * The one error type that crosses module borders. `cause` stays in the process (it may hold raw output);
 * everything else survives RPC unchanged, see {@link ErrorBody}.
 */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly data: Readonly<Record<string, unknown>> | undefined
  readonly retry: RetryHint | undefined

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'AppError'
    this.code = code
    this.data = options.data
    this.retry = options.retry
  }

  /** The serialisable part. */
  toBody(): ErrorBody {
    return {
      code: this.code,
      message: this.message,
      ...(this.data === undefined ? {} : { data: this.data }),
      ...(this.retry === undefined ? {} : { retry: this.retry }),
    }
  }
}

/** Turns anything thrown into an `AppError`; what was not one already becomes `INTERNAL` with the original as cause. */
export function toAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return new AppError('INTERNAL', message, { cause: thrown })
}

/** Makes the compiler prove that a union was handled completely. */
export function assertNever(value: never): never {
  throw new AppError('INTERNAL', `unhandled case: ${JSON.stringify(value)}`)
}
