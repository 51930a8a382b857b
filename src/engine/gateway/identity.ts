import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { AppError } from '../../shared/errors.ts'
import { AgentId } from '../../shared/model/ids.ts'

/** Who a client certificate of ours says is there. */
export interface CertificateIdentity {
  readonly agentId: AgentId
  readonly certificate: X509Certificate
}

/** The URI and nothing beside it: a name of another kind, the common name above all, is never an identity. */
const identityName = /^URI:lockstep:agent:([0-9a-f-]{36})$/

/**
 * The identity that TLS has proven. OpenSSL has checked chain, dates and purpose when `authorized` is set.
 *
 * @throws UNAUTHORIZED without a certificate, and for one that is foreign, expired or names no agent
 */
export function identityOf(socket: TLSSocket): CertificateIdentity {
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined)
    throw new AppError('UNAUTHORIZED', 'This needs the client certificate of an agent. Enroll with a join token first.')
  if (!socket.authorized)
    throw new AppError(
      'UNAUTHORIZED',
      'This client certificate does not count: it is not ours or not valid now. Enroll again with a new join token.',
      { data: { reason: String(socket.authorizationError) } },
    )
  const id = AgentId.safeParse(identityName.exec(certificate.subjectAltName ?? '')?.[1])
  if (id.success) return { agentId: id.data, certificate }
  throw new AppError('UNAUTHORIZED', 'This client certificate names no agent. Enroll again with a new join token.')
}
