import { maxAutomationLifetimeSeconds } from '../../core/ca/policy.ts'
import type { Clock } from '../../platform/clock.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { CertificateIdentity } from '../ports.ts'
import { createIdentity, createSubjectKey } from './identities.ts'
import { principalPatternOf } from './provisioners.ts'
import { draftCertificate, type SigningPipeline } from './signing.ts'

/** What the doctor tries: the login user as principal, or a certificate that a wrong clock still takes. */
export type ProbeVariant = 'principal-is-user' | 'wide-validity'

/** The only thing a doctor's certificate can do on a node: tell the time there. */
export const probeCommand = 'date +%s'

const probeLifetimeSeconds = 120
const wideSeconds = 24 * 3600

export interface DoctorIdentities {
  /** A certificate for one read-only login attempt, through the audited pipeline. It is not kept. */
  probe(node: FleetNode, variant: ProbeVariant, options: { readonly requestedBy: string }): Promise<CertificateIdentity>
}

interface DoctorIdentityDependencies {
  readonly pipeline: SigningPipeline
  readonly clock: Pick<Clock, 'nowMs'>
}

export function createDoctorIdentities({ pipeline, clock }: DoctorIdentityDependencies): DoctorIdentities {
  return {
    probe: async (node, variant, { requestedBy }) => {
      const subject = createSubjectKey()
      const wide = variant === 'wide-validity'
      const principal = wide ? node.principal : node.user
      const draft = draftCertificate(
        {
          subjectPublicKey: subject.publicKeyBlob,
          keyId: `lockstep/doctor/${node.id}`,
          principals: [principal],
          purpose: 'automation',
          lifetimeSeconds: wide ? wideSeconds : probeLifetimeSeconds,
          criticalOptions: { 'force-command': probeCommand },
          nodeId: node.id,
          nodeName: node.name,
          requestedBy,
          reason: wide ? 'doctor: is the clock of the node wrong?' : `doctor: may principal ${principal} log in?`,
        },
        {
          policy: doctorPolicy(principal),
          extensions: [],
          nowMs: clock.nowMs(),
          ...(wide ? { backdateSeconds: wideSeconds } : {}),
        },
      )
      const [certificate] = await pipeline.issue([draft])
      if (certificate === undefined) throw new Error('the signing pipeline returned nothing')
      return createIdentity(node, 'automation', { certificate, subject })
    },
  }
}

/** Allows exactly one principal and a forced command; the longer life of the wide variant buys nothing else. */
function doctorPolicy(principal: string): Parameters<typeof draftCertificate>[1]['policy'] {
  return {
    name: 'doctor',
    certificateType: 'user',
    principalPattern: principalPatternOf([principal]),
    maxLifetimeSeconds: Math.max(wideSeconds, maxAutomationLifetimeSeconds),
    allowedExtensions: [],
    allowedCriticalOptions: ['force-command'],
  }
}
