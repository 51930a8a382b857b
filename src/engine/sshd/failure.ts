import { AppError } from '../../shared/errors.ts'
import type { Diagnosis } from '../../shared/model/diagnosis.ts'

/** The error that callers outside this folder see: one cause, with `data.diagnosis`. */
export function sshdFailure(diagnosis: Diagnosis): AppError {
  return new AppError(diagnosis.code, diagnosis.sentence, { data: { diagnosis } })
}
