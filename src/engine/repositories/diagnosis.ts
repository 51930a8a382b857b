import { severityOf } from '../../core/run/severity.ts'
import { diagnosisOf } from '../../core/run/thrown.ts'
import type { AppError, ErrorCode } from '../../shared/errors.ts'
import type { Diagnosis } from '../../shared/model/diagnosis.ts'

const shorts: Readonly<Partial<Record<ErrorCode, string>>> = {
  REPOSITORY_UNREACHABLE: 'remote not reached',
  REPOSITORY_REFUSED: 'remote refuses login',
  REPOSITORY_DIVERGED: 'history was rewritten',
  REPOSITORY_LOCKED: 'checkout is locked',
  REPOSITORY_UNSAFE: 'unsafe path inside',
  REF_NOT_FOUND: 'ref not found',
  LARGE_FILE_POINTERS: 'large files missing',
  SECRETS_FOUND: 'secrets found',
  SCAN_FAILED: 'scan failed',
  SENTINEL_MISMATCH: 'another commit there',
  SOURCE_MISSING: 'checkout missing',
  PROGRAM_MISSING: 'program missing',
  TIMED_OUT: 'took too long',
  LOCAL_DISK_FULL: 'disk is full',
}

/** One cause for a person: what a part found, or what was thrown in its own words. */
export function causeOf(error: AppError): Diagnosis {
  const cause = diagnosisOf(error)
  if (cause !== undefined && error.data?.diagnosis !== undefined) return cause
  const transient = severityOf(error.code) === 'retryable'
  return {
    ...cause,
    short: shorts[error.code] ?? cause.short,
    transient,
    nextAction: transient ? { kind: 'wait', label: 'Is tried again' } : cause.nextAction,
  }
}
