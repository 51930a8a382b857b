import { sameSpec } from '../../core/fleet/agentPlan.ts'
import { isWorthSaving, withContact, withHeartbeat } from '../../core/fleet/agentPresence.ts'
import { assignPlans } from '../../core/fleet/assignment.ts'
import type { Clock } from '../../platform/clock.ts'
import { parsePublicKeyLine } from '../../platform/openssh/publicKey.ts'
import type {
  ClientCertificateResponse,
  HeartbeatRequest,
  HeartbeatResponse,
  SshCertificateResponse,
} from '../../shared/agentApi/index.ts'
import { AppError } from '../../shared/errors.ts'
import type { Agent } from '../../shared/model/agent.ts'
import type { AgentId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { CertificateAuthority, Store, StoreTransaction, X509Authority } from '../ports.ts'
import type { AgentContacts } from './agentContacts.ts'
import { readCredentials, saveCredentials, serialOf } from './agentCredentials.ts'
import { sshKeyOf } from './agentEnrollment.ts'
import { ensureAgentPlan, findAgentPlan } from './agentPlans.ts'

export interface AgentAccessDependencies {
  readonly store: Store
  readonly clock: Clock
  readonly x509: Pick<X509Authority, 'roots' | 'issueClient'>
  readonly authority: Pick<CertificateAuthority, 'sign'>
  readonly contacts: AgentContacts
  readonly config: { readonly certificate: { readonly lifetimeSeconds: number } }
}

/** Who a verified client certificate says is there. */
export interface PresentedIdentity {
  readonly agentId: AgentId
  /** Lower-case hexadecimal without leading zeros. */
  readonly serial: string
  /** End of the certificate, epoch ms: TLS has looked at it when the connection was made, which may be long ago. */
  readonly validBefore: number
  /** Remote address of the connection. */
  readonly from: string
}

/** What an enrolled agent may ask for itself; its runs are `runs/agentRuns.ts`. */
export interface AgentAccess {
  /** @throws UNAUTHORIZED for an agent that is revoked or unknown, and for a certificate that was replaced */
  authenticate(identity: PresentedIdentity): Promise<Agent>
  heartbeat(agent: Agent, request: HeartbeatRequest, from: string): Promise<HeartbeatResponse>
  renewClientCertificate(
    agent: Agent,
    certificateRequest: string,
    presentedSerial: string,
  ): Promise<ClientCertificateResponse>
  /** @throws FORBIDDEN for another key than the one it enrolled with */
  certifySshKey(
    agent: Agent,
    request: { readonly publicKey: string; readonly minValidSeconds: number },
  ): Promise<SshCertificateResponse>
}

/** Longest life of a certificate for agents (D3). */
const longestSshLifetimeSeconds = 57_600
/** On top of the time a run is expected to take. */
const sshMarginSeconds = 1_800

function refused(): AppError {
  return new AppError(
    'UNAUTHORIZED',
    'This certificate does not count here: it has ended, the agent was revoked or removed, or it has a newer certificate. Enroll again with a new join token.',
  )
}

export function createAgentAccess(dependencies: AgentAccessDependencies): AgentAccess {
  const { store, clock, x509, authority, contacts, config } = dependencies

  async function authenticate({ agentId, serial, validBefore }: PresentedIdentity): Promise<Agent> {
    if (clock.nowMs() >= validBefore) throw refused()
    const agent = await store.getAgent(agentId)
    if (agent?.status !== 'active') throw refused()
    const credentials = await readCredentials(store, agentId)
    if (serial === agent.certificate.serial) {
      // The new one arrived and works: from now on it is the only one.
      if (credentials !== null && credentials.replacedSerial !== null)
        await store.transact((transaction) =>
          saveCredentials(transaction, agentId, { ...credentials, replacedSerial: null }),
        )
    } else if (serial !== credentials?.replacedSerial) throw refused()
    contacts.heard(agentId, clock.nowMs())
    return agent
  }

  async function heartbeat(known: Agent, request: HeartbeatRequest, from: string): Promise<HeartbeatResponse> {
    const nowMs = clock.nowMs()
    if (await isNews(known, request, from)) {
      await store.transact(async (transaction) => {
        // Read again: revoked meanwhile stays revoked.
        const agent = await transaction.getAgent(known.id)
        if (agent?.status === 'active') await saveHeartbeat(transaction, agent, { request, from, nowMs })
      })
    }
    const roots = await x509.roots()
    return {
      now: nowMs,
      roots: roots.map((root) => root.pem),
      renewClientCertificate: shouldRenew(known, roots[0]?.fingerprint ?? null, nowMs),
    }
  }

  /** Looks without writing: most heartbeats say what is known. */
  async function isNews(agent: Agent, request: HeartbeatRequest, from: string): Promise<boolean> {
    const nowMs = clock.nowMs()
    const next = withHeartbeat(agent, request, { nowMs, from })
    if (isWorthSaving(agent, next, contacts.count)) return true
    const node = await store.getNode(agent.nodeId)
    if (node === null) return false
    if (node.name !== agent.name || withContact(node, next, nowMs) !== node) return true
    if (!samePulls(node, request)) return true
    const plan = await findAgentPlan(store, node.id)
    return plan === null || !sameSpec(plan.spec, request.spec)
  }

  async function saveHeartbeat(
    transaction: StoreTransaction,
    agent: Agent,
    { request, from, nowMs }: { readonly request: HeartbeatRequest; readonly from: string; readonly nowMs: number },
  ): Promise<void> {
    const before = await transaction.getNode(agent.nodeId)
    const next = withHeartbeat(agent, request, { nowMs, from })
    await transaction.saveAgent(before === null ? next : { ...next, name: before.name })
    if (before === null) return
    const planned = await ensureAgentPlan(transaction, before, { spec: request.spec, nowMs })
    const pulling = samePulls(before, request)
      ? planned.node
      : assignPlans({ ...planned.node, pulls: [...(request.pulls ?? [])] }, await transaction.listPlans())
    const node = withContact(pulling, next, nowMs)
    if (node !== before) await transaction.saveNode(node)
  }

  async function renewClientCertificate(
    known: Agent,
    certificateRequest: string,
    presentedSerial: string,
  ): Promise<ClientCertificateResponse> {
    const issued = await x509.issueClient({
      certificateRequestPem: certificateRequest,
      agentId: known.id,
      requestedBy: `agent ${known.name}`,
      reason: 'renewal of its client certificate',
    })
    await store.transact(async (transaction) => {
      const agent = await transaction.getAgent(known.id)
      const credentials = await readCredentials(transaction, known.id)
      if (agent?.status !== 'active' || credentials === null) throw refused()
      const { serial: _, certificatePem, ...certificate } = issued
      await transaction.saveAgent({ ...agent, certificate: { serial: serialOf(certificatePem), ...certificate } })
      // What it came with counts until the new one was used: the answer may get lost.
      await saveCredentials(transaction, known.id, { ...credentials, replacedSerial: presentedSerial })
    })
    return { clientCertificate: issued.certificatePem, roots: (await x509.roots()).map((root) => root.pem) }
  }

  async function certifySshKey(
    known: Agent,
    { publicKey, minValidSeconds }: { readonly publicKey: string; readonly minValidSeconds: number },
  ): Promise<SshCertificateResponse> {
    const credentials = await readCredentials(store, known.id)
    if (credentials === null) throw refused()
    if (sshKeyOf(publicKey) !== credentials.sshKeyFingerprint) {
      throw new AppError(
        'FORBIDDEN',
        'publicKey: this is not the key the agent enrolled with. Enroll again to change it.',
        {
          data: { field: 'publicKey' },
        },
      )
    }
    const wanted = Math.max(minValidSeconds + sshMarginSeconds, config.certificate.lifetimeSeconds)
    const [certificate] = await authority.sign([
      {
        subjectPublicKey: parsePublicKeyLine(publicKey).blob,
        keyId: `agent:${known.name}`,
        principals: [(await store.getNode(known.nodeId))?.principal ?? 'sync-agent'],
        purpose: 'agent',
        lifetimeSeconds: Math.min(longestSshLifetimeSeconds, wanted),
        nodeId: known.nodeId,
        nodeName: known.name,
        requestedBy: `agent ${known.name}`,
        reason: 'login to its storage',
      },
    ])
    if (certificate === undefined) throw new AppError('INTERNAL', 'No certificate was made.')
    await store.transact(async (transaction) => {
      const agent = await transaction.getAgent(known.id)
      // Revoked while we signed: the certificate must not leave.
      if (agent?.status !== 'active') throw refused()
      const { serial, authorityFingerprint, validAfter, validBefore } = certificate
      await transaction.saveAgent({ ...agent, sshCertificate: { serial, validBefore } })
      const node = await transaction.getNode(agent.nodeId)
      const seen = { serial, authorityFingerprint, validAfter, validBefore, acceptedAt: null }
      if (node !== null) await transaction.saveNode({ ...node, certificate: seen })
    })
    const { serial, validBefore } = certificate
    return { certificate: certificate.certificate, serial, validBefore }
  }

  return { authenticate, heartbeat, renewClientCertificate, certifySshKey }
}

/** What it fetches by itself is as the node says. */
const samePulls = ({ pulls = [] }: FleetNode, { pulls: told = [] }: HeartbeatRequest): boolean =>
  [...pulls].sort().join() === [...told].sort().join()

/** At two thirds of its life, or when another root signs now. */
function shouldRenew({ certificate }: Agent, signingRoot: string | null, nowMs: number): boolean {
  const { validAfter, validBefore, authorityFingerprint } = certificate
  const dueMs = validAfter + ((validBefore - validAfter) * 2) / 3
  return nowMs >= dueMs || (signingRoot !== null && authorityFingerprint !== signingRoot)
}
