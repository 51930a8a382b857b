import type { Revocation } from '../../shared/model/certificate.ts'
import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { PresentedCertificate } from './evidence.ts'
import { utc } from './sentences.ts'

/** What we know of our own beside what the node said, which is the same for every refusal. */
export interface OwnKnowledge {
  readonly certificate: PresentedCertificate
  /** From the issue log; null while it counts. */
  readonly revocation: Revocation | null
}

/** The cause of a refused login in the light of the issue log and of what the node is. */
export function refineRefusal(
  node: Pick<FleetNode, 'name' | 'kind' | 'krl'>,
  diagnosis: Diagnosis,
  { certificate, revocation }: OwnKnowledge,
): Diagnosis {
  if (revocation !== null) return revoked(node, diagnosis, { certificate, revocation })
  // Without a principals file only a principal equal to the user logs in (D4); the set-up makes one.
  if (diagnosis.code === 'PRINCIPAL_NOT_LISTED' && node.kind === 'storage')
    return { ...diagnosis, nextAction: { kind: 'set-up-storage', label: 'Set up the storage' } }
  if (diagnosis.code === 'KEY_REFUSED' && node.krl !== null)
    return { ...diagnosis, evidence: [...diagnosis.evidence, listMayBeMissing(node.krl.version)] }
  return diagnosis
}

const listMayBeMissing = (version: number): string =>
  `revocation list ${version} was delivered: when its file is missing on the node, sshd refuses everybody; it has to be put back on the node itself`

function revoked(
  node: Pick<FleetNode, 'name'>,
  diagnosis: Diagnosis,
  { certificate, revocation }: { readonly certificate: PresentedCertificate; readonly revocation: Revocation },
): Diagnosis {
  const by = `revoked by ${revocation.revokedBy} on ${utc(revocation.revokedAt)}: ${revocation.reason}`
  return {
    code: 'CERTIFICATE_REVOKED',
    sentence: `${node.name} refused our certificate ${certificate.serial}, and so it should: it was ${by}. Renew it.`,
    short: 'certificate revoked',
    evidence: [by, ...diagnosis.evidence],
    nextAction: { kind: 'renew-certificate', label: 'Renew the certificate' },
    transient: false,
  }
}
