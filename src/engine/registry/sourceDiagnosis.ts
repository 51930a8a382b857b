import { z } from 'zod'
import { jsonPath } from '../../core/registry/sourceTree.ts'
import { RegistryProblem } from '../../shared/contract/registry.ts'
import type { AppError } from '../../shared/errors.ts'
import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { SourceState } from '../../shared/model/registrySource.ts'

const shorts: Readonly<Partial<Record<AppError['code'], string>>> = {
  REGISTRY_INVALID: 'wrong content',
  REGISTRY_SOURCE_UNREACHABLE: 'source not there',
  REGISTRY_SOURCE_REFUSED: 'source not readable',
  PRECONDITION_FAILED: 'takes away too much',
}

/** Mistakes that are shown; a text that is no registry at all has thousands. */
const mostEvidence = 20

/** The state of a source that cannot be read, or says what is wrong. What it said before stays in force. */
export function failingState(error: AppError, nowMs: number): Extract<SourceState, { status: 'failing' }> {
  return { status: 'failing', since: nowMs, checkedAt: nowMs, diagnosis: diagnosisOf(error) }
}

function diagnosisOf(error: AppError): Diagnosis {
  const transient = !['REGISTRY_INVALID', 'REGISTRY_SOURCE_REFUSED', 'PRECONDITION_FAILED'].includes(error.code)
  return {
    code: error.code,
    sentence: `${error.message} The last good revision stays in force.`,
    short: shorts[error.code] ?? 'cannot be saved',
    evidence: [...problemLines(error), ...removalLines(error)],
    nextAction: transient
      ? { kind: 'wait', label: 'Is tried again' }
      : { kind: 'none', label: 'Correct it, then look again' },
    transient,
  }
}

/** What it would take away. */
function removalLines({ data }: AppError): string[] {
  const removed = z.array(z.string()).safeParse(data?.removed)
  return removed.success ? removed.data.map((name) => `takes away ${name}`) : []
}

function problemLines({ data }: AppError): string[] {
  const problems = RegistryProblem.array().safeParse(data?.problems)
  if (!problems.success) return []
  return problems.data
    .slice(0, mostEvidence)
    .map(({ path, line, column, message }) => `${line}:${column} ${jsonPath(path)} ${message}`)
}
