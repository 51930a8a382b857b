import type { ErrorCode } from '../shared/errors.ts'
import type { RunResult } from './run/agentRun.ts'

/** What the agent answers to scripts: the codes of the `lockstep` command. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  /** The command line or `agent.yaml` does not read. */
  usage: 2,
  notFound: 3,
  refused: 4,
  /** This machine: a disk or a directory that cannot be used, a program that is missing. */
  unavailable: 5,
  /** The run is halted and waits for a person. */
  halted: 6,
} as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

const codes: Partial<Record<ErrorCode, ExitCode>> = {
  INVALID_INPUT: exitCodes.usage,
  NOT_FOUND: exitCodes.notFound,
  PRECONDITION_FAILED: exitCodes.refused,
  UNAUTHORIZED: exitCodes.refused,
  FORBIDDEN: exitCodes.refused,
  LOCK_HELD: exitCodes.refused,
  JOIN_TOKEN_REFUSED: exitCodes.refused,
  HOME_NOT_WRITABLE: exitCodes.unavailable,
  LOCAL_DISK_FULL: exitCodes.unavailable,
  PROGRAM_MISSING: exitCodes.unavailable,
}

export function exitCodeOfError(code: ErrorCode): ExitCode {
  return codes[code] ?? exitCodes.failed
}

/** Another agent at work is no failure (S0.50). */
export function exitCodeOfRun(result: RunResult): ExitCode {
  if (result.kind === 'locked-out') return exitCodes.ok
  if (result.kind === 'interrupted') return exitCodes.failed
  if (result.run.status === 'halted') return exitCodes.halted
  return result.run.status === 'succeeded' ? exitCodes.ok : exitCodes.failed
}
