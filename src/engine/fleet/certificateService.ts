import PQueue from 'p-queue'
import { withLogin, withoutLogin } from '../../core/fleet/observe.ts'
import type { Clock } from '../../platform/clock.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Identities, NodeIdentity, SshPool, Store } from '../ports.ts'
import { diagnosisOf } from './nodeService.ts'
import { resolveNode } from './resolve.ts'

export interface CertificateServiceDependencies {
  readonly store: Store
  readonly clock: Clock
  readonly identities: Identities
  readonly sshPool: SshPool
}

export interface Renewal {
  readonly node: FleetNode
  readonly serial: string
  /** The node let us in with exactly this certificate. */
  readonly accepted: boolean
}

export interface CertificateService {
  /** New certificates, each proven by a fresh login. */
  renew(references: readonly string[], operator: string): Promise<Renewal[]>
}

const loginTimeoutMs = 15_000
const parallelLogins = 16

const issuedOf = (identity: NodeIdentity): { serial: string; validAfter: number; validBefore: number } => ({
  serial: identity.certificate.serial,
  validAfter: identity.certificate.validAfter,
  validBefore: identity.certificate.validBefore,
})

export function createCertificateService({
  store,
  clock,
  identities,
  sshPool,
}: CertificateServiceDependencies): CertificateService {
  async function prove(node: FleetNode, identity: NodeIdentity): Promise<Renewal> {
    const issued = issuedOf(identity)
    const login = sshPool.login(node, { timeoutMs: loginTimeoutMs, fresh: true })
    const outcome = await login.then(
      (proof) => ({ proof }),
      (thrown: unknown) => ({ thrown }),
    )
    if ('thrown' in outcome && diagnosisOf(outcome.thrown) === null) throw outcome.thrown
    const saved = await store.transact(async (transaction) => {
      const current = await resolveNode(transaction, node.id)
      const next =
        'proof' in outcome
          ? accepted(current, outcome.proof.at, outcome.proof.clockSkewMs)
          : refused(current, outcome.thrown)
      await transaction.saveNode(next)
      return next
    })
    return {
      node: saved,
      serial: issued.serial,
      accepted: 'proof' in outcome && outcome.proof.certificateSerial === issued.serial,
    }

    function accepted(current: FleetNode, at: number, clockSkewMs: number | null): FleetNode {
      return withLogin(current, { at, clockSkewMs, certificate: issued })
    }
    function refused(current: FleetNode, thrown: unknown): FleetNode {
      const diagnosis = diagnosisOf(thrown)
      const next = { ...current, certificate: { ...issued, acceptedAt: null } }
      return diagnosis === null ? next : withoutLogin(next, diagnosis, clock.nowMs())
    }
  }

  async function renew(references: readonly string[], operator: string): Promise<Renewal[]> {
    const byId = new Map<string, FleetNode>()
    for (const reference of references) {
      const node = await resolveNode(store, reference)
      byId.set(node.id, node)
    }
    const nodes = [...byId.values()]
    const issued = await identities.renew(nodes, { requestedBy: operator, reason: 'renewed on request' })
    const byNode = new Map(issued.map((identity) => [identity.nodeId, identity]))
    const queue = new PQueue({ concurrency: parallelLogins })
    return queue.addAll(nodes.map((node) => () => prove(node, byNode.get(node.id) as NodeIdentity)))
  }

  return { renew }
}
