import type { Clock } from '../../platform/clock.ts'
import { AppError } from '../../shared/errors.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { ProbeIdentities } from '../ports.ts'
import { createIdentity, createSubjectKey, type SubjectKey } from './identities.ts'
import { createProvisioners, type Provisioners } from './provisioners.ts'
import { type CertificateDraft, draftCertificate, type SigningPipeline } from './signing.ts'

interface ProbeDependencies {
  readonly pipeline: SigningPipeline
  readonly clock: Pick<Clock, 'nowMs'>
  readonly provisioners?: Provisioners
}

const lifetimeSeconds = 600

interface Probe {
  readonly name: string
  /** All that a login with it can run, should the node let it in. */
  readonly command: 'true' | 'false'
  readonly reason: string
  readonly authorityFingerprint?: string
}

/** Certificates for logins that only prove something. Their keys live in memory, for as long as the login takes. */
export function createProbeIdentities({ pipeline, clock, provisioners }: ProbeDependencies): ProbeIdentities {
  const { policy } = (provisioners ?? createProvisioners()).probe

  const draft = (node: FleetNode, subject: SubjectKey, probe: Probe): CertificateDraft =>
    draftCertificate(
      {
        subjectPublicKey: subject.publicKeyBlob,
        keyId: `lockstep/probe/${probe.name}/${node.id}`,
        principals: [node.principal],
        purpose: 'probe',
        lifetimeSeconds,
        criticalOptions: { 'force-command': probe.command },
        nodeId: node.id,
        nodeName: node.name,
        requestedBy: 'engine',
        reason: probe.reason,
      },
      {
        policy,
        extensions: [],
        nowMs: clock.nowMs(),
        ...(probe.authorityFingerprint === undefined ? {} : { authorityFingerprint: probe.authorityFingerprint }),
      },
    )

  return {
    signedBy: async (node, authorityFingerprint) => {
      const subject = createSubjectKey()
      const reason = `does ${node.name} trust ${authorityFingerprint}?`
      const probe: Probe = { name: 'trust', command: 'true', reason, authorityFingerprint }
      const [certificate] = await pipeline.issue([draft(node, subject, probe)])
      if (certificate === undefined) throw new AppError('INTERNAL', 'the authority signed nothing')
      return createIdentity(node, 'automation', { certificate, subject })
    },
    revoked: async (node) => {
      const subject = createSubjectKey()
      const probe: Probe = { name: 'revoked', command: 'false', reason: `does ${node.name} obey its revocation list?` }
      const certificate = await pipeline.issueRevoked(draft(node, subject, probe))
      return createIdentity(node, 'automation', { certificate, subject })
    },
  }
}
