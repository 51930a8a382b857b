import { toAppError } from '../../shared/errors.ts'
import { Diagnosis } from '../../shared/model/diagnosis.ts'
import { unexpected } from './causes.ts'

/** The cause that another part found, carried in `data.diagnosis`; otherwise what was thrown, in its own words. */
export function diagnosisOf(thrown: unknown): Diagnosis {
  const error = toAppError(thrown)
  const carried = Diagnosis.safeParse(error.data?.diagnosis)
  if (carried.success) return carried.data
  const evidence = Array.isArray(error.data?.evidence) ? error.data.evidence.map(String) : []
  return unexpected(error.code, error.message, evidence)
}
