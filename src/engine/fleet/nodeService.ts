import { diagnoseConnection } from '../../core/diagnose/connection.ts'
import { assignPlans } from '../../core/fleet/assignment.ts'
import { nothingKnown } from '../../core/fleet/newNode.ts'
import { type LoginCertificate, withLogin, withoutLogin } from '../../core/fleet/observe.ts'
import { plansMovedByName, withoutProofsOf } from '../../core/repository/renamed.ts'
import type { Clock } from '../../platform/clock.ts'
import type { IdSource } from '../../platform/ids.ts'
import { AppError, toAppError } from '../../shared/errors.ts'
import { Diagnosis, type DoctorReport } from '../../shared/model/diagnosis.ts'
import { NodeId } from '../../shared/model/ids.ts'
import type { FleetNode, NodeInput, NodePatch, OfferedHostKey, PinnedHostKey } from '../../shared/model/node.ts'
import type { Plan } from '../../shared/model/plan.ts'
import {
  type Doctor,
  type HostKeyProbe,
  type Identities,
  type SshPool,
  type Store,
  type StoreReader,
  type StoreTransaction,
  toPinnedHostKey,
} from '../ports.ts'
import { applyFilter, resolveNode } from './resolve.ts'

export interface NodeServiceDependencies {
  readonly store: Store
  readonly clock: Clock
  readonly ids: IdSource
  readonly sshPool: SshPool
  readonly identities: Identities
  readonly hostKeyProbe: HostKeyProbe
  readonly doctor: Doctor
  /** Removes the generated client files of a node that is gone. */
  readonly forgetAccess: (nodeId: NodeId) => Promise<void>
}

export interface NewNode {
  readonly node: NodeInput
  readonly hostKeys: readonly OfferedHostKey[]
}

export interface NodeService {
  list(filter: string): Promise<FleetNode[]>
  get(reference: string): Promise<FleetNode>
  /** All or none. @throws CONFLICT when a name is taken, here or twice in the list. */
  add(nodes: readonly NewNode[], operator: string): Promise<FleetNode[]>
  update(reference: string, patch: NodePatch, operator: string): Promise<FleetNode>
  /** @throws PRECONDITION_FAILED while a run works on the node or waits on it. */
  remove(reference: string, operator: string): Promise<NodeId>
  probeHostKey(target: { readonly address: string; readonly port: number }): Promise<OfferedHostKey[]>
  /** Trusts the key with this fingerprint, if the node offers it now. @throws CONFLICT when it offers another. */
  acceptHostKey(reference: string, fingerprint: string, operator: string): Promise<FleetNode>
  doctor(reference: string, operator: string): Promise<DoctorReport>
  /** Logs in and looks; the answer is in the node's reachability, never an exception for what the node did. */
  check(reference: string, options?: { readonly timeoutMs?: number }): Promise<FleetNode>
  /** Its open connection fell silent: it is unreachable until a look finds it again. Null: there is no such node. */
  fellSilent(nodeId: NodeId): Promise<FleetNode | null>
}

const probeTimeoutMs = 10_000

/** A node as it is registered, before anything is known about it. */
export function blankNode(
  input: NewNode,
  id: NodeId,
  plans: readonly Plan[],
  context: { readonly operator: string; readonly nowMs: number },
): FleetNode {
  const hostKeys = input.hostKeys.map((key) => toPinnedHostKey(key, context.operator, context.nowMs))
  const node: FleetNode = { ...input.node, id, hostKeys, ...nothingKnown(context.nowMs) }
  return assignPlans(node, plans)
}

async function refuseTakenName(transaction: StoreTransaction, name: string, except: NodeId | null): Promise<void> {
  const other = await transaction.findNodeByName(name)
  if (other === null || other.id === except) return
  throw new AppError('CONFLICT', `There is a node "${name}" already. Choose another name, or change that node.`, {
    data: { field: 'name', name },
  })
}

/** What makes an open connection, or a certificate, speak for another node than the one registered. */
function changesTheWayThere(before: FleetNode, after: FleetNode): boolean {
  return (
    before.address !== after.address ||
    before.port !== after.port ||
    before.user !== after.user ||
    before.principal !== after.principal ||
    changesTheLogin(before, after)
  )
}

const keyFileOf = ({ login }: Pick<FleetNode, 'login'>): string | null =>
  login.kind === 'static-key' ? login.keyFile : null

const changesTheLogin = (before: FleetNode, after: FleetNode): boolean => keyFileOf(before) !== keyFileOf(after)

/** Agents prove themselves with certificates; nobody logs in to their hosts. */
function refuseStaticKeyOfAgent(node: Pick<FleetNode, 'name' | 'transport' | 'login'>): void {
  if (node.transport !== 'poll' || node.login.kind === 'certificate') return
  throw new AppError(
    'INVALID_INPUT',
    `${node.name} has an agent, which logs in with certificates. A static key is for nodes that we log in to.`,
    { data: { field: 'login' } },
  )
}

/** A run proves with what it logged in: it begins and ends with the same. A halted one goes on later. */
async function refuseWhileOpen(transaction: StoreTransaction, node: FleetNode): Promise<void> {
  const open = (await transaction.listOpenRuns()).filter((run) => run.nodeId === node.id)
  if (open.length === 0) return
  throw new AppError(
    'PRECONDITION_FAILED',
    `${node.name} has ${open.length} open run(s). Cancel them first, or wait, then change what it is logged in to with.`,
    { data: { runs: open.map((run) => run.id) } },
  )
}

/** Another machine, or another home on it: nothing that was read back speaks for it. */
export function meansAnotherPlace(before: FleetNode, after: FleetNode): boolean {
  return before.address !== after.address || before.port !== after.port || before.user !== after.user
}

/** What a node accepted once says nothing while it is logged in to with a key. */
const withoutStaleCertificate = (node: FleetNode): FleetNode =>
  node.login.kind === 'static-key' ? { ...node, certificate: null } : node

export function withoutObservations(node: FleetNode): FleetNode {
  return {
    ...node,
    status: 'pending_sync',
    statusReason: null,
    consecutiveFailures: 0,
    lastSyncAt: null,
    reachability: { status: 'unknown' },
    certificate: null,
    hostCertificate: null,
    krl: null,
    plans: node.plans.map((plan) => ({ ...plan, observed: null, driftSince: null, driftReason: null })),
  }
}

/** A run that proved one machine must not make another one green. */
export async function refuseWhileWorking(transaction: StoreTransaction, node: FleetNode): Promise<void> {
  const working = (await transaction.listOpenRuns()).filter((run) => run.nodeId === node.id && run.status !== 'halted')
  if (working.length === 0) return
  throw new AppError(
    'PRECONDITION_FAILED',
    `${node.name} has ${working.length} run(s) at work. Cancel them first, or wait, then change where it is.`,
    { data: { runs: working.map((run) => run.id) } },
  )
}

/** Fields of a patch that were given; an absent field and `undefined` mean the same: keep. */
function definedFields(patch: NodePatch): Partial<NodeInput> {
  return Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined))
}

function withPin(node: FleetNode, pin: PinnedHostKey): FleetNode {
  const others = node.hostKeys.filter((key) => key.keyType !== pin.keyType)
  const wasAboutKeys = node.statusReason?.code === 'HOST_KEY_CHANGED' || node.statusReason?.code === 'HOST_KEY_UNKNOWN'
  return {
    ...node,
    hostKeys: [...others, pin],
    statusReason: wasAboutKeys ? null : node.statusReason,
    updatedAt: pin.pinnedAt,
  }
}

/** The diagnosis inside an error of the SSH layer; null for errors that say nothing about the node. */
export function diagnosisOf(thrown: unknown): Diagnosis | null {
  const parsed = Diagnosis.safeParse(toAppError(thrown).data?.diagnosis)
  return parsed.success ? parsed.data : null
}

async function refuseWithAgent(store: StoreReader, node: FleetNode): Promise<void> {
  if (node.transport !== 'poll') return
  const agent = (await store.listAgents()).find(({ nodeId, status }) => nodeId === node.id && status === 'active')
  if (agent === undefined) return
  throw new AppError(
    'PRECONDITION_FAILED',
    `${node.name} has an agent. Revoke it and remove it; its node goes with it.`,
    {
      data: { agent: agent.id },
    },
  )
}

export function createNodeService(dependencies: NodeServiceDependencies): NodeService {
  const { store, clock, ids, sshPool, identities, hostKeyProbe, doctor } = dependencies

  async function add(nodes: readonly NewNode[], operator: string): Promise<FleetNode[]> {
    const nowMs = clock.nowMs()
    return store.transact(async (transaction) => {
      const plans = await transaction.listPlans()
      const added: FleetNode[] = []
      for (const input of nodes) {
        await refuseTakenName(transaction, input.node.name, null)
        const node = blankNode(input, NodeId.parse(ids()), plans, { operator, nowMs })
        refuseStaticKeyOfAgent(node)
        await transaction.saveNode(node)
        await transaction.appendAudit([
          {
            at: nowMs,
            actor: operator,
            action: 'node.add',
            subject: node.name,
            detail: {
              id: node.id,
              address: node.address,
              port: node.port,
              hostKeys: node.hostKeys.map((key) => key.fingerprint),
              login: node.login,
            },
          },
        ])
        added.push(node)
      }
      return added
    })
  }

  async function update(reference: string, patch: NodePatch, operator: string): Promise<FleetNode> {
    const nowMs = clock.nowMs()
    const changed = await store.transact(async (transaction) => {
      const before = await resolveNode(transaction, reference)
      if (patch.name !== undefined) await refuseTakenName(transaction, patch.name, before.id)
      const plans = await transaction.listPlans()
      const patched = withoutStaleCertificate({ ...before, ...definedFields(patch), updatedAt: nowMs })
      refuseStaticKeyOfAgent(patched)
      if (changesTheLogin(before, patched)) await refuseWhileOpen(transaction, before)
      const elsewhere = meansAnotherPlace(before, patched)
      const moved = plansMovedByName(before, patched, plans)
      if (elsewhere || before.plans.some(({ planId }) => moved.has(planId)))
        await refuseWhileWorking(transaction, before)
      const proven = elsewhere ? withoutObservations(patched) : withoutProofsOf(patched, moved)
      const after = assignPlans(proven, plans)
      await transaction.saveNode(after)
      await transaction.appendAudit([
        {
          at: nowMs,
          actor: operator,
          action: 'node.update',
          subject: after.name,
          detail: { id: after.id, ...definedFields(patch) },
        },
      ])
      return { before, after }
    })
    if (changesTheWayThere(changed.before, changed.after)) {
      sshPool.drop(changed.after.id)
      identities.forget(changed.after.id)
    }
    return changed.after
  }

  async function remove(reference: string, operator: string): Promise<NodeId> {
    const id = await store.transact(async (transaction) => {
      const node = await resolveNode(transaction, reference)
      const open = (await transaction.listOpenRuns()).filter((run) => run.nodeId === node.id)
      if (open.length > 0) {
        throw new AppError(
          'PRECONDITION_FAILED',
          `${node.name} has ${open.length} open run(s). Cancel them first, then remove the node.`,
          {
            data: { runs: open.map((run) => run.id) },
          },
        )
      }
      await refuseWithAgent(transaction, node)
      await transaction.removeNode(node.id)
      await transaction.appendAudit([
        { at: clock.nowMs(), actor: operator, action: 'node.remove', subject: node.name, detail: { id: node.id } },
      ])
      return node.id
    })
    sshPool.drop(id)
    identities.forget(id)
    await dependencies.forgetAccess(id)
    return id
  }

  async function acceptHostKey(reference: string, fingerprint: string, operator: string): Promise<FleetNode> {
    const known = await resolveNode(store, reference)
    const offered = await hostKeyProbe.probe(known, { timeoutMs: probeTimeoutMs })
    const key = offered.find((candidate) => candidate.fingerprint === fingerprint)
    if (key === undefined) {
      throw new AppError(
        'CONFLICT',
        `${known.name} does not offer the key ${fingerprint} now. Compare again what it offers before you trust it.`,
        {
          data: { offered: offered.map((candidate) => candidate.fingerprint) },
        },
      )
    }
    const nowMs = clock.nowMs()
    const node = await store.transact(async (transaction) => {
      const current = await resolveNode(transaction, known.id)
      const replaced = current.hostKeys.find((pin) => pin.keyType === key.keyType)?.fingerprint ?? null
      const next = withPin(current, toPinnedHostKey(key, operator, nowMs))
      await transaction.saveNode(next)
      await transaction.appendAudit([
        {
          at: nowMs,
          actor: operator,
          action: 'node.accept-host-key',
          subject: next.name,
          detail: { fingerprint, replaced },
        },
      ])
      return next
    })
    sshPool.drop(node.id)
    return check(node.id)
  }

  function fellSilent(nodeId: NodeId): Promise<FleetNode | null> {
    return store.transact(async (transaction) => {
      const node = await transaction.getNode(nodeId)
      if (node === null || node.transport === 'poll') return node
      const nowMs = clock.nowMs()
      const message = 'the open connection stopped answering'
      const diagnosis = diagnoseConnection(node, { stage: 'connect', timedOut: true, message, nowMs })
      const lost = withoutLogin(node, diagnosis, nowMs)
      await transaction.saveNode(lost)
      return lost
    })
  }

  async function check(reference: string, { timeoutMs = probeTimeoutMs } = {}): Promise<FleetNode> {
    const node = await resolveNode(store, reference)
    // Its agent calls us; whether we could log in there says nothing about it.
    if (node.transport === 'poll') return node
    const observed = await sshPool.login(node, { timeoutMs, fresh: true }).then(
      (proof) => ({ proof }),
      (thrown: unknown) => {
        const diagnosis = diagnosisOf(thrown)
        if (diagnosis === null) throw thrown
        return { diagnosis }
      },
    )
    return store.transact(async (transaction) => {
      const current = await resolveNode(transaction, node.id)
      const next =
        'diagnosis' in observed
          ? withoutLogin(current, observed.diagnosis, clock.nowMs())
          : withLogin(current, {
              at: observed.proof.at,
              clockSkewMs: observed.proof.clockSkewMs,
              certificate: certificateUsed(observed.proof.certificateSerial, node.id),
            })
      await transaction.saveNode(next)
      return next
    })
  }

  function certificateUsed(serial: string | null, nodeId: NodeId): LoginCertificate | null {
    const held = identities.current(nodeId, 'automation')
    const issued = held?.kind === 'certificate' ? held.certificate : null
    if (issued === null || issued.serial !== serial) return null
    const { authorityFingerprint, validAfter, validBefore } = issued
    return { serial, authorityFingerprint, validAfter, validBefore }
  }

  return {
    list: async (filter) => applyFilter(await store.listNodes(), filter, clock.nowMs()),
    get: (reference) => resolveNode(store, reference),
    add,
    update,
    remove,
    probeHostKey: (target) => hostKeyProbe.probe(target, { timeoutMs: probeTimeoutMs }),
    acceptHostKey,
    doctor: async (reference, operator) =>
      doctor.examine(await resolveNode(store, reference), { requestedBy: operator }),
    check,
    fellSilent,
  }
}
