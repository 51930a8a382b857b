import type { ErrorCode } from '../shared/errors.ts'

/** What the command line answers to scripts; also in `docs/guide/cli.md`. */
export const exitCodes = {
  ok: 0,
  /** The work was done, but a run failed, a verification failed, or doctor found a cause. */
  failed: 1,
  /** The command line or a file it names does not read. */
  usage: 2,
  notFound: 3,
  /** Conflict, lock, precondition, policy, or a shut key vault. */
  refused: 4,
  /** No engine, or this machine's home cannot be used. */
  unavailable: 5,
  /** A run is halted and waits for a person. */
  halted: 6,
  /** Set by `main.ts` and `bin/lockstep` before anything of ours is loaded. */
  wrongNode: 69,
} as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

const groups: readonly (readonly [ExitCode, readonly ErrorCode[]])[] = [
  [exitCodes.usage, ['INVALID_INPUT', 'REGISTRY_INVALID']],
  [exitCodes.notFound, ['NOT_FOUND']],
  [
    exitCodes.refused,
    [
      'CONFLICT',
      'PRECONDITION_FAILED',
      'UNAUTHORIZED',
      'FORBIDDEN',
      'UNSUPPORTED',
      'VAULT_LOCKED',
      'VAULT_PASSPHRASE_WRONG',
      'VAULT_TAMPERED',
      'VAULT_BACKEND_REFUSED',
      'CERTIFICATE_POLICY_REFUSED',
      'ROTATION_BLOCKED',
      'JOIN_TOKEN_REFUSED',
      'LOCK_HELD',
      'WEBHOOK_REFUSED',
      'REPOSITORY_DIVERGED',
      'SECRETS_FOUND',
    ],
  ],
  [
    exitCodes.unavailable,
    [
      'HOME_NOT_WRITABLE',
      'HOME_IN_USE',
      'HOME_PATH_TOO_LONG',
      'ADDRESS_IN_USE',
      'DATABASE_CORRUPT',
      'DATABASE_NEWER',
      'LOCAL_DISK_FULL',
      'PROGRAM_MISSING',
      'ENGINE_UNAVAILABLE',
      'CONTROL_PLANE_UNREACHABLE',
      'OUT_OF_SYNC',
    ],
  ],
]

/** Codes in no group are about the work itself: it failed. */
export function exitCodeOf(code: ErrorCode): ExitCode {
  return groups.find(([, codes]) => codes.includes(code))?.[0] ?? exitCodes.failed
}
