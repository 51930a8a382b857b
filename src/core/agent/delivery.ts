import { type AgentRunState, agentApiLimits } from '../../shared/agentApi/index.ts'
import type { ErrorCode } from '../../shared/errors.ts'

/**
 * What a refused or lost request to the control plane means: `again` after a while, `shorter` with less in it, `enroll`
 * when a person has to enroll again, `upgrade` when the two do not understand each other, `give-up` otherwise.
 */
export type DeliveryAdvice = 'again' | 'shorter' | 'enroll' | 'upgrade' | 'give-up'

const advice: Partial<Record<ErrorCode, DeliveryAdvice>> = {
  GATEWAY_UNREACHABLE: 'again',
  TIMED_OUT: 'again',
  RATE_LIMITED: 'again',
  INTERNAL: 'again',
  ENGINE_UNAVAILABLE: 'again',
  PAYLOAD_TOO_LARGE: 'shorter',
  UNAUTHORIZED: 'enroll',
  FORBIDDEN: 'enroll',
  AGENT_VERSION_UNSUPPORTED: 'upgrade',
}

export function adviceFor(code: ErrorCode): DeliveryAdvice {
  return advice[code] ?? 'give-up'
}

/** The report whole, or cut down when it could not be received whole anyway. */
export function fitting(run: AgentRunState): AgentRunState {
  const bytes = new TextEncoder().encode(JSON.stringify(run)).length
  return bytes > agentApiLimits.bodyBytes * 0.9 ? shortened(run) : run
}

const keptEvidence = 3
const keptVisits = 60

/** The same report with what is long cut down, for a receiver that refused it as too large. */
export function shortened(run: AgentRunState): AgentRunState {
  const short = (lines: readonly string[]): string[] => [
    ...lines.slice(0, keptEvidence).map((line) => line.slice(0, 200)),
    ...(lines.length > keptEvidence ? [`and ${lines.length - keptEvidence} lines more, see the log`] : []),
  ]
  const diagnosis = <T extends { readonly evidence: readonly string[] } | null>(found: T): T =>
    found === null ? found : { ...found, evidence: short(found.evidence) }
  return {
    ...run,
    visits: run.visits.slice(-keptVisits),
    attempts: run.attempts.map((attempt) => ({ ...attempt, diagnosis: diagnosis(attempt.diagnosis) })),
    warnings: run.warnings.slice(0, 20).map((warning) => ({ ...warning, evidence: short(warning.evidence) })),
    failure: diagnosis(run.failure),
    halt: run.halt === null ? null : { ...run.halt, diagnosis: diagnosis(run.halt.diagnosis), deletePreview: null },
  }
}
