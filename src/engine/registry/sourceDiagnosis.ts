import { jsonPath } from '../../core/registry/sourceTree.ts'
import { RegistryProblem } from '../../shared/contract/registry.ts'
import type { AppError } from '../../shared/errors.ts'
import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { SourceState } from '../../shared/model/registrySource.ts'

const shorts: Readonly<Partial<Record<AppError['code'], string>>> = {
  REGISTRY_INVALID: 'wrong content',
  REGISTRY_SOURCE_UNREACHABLE: 'source not there',
  REGISTRY_SOURCE_REFUSED: 'source not readable',
}

/** Mistakes that are shown; a text that is no registry at all has thousands. */
const mostEvidence = 20

/** The state of a source that cannot be read, or says what is wrong. What it said before stays in force. */
export function failingState(error: AppError, nowMs: number): Extract<SourceState, { status: 'failing' }> {
  return { status: 'failing', since: nowMs, checkedAt: nowMs, diagnosis: diagnosisOf(error) }
}

function diagnosisOf(error: AppError): Diagnosis {
  const transient = error.code !== 'REGISTRY_INVALID' && error.code !== 'REGISTRY_SOURCE_REFUSED'
  return {
    code: error.code,
    sentence: `${error.message} The last good revision stays in force.`,
    short: shorts[error.code] ?? 'cannot be saved',
    evidence: problemLines(error),
    nextAction: transient
      ? { kind: 'wait', label: 'Is tried again' }
      : { kind: 'none', label: 'Correct it, then look again' },
    transient,
  }
}

function problemLines({ data }: AppError): string[] {
  const problems = RegistryProblem.array().safeParse(data?.problems)
  if (!problems.success) return []
  return problems.data
    .slice(0, mostEvidence)
    .map(({ path, line, column, message }) => `${line}:${column} ${jsonPath(path)} ${message}`)
}
