import type { ConnectEvidence, PresentedCertificate } from '../../core/diagnose/evidence.ts'
import { AppError, type RetryHint } from '../../shared/errors.ts'
import type { IssuedCertificate } from '../../shared/model/certificate.ts'
import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { NodeIdentity } from '../ports.ts'

const transientRetryMs = 30_000

/** The error that callers outside this folder see: one cause, with `data.diagnosis`. */
export function diagnosedError(node: Pick<FleetNode, 'id'>, diagnosis: Diagnosis): AppError {
  return new AppError(diagnosis.code, diagnosis.sentence, {
    data: { nodeId: node.id, diagnosis },
    ...retryHint(diagnosis),
  })
}

function retryHint({ transient, nextAction }: Diagnosis): { readonly retry?: RetryHint } {
  if (transient) return { retry: { kind: 'after', delayMs: transientRetryMs } }
  if (nextAction.kind === 'none') return {}
  return { retry: { kind: 'action', action: nextAction.kind, label: nextAction.label } }
}

export function presentedCertificate(certificate: IssuedCertificate): PresentedCertificate {
  const { serial, principals, validAfter, validBefore } = certificate
  return { serial, principals, validAfter, validBefore }
}

/** What we showed at a login, as evidence. */
export function presentedBy(identity: NodeIdentity | undefined): Pick<ConnectEvidence, 'certificate' | 'staticKey'> {
  if (identity === undefined) return {}
  return identity.kind === 'certificate'
    ? { certificate: presentedCertificate(identity.certificate) }
    : { staticKey: { fingerprint: identity.fingerprint, keyFile: identity.keyFile } }
}
