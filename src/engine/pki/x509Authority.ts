import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import type { Clock } from '../../platform/clock.ts'
import { AppError } from '../../shared/errors.ts'
import type { NewAuditEntry, Store, X509Authority } from '../ports.ts'
import type { AuthorityKeys, SigningX509 } from './authorities.ts'
import { draftLeaf, keyOfRequest, type LeafContent, serverNames, signLeaf } from './x509Certificates.ts'

interface X509Dependencies {
  readonly authorities: Pick<AuthorityKeys, 'x509Roots' | 'x509Signer'>
  readonly store: Pick<Store, 'transact'>
  readonly clock: Pick<Clock, 'nowMs'>
}

interface LeafOrder {
  readonly content: LeafContent
  readonly requestedBy: string
  readonly reason: string
}

/** Certificates for the gateway and its agents, each audited before it is signed. */
export function createX509Authority({ authorities, store, clock }: X509Dependencies): X509Authority {
  async function issue({ content, requestedBy, reason }: LeafOrder): Promise<{ pem: string; signer: SigningX509 }> {
    const signer = await authorities.x509Signer()
    refuseOwnKey(content, signer)
    const row = leafRow({ content, requestedBy, reason }, signer.fingerprint, clock.nowMs())
    await store.transact((transaction) => transaction.appendAudit([row]))
    return { pem: await signLeaf(content, signer), signer }
  }

  return {
    roots: async () =>
      (await authorities.x509Roots()).map(({ publicKey, fingerprint }) => ({ pem: publicKey, fingerprint })),
    issueServer: async ({ names, requestedBy }) => {
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const [commonName] = names
      if (commonName === undefined) throw new AppError('INVALID_INPUT', 'names: the gateway needs at least one name')
      const content = draftLeaf({ commonName, publicKey, use: 'server', names: serverNames(names) }, clock.nowMs())
      const { pem, signer } = await issue({ content, requestedBy, reason: 'gateway' })
      return {
        certificatePem: pem,
        privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
        validBefore: content.validBefore,
        authorityFingerprint: signer.fingerprint,
      }
    },
    issueClient: async ({ certificateRequestPem, agentId, requestedBy, reason }) => {
      const publicKey = await keyOfRequest(certificateRequestPem)
      const names = [{ type: 'url' as const, value: `lockstep:agent:${agentId}` }]
      const content = draftLeaf({ commonName: agentId, publicKey, use: 'client', names }, clock.nowMs())
      const { pem, signer } = await issue({ content, requestedBy, reason })
      const { serial, validAfter, validBefore } = content
      return { certificatePem: pem, serial, validAfter, validBefore, authorityFingerprint: signer.fingerprint }
    },
  }
}

function refuseOwnKey(content: LeafContent, signer: SigningX509): void {
  if (!content.publicKey.equals(createPublicKey(signer.privateKey))) return
  throw new AppError('CERTIFICATE_POLICY_REFUSED', 'certificateRequest: this is the key of the authority itself', {
    data: { field: 'certificateRequest' },
  })
}

function leafRow({ content, requestedBy, reason }: LeafOrder, authorityFingerprint: string, at: number): NewAuditEntry {
  const { serial, commonName, use, names, validAfter, validBefore } = content
  return {
    at,
    actor: requestedBy,
    action: 'x509.issue',
    subject: commonName,
    detail: {
      serial,
      use,
      names: names.map(({ value }) => value),
      reason,
      authorityFingerprint,
      validAfter,
      validBefore,
    },
  }
}
