import PQueue from 'p-queue'
import { type LoginCertificate, withLogin, withoutLogin } from '../../core/fleet/observe.ts'
import type { Clock } from '../../platform/clock.ts'
import type { PushTargets } from '../../shared/contract/runs.ts'
import { AppError } from '../../shared/errors.ts'
import type { IdempotencyKey } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { CertificateIdentity, Identities, SshPool, Store } from '../ports.ts'
import { diagnosisOf } from './nodeService.ts'
import { applyFilter, resolveNode } from './resolve.ts'

export interface CertificateServiceDependencies {
  readonly store: Store
  readonly clock: Clock
  readonly identities: Identities
  readonly sshPool: SshPool
}

export interface RenewRequest {
  readonly targets: PushTargets
  readonly idempotencyKey?: IdempotencyKey | undefined
}

export interface Renewal {
  readonly node: FleetNode
  readonly serial: string
  /** The node let us in with exactly this certificate. */
  readonly accepted: boolean
}

export interface CertificateService {
  /**
   * New certificates, each proven by a fresh login. With a key that was used before, nodes that accepted theirs are left
   * alone.
   */
  renew(request: RenewRequest, operator: string): Promise<Renewal[]>
  /** The same for these nodes, as one signing batch. Rejects when nothing could be signed. */
  renewNodes(
    nodes: readonly FleetNode[],
    options: { readonly requestedBy: string; readonly reason: string },
  ): Promise<Renewal[]>
}

const loginTimeoutMs = 15_000
const parallelLogins = 16

const issuedOf = (identity: CertificateIdentity): LoginCertificate => ({
  serial: identity.certificate.serial,
  authorityFingerprint: identity.certificate.authorityFingerprint,
  validAfter: identity.certificate.validAfter,
  validBefore: identity.certificate.validBefore,
})

export function createCertificateService({
  store,
  clock,
  identities,
  sshPool,
}: CertificateServiceDependencies): CertificateService {
  async function prove(node: FleetNode, identity: CertificateIdentity): Promise<Renewal> {
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

  /** Asked for with this key before, and the node took it: that certificate is the answer. */
  async function renewedBefore(node: FleetNode, key: IdempotencyKey | undefined): Promise<Renewal | null> {
    const done = key === undefined ? null : await store.getOperation(key, node.id)
    const { certificate } = node
    if (done === null || certificate === null || certificate.serial !== done.result) return null
    return certificate.acceptedAt === null ? null : { node, serial: done.result, accepted: true }
  }

  async function renew({ targets, idempotencyKey }: RenewRequest, operator: string): Promise<Renewal[]> {
    const nodes = await chosenNodes(store, targets, clock.nowMs())
    const before = await Promise.all(nodes.map((node) => renewedBefore(node, idempotencyKey)))
    const missing = nodes.filter((_, index) => before[index] === null)
    const options = { requestedBy: operator, reason: 'renewed on request' }
    const renewed = (await issueAndProve(missing, options, idempotencyKey)).values()
    return before.flatMap((known) => known ?? renewed.next().value ?? [])
  }

  async function issueAndProve(
    nodes: readonly FleetNode[],
    options: { readonly requestedBy: string; readonly reason: string },
    key?: IdempotencyKey,
  ): Promise<Renewal[]> {
    const issued = await identities.renew(nodes, options)
    if (key !== undefined) await remember(key, issued)
    const byNode = new Map(issued.map((identity) => [identity.nodeId, identity]))
    const queue = new PQueue({ concurrency: parallelLogins })
    return queue.addAll(nodes.map((node) => () => prove(node, byNode.get(node.id) as CertificateIdentity)))
  }

  async function remember(key: IdempotencyKey, issued: readonly CertificateIdentity[]): Promise<void> {
    await store.transact(async (transaction) => {
      for (const { nodeId, certificate } of issued)
        await transaction.saveOperation({ key, nodeId, result: certificate.serial })
    })
  }

  return { renew, renewNodes: issueAndProve }
}

/** Named nodes as they are; of all, or of a filter, those that we log in to and that nobody works on by hand. */
async function chosenNodes(store: Store, targets: PushTargets, nowMs: number): Promise<FleetNode[]> {
  if (targets.kind === 'nodes') {
    const nodes = await Promise.all(targets.nodes.map((reference) => resolveNode(store, reference)))
    refuseStaticKeys(nodes)
    return [...new Map(nodes.map((node) => [node.id, node])).values()]
  }
  const all = (await store.listNodes()).filter(
    (node) => node.transport === 'push' && !node.maintenance && node.login.kind === 'certificate',
  )
  return targets.kind === 'all' ? all : applyFilter(all, targets.filter, nowMs)
}

/** A key in a file does not end: there is nothing to renew, and saying "renewed" would be untrue (D9). */
function refuseStaticKeys(nodes: readonly FleetNode[]): void {
  const names = nodes.filter(({ login }) => login.kind === 'static-key').map(({ name }) => name)
  if (names.length === 0) return
  const which = names.length === 1 ? `${names[0]} is` : `${names.slice(0, 5).join(', ')} are`
  throw new AppError(
    'PRECONDITION_FAILED',
    `${which} logged in to with a static key, which has nothing to renew. Leave it out, or move it to certificates: lockstep nodes update NODE --certificate.`,
    { data: { nodes: names } },
  )
}
