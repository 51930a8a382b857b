import type { Clock } from '../../platform/clock.ts'
import { AppError, toAppError } from '../../shared/errors.ts'
import type { CertificateIssuer } from '../../shared/model/certificate.ts'
import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { StepCaSettings, StepCaStatus } from '../../shared/model/stepCa.ts'
import type { StepCaIssuer } from '../pki/stepCaIssuer.ts'
import type { Identities, Store } from '../ports.ts'
import { type ContentDigest, refreshMadePlans } from './madePlans.ts'

/** A step-ca as the one that signs user certificates. */
export interface StepCaService {
  status(): Promise<StepCaStatus>
  configure(settings: StepCaSettings, password: string, operator: string): Promise<StepCaStatus>
  use(issuer: CertificateIssuer, operator: string): Promise<StepCaStatus>
  remove(operator: string): Promise<StepCaStatus>
}

export interface StepCaServiceDependencies {
  readonly store: Pick<Store, 'transact'>
  readonly clock: Pick<Clock, 'nowMs'>
  readonly issuer: StepCaIssuer
  readonly contentDigest: ContentDigest
  readonly identities: Pick<Identities, 'all' | 'forget'>
}

export function createStepCaService(dependencies: StepCaServiceDependencies): StepCaService {
  const { store, clock, issuer, contentDigest } = dependencies

  async function status(): Promise<StepCaStatus> {
    const stored = await issuer.stored()
    const nothing = { settings: null, active: false, checkedAt: null, healthy: false, diagnosis: null }
    if (stored === null) return { ...nothing, provisioners: [], userAuthorities: [] }
    const { settings, active, userKeys } = stored
    const seen = await issuer.inspect().then(
      (report) => ({ report, diagnosis: diagnoseKeys(stored, report.userKeys) }),
      (thrown: unknown) => ({ report: null, diagnosis: diagnosisOf(toAppError(thrown)) }),
    )
    return {
      settings,
      active,
      checkedAt: clock.nowMs(),
      healthy: seen.diagnosis === null,
      diagnosis: seen.diagnosis,
      provisioners: (seen.report?.provisioners ?? []).map((one) => ({ ...one, allows: [...one.allows] })),
      userAuthorities: userKeys.map((one) => ({ ...one })),
    }
  }

  /** What nodes trust has changed, or who signs: on record, and in the plans that deliver it. */
  async function record(action: string, operator: string, detail: Record<string, string>): Promise<StepCaStatus> {
    await store.transact(async (transaction) => {
      const at = clock.nowMs()
      await transaction.appendAudit([{ at, actor: operator, action, subject: 'step-ca', detail }])
      await refreshMadePlans(transaction, ['trust'], { contentDigest, nowMs: at })
      await transaction.announce({ kind: 'authority.changed', authority: 'ssh-user' })
    })
    return status()
  }

  /** The new issuer signs the next login; what the other one signed is not waited out. */
  function forgetAll(): void {
    for (const { nodeId } of dependencies.identities.all()) dependencies.identities.forget(nodeId)
  }

  return {
    status,
    configure: async (settings, password, operator) => {
      await issuer.configure(settings, password, operator)
      return record('stepCa.configure', operator, { ...settings })
    },
    use: async (wanted, operator) => {
      if ((await issuer.stored()) === null && wanted === 'embedded') return status()
      await issuer.setActive(wanted === 'step-ca')
      forgetAll()
      return record('stepCa.use', operator, { issuer: wanted })
    },
    remove: async (operator) => {
      const stored = await issuer.stored()
      if (stored === null) return status()
      if (stored.active)
        throw new AppError(
          'PRECONDITION_FAILED',
          'The step-ca signs the user certificates now. Let the embedded authority sign again, then remove it.',
        )
      await issuer.remove()
      return record('stepCa.remove', operator, { url: stored.settings.url })
    },
  }
}

function diagnosisOf(error: AppError): Diagnosis {
  return {
    code: error.code,
    sentence: error.message,
    short: error.code === 'AUTHORITY_UNREACHABLE' ? 'step-ca away' : 'step-ca refused',
    evidence: [],
    nextAction: { kind: error.retry?.kind === 'after' ? 'wait' : 'none', label: 'Check the step-ca' },
    transient: error.retry?.kind === 'after',
  }
}

/** Nodes trust the keys it had when it was set up. Others are a person's decision, not a side effect of a look. */
function diagnoseKeys(
  { settings, userKeys }: { readonly settings: StepCaSettings; readonly userKeys: readonly { fingerprint: string }[] },
  now: readonly { readonly fingerprint: string }[],
): Diagnosis | null {
  const before = new Set(userKeys.map(({ fingerprint }) => fingerprint))
  const unknown = now.find(({ fingerprint }) => !before.has(fingerprint))
  if (unknown === undefined) return null
  return {
    code: 'AUTHORITY_REFUSED',
    sentence: `The step-ca at ${settings.url} has another SSH user key (${unknown.fingerprint}) than nodes were told to trust. Set it up again, then deliver the trust plans.`,
    short: 'step-ca key changed',
    evidence: now.map(({ fingerprint }) => fingerprint),
    nextAction: { kind: 'none', label: 'Set it up again' },
    transient: false,
  }
}
