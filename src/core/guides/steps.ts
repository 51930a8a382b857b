import type { Diagnosis, DoctorStep } from '../../shared/model/diagnosis.ts'
import type { GuideFix, GuideName, GuideReport, GuideStep, OfferedFix } from '../../shared/model/guide.ts'

/** What a look found that was wrong, and what would put it right. */
export interface Finding {
  readonly diagnosis: Diagnosis
  readonly offer: OfferedFix | null
}

/** A look, and what it found; the first finding of a guide is its cause. */
export interface Look {
  readonly step: GuideStep
  readonly finding: Finding | null
}

interface LookOptions {
  readonly evidence?: readonly string[]
  readonly byHand?: string
}

export const fine = (question: string, answer: string, options: LookOptions = {}): Look => ({
  step: stepOf(question, 'ok', answer, options),
  finding: null,
})

/** Worth knowing, and not the cause. */
export const odd = (question: string, answer: string, options: LookOptions = {}): Look => ({
  step: stepOf(question, 'warning', answer, options),
  finding: null,
})

export const notLookedAt = (question: string, why: string): Look => ({
  step: stepOf(question, 'skipped', why, {}),
  finding: null,
})

export const wrong = (question: string, finding: Finding, options: LookOptions = {}): Look => ({
  step: stepOf(question, 'failed', finding.diagnosis.sentence, {
    evidence: finding.diagnosis.evidence,
    ...options,
  }),
  finding,
})

function stepOf(question: string, status: GuideStep['status'], answer: string, options: LookOptions): GuideStep {
  return { question, status, answer, evidence: [...(options.evidence ?? [])], byHand: options.byHand ?? null }
}

/** The steps of the doctor, as steps of a guide. */
export const fromDoctor = (steps: readonly DoctorStep[], byHand: string): GuideStep[] =>
  steps.map(({ name, status, detail, evidence }) => ({
    question: `${name[0]?.toUpperCase() ?? ''}${name.slice(1)}?`,
    status,
    answer: detail,
    evidence,
    byHand: name === 'login' ? byHand : null,
  }))

export function reportOf(
  guide: GuideName,
  nodeName: string | null,
  looks: readonly { readonly steps: readonly GuideStep[]; readonly finding: Finding | null }[],
): GuideReport {
  const found = looks.find(({ finding }) => finding !== null)?.finding ?? null
  return {
    guide,
    nodeName,
    steps: looks.flatMap(({ steps }) => steps),
    diagnosis: found?.diagnosis ?? null,
    offer: found?.offer ?? null,
  }
}

export const offered = (fix: GuideFix, label: string, ...preview: readonly string[]): OfferedFix => ({
  fix,
  label,
  preview: [...preview],
})

/** A cause that a guide finds by itself; what is done about it is its offer. */
export const told = (
  code: Diagnosis['code'],
  sentence: string,
  short: string,
  evidence: readonly string[] = [],
): Diagnosis => ({
  code,
  sentence,
  short,
  evidence: [...evidence],
  nextAction: { kind: 'none', label: '' },
  transient: false,
})
