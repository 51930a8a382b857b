import { type Bucket, takeFromBucket, waitForBucket } from '../../core/fleet/bucket.ts'
import {
  type Attempts,
  isForgettable,
  noAttempts,
  waitBeforeAttempt,
  withAttempt,
  withFailure,
} from '../../core/fleet/enrollmentGuard.ts'
import type { Clock } from '../../platform/clock.ts'
import type { IdSource } from '../../platform/ids.ts'
import type { Logger } from '../../platform/logger.ts'
import { ed25519RawOfBlob, fingerprintOf, parsePublicKeyLine } from '../../platform/openssh/publicKey.ts'
import type { EnrollRequest, EnrollResponse } from '../../shared/agentApi/index.ts'
import { AppError } from '../../shared/errors.ts'
import type { Agent } from '../../shared/model/agent.ts'
import { AgentId, NodeId } from '../../shared/model/ids.ts'
import { type FleetNode, NodeInput } from '../../shared/model/node.ts'
import type { Plan } from '../../shared/model/plan.ts'
import { Address, DisplayName } from '../../shared/model/text.ts'
import type { Store, StoredJoinToken, StoreTransaction, X509Authority } from '../ports.ts'
import { saveCredentials, serialOf } from './agentCredentials.ts'
import { findToken, tokenFlaw } from './joinTokens.ts'
import { blankNode } from './nodeService.ts'

export interface AgentEnrollmentDependencies {
  readonly store: Store
  readonly clock: Clock
  readonly ids: IdSource
  readonly x509: Pick<X509Authority, 'roots' | 'issueClient'>
  readonly logger: Logger
  /** Ends what an agent has open that makes room for another, in the transaction of the enrolment. */
  readonly abandonRuns: (transaction: StoreTransaction, agent: Agent, by: string) => Promise<void>
}

/** Makes a host that shows a join token an agent. */
export interface AgentEnrollment {
  /** @throws JOIN_TOKEN_REFUSED, RATE_LIMITED, CONFLICT, INVALID_INPUT, CERTIFICATE_INVALID; the token then still counts */
  enroll(request: EnrollRequest, address: string): Promise<EnrollResponse>
}

const mostAddresses = 10_000
/** Rows about secrets that nobody knows, from all addresses together: whoever has many of them fills no disk with rows. */
const unknownRows = { most: 1_000, perSecond: 1 / 60 }

/** Who tries to guess waits, by address; IPv6 networks of 64 bits count as one. */
class EnrollmentGuard {
  readonly #clock: Pick<Clock, 'nowMs' | 'monotonicMs'>
  readonly #attempts = new Map<string, Attempts>()
  #rows: Bucket | null = null

  constructor(clock: Pick<Clock, 'nowMs' | 'monotonicMs'>) {
    this.#clock = clock
  }

  /** @throws RATE_LIMITED */
  begin(address: string): void {
    const nowMs = this.#clock.nowMs()
    const key = networkOf(address)
    const attempts = this.#attempts.get(key) ?? noAttempts
    const delayMs = waitBeforeAttempt(attempts, nowMs)
    if (delayMs > 0) {
      const seconds = Math.ceil(delayMs / 1000)
      throw new AppError('RATE_LIMITED', `Too many tries from this address. Wait ${seconds} s, then try again.`, {
        retry: { kind: 'after', delayMs },
      })
    }
    this.#makeRoom(nowMs)
    this.#attempts.set(key, withAttempt(attempts, nowMs))
  }

  /** @returns true when this failure locks the address out */
  failed(address: string): boolean {
    const key = networkOf(address)
    const { attempts, locksOut } = withFailure(this.#attempts.get(key) ?? noAttempts, this.#clock.nowMs())
    this.#attempts.set(key, attempts)
    return locksOut
  }

  isWorthARow(): boolean {
    const nowMs = this.#clock.monotonicMs()
    if (waitForBucket(this.#rows, unknownRows, nowMs) > 0) return false
    this.#rows = takeFromBucket(this.#rows, unknownRows, { amount: 1, nowMs })
    return true
  }

  #makeRoom(nowMs: number): void {
    if (this.#attempts.size < mostAddresses) return
    for (const [key, attempts] of this.#attempts) if (isForgettable(attempts, nowMs)) this.#attempts.delete(key)
    const [oldest] = this.#attempts.keys()
    if (oldest !== undefined && this.#attempts.size >= mostAddresses) this.#attempts.delete(oldest)
  }
}

function networkOf(address: string): string {
  if (!address.includes(':')) return address
  const [head = '', tail] = address.split('::')
  const groups = head.split(':').filter((group) => group !== '')
  const missing = tail === undefined ? 0 : 8 - groups.length - tail.split(':').filter((group) => group !== '').length
  return [...groups, ...Array.from({ length: Math.max(0, missing) }, () => '0')].slice(0, 4).join(':')
}

interface Refusal {
  readonly why: string
  readonly tokenId: string | null
  readonly locksOut: boolean
}

export function createAgentEnrollment(dependencies: AgentEnrollmentDependencies): AgentEnrollment {
  const { store, clock, ids, x509, logger, abandonRuns } = dependencies
  const guard = new EnrollmentGuard(clock)

  async function refuse(address: string, why: string, tokenId: string | null): Promise<never> {
    const locksOut = guard.failed(address)
    logger.warn({ address, why, tokenId, locksOut }, 'an enrolment was refused')
    if (tokenId !== null || guard.isWorthARow()) await recordRefusal(address, { why, tokenId, locksOut })
    throw new AppError(
      'JOIN_TOKEN_REFUSED',
      'This join token does not count: it is unknown, was used, was revoked or has expired. Make a new one in the console.',
    )
  }

  async function recordRefusal(address: string, refusal: Refusal): Promise<void> {
    const { why, tokenId, locksOut } = refusal
    const detail = { address, why, token: tokenId, lockedOut: locksOut }
    await store.transact((transaction) =>
      transaction.appendAudit([
        { at: clock.nowMs(), actor: address, action: 'agent.enroll-refused', subject: tokenId ?? 'unknown', detail },
      ]),
    )
  }

  /** Looks before a certificate is made, so that nobody without a token makes us sign. */
  async function usableToken(request: EnrollRequest, address: string): Promise<StoredJoinToken> {
    const stored = await findToken(store, request.token)
    if (stored === null) return refuse(address, 'unknown', null)
    const flaw = tokenFlaw(stored.token, clock.nowMs())
    return flaw === null ? stored : refuse(address, flaw, stored.token.id)
  }

  async function enroll(request: EnrollRequest, address: string): Promise<EnrollResponse> {
    guard.begin(address)
    const { token } = await usableToken(request, address)
    const sshKeyFingerprint = sshKeyOf(request.sshPublicKey)
    const agentId = AgentId.parse(ids())
    const issued = await x509.issueClient({
      certificateRequestPem: request.certificateRequest,
      agentId,
      requestedBy: `join token of ${token.createdBy}`,
      reason: `enrolment of ${request.hostname}`,
    })
    const enrolled = await store.transact(async (transaction) => {
      // Another agent may have used it since we looked: only one of them wins.
      const current = await transaction.getJoinToken(token.id)
      if (current === null || tokenFlaw(current.token, clock.nowMs()) !== null) return null
      const nowMs = clock.nowMs()
      const node = await nodeFor(transaction, {
        request,
        address,
        nodeName: current.token.nodeName,
        nowMs,
        ids,
        abandonRuns: (agent) => abandonRuns(transaction, agent, token.createdBy),
      })
      const agent = newAgent({ request, node, nowMs, agentId, enrolledBy: token.createdBy })
      const { serial: _, certificatePem, ...certificate } = issued
      await transaction.saveAgent({ ...agent, certificate: { serial: serialOf(certificatePem), ...certificate } })
      await saveCredentials(transaction, agentId, { sshKeyFingerprint, replacedSerial: null })
      await transaction.saveJoinToken({ ...current, token: { ...current.token, usedAt: nowMs, usedBy: agentId } })
      const detail = { node: node.name, hostname: request.hostname, address, token: token.id, sshKeyFingerprint }
      await transaction.appendAudit([
        { at: nowMs, actor: token.createdBy, action: 'agent.enroll', subject: agentId, detail },
      ])
      return { agent, node }
    })
    if (enrolled === null) return refuse(address, 'used at the same time', token.id)
    logger.info({ agentId, node: enrolled.node.name, address }, 'an agent enrolled')
    return {
      agentId,
      nodeId: enrolled.node.id,
      nodeName: enrolled.node.name,
      clientCertificate: issued.certificatePem,
      roots: (await x509.roots()).map((root) => root.pem),
    }
  }

  return { enroll }
}

/** @throws INVALID_INPUT unless it is an Ed25519 key */
export function sshKeyOf(line: string): string {
  try {
    const { blob } = parsePublicKeyLine(line)
    ed25519RawOfBlob(blob)
    return fingerprintOf(blob)
  } catch (cause) {
    throw new AppError(
      'INVALID_INPUT',
      'sshPublicKey: this is not an Ed25519 public key line (ssh-keygen -t ed25519).',
      {
        data: { field: 'sshPublicKey' },
        cause,
      },
    )
  }
}

interface NewNode {
  readonly request: EnrollRequest
  readonly address: string
  readonly nodeName: string | null
  readonly nowMs: number
  readonly ids: IdSource
  readonly abandonRuns: (agent: Agent) => Promise<void>
}

/**
 * The node the agent stands for: a new one, or one that waits for an agent. Only a person who made the token for it puts
 * a host into the place of another: a host says of itself what it likes, and would get principals and plans of that node.
 */
async function nodeFor(transaction: StoreTransaction, wanted: NewNode): Promise<FleetNode> {
  const name = nameOf(wanted)
  const known = await transaction.findNodeByName(name)
  if (known === null) {
    const node = newNode(name, await transaction.listPlans(), wanted)
    await transaction.saveNode(node)
    return node
  }
  if (known.transport === 'push') {
    throw new AppError(
      'CONFLICT',
      `There is a node "${name}" that the console pushes to. Make a join token for another name, or remove that node.`,
      { data: { node: name } },
    )
  }
  if (wanted.nodeName === null) {
    throw new AppError(
      'CONFLICT',
      `There is a node "${name}" already. To put this host into its place, make a join token that says this name.`,
      { data: { node: name } },
    )
  }
  await takeOver(transaction, known, wanted)
  // Ending its runs has told the node.
  return (await transaction.getNode(known.id)) ?? known
}

/**
 * One that never spoke is the rest of an enrolment that broke off, and one whose certificate has ended cannot speak any
 * more: both make room.
 */
async function takeOver(
  transaction: StoreTransaction,
  node: FleetNode,
  { nowMs, abandonRuns }: NewNode,
): Promise<void> {
  const agents = await transaction.listAgents()
  const active = agents.filter((agent) => agent.nodeId === node.id && agent.status === 'active')
  for (const agent of active) {
    const spoke = agent.lastSeenAt !== null || agent.sshCertificate !== null
    if (spoke && agent.certificate.validBefore > nowMs) {
      throw new AppError(
        'CONFLICT',
        `Node "${node.name}" has an agent already (on ${agent.hostname}). Revoke it first, then enroll again.`,
        { data: { node: node.name, agent: agent.id } },
      )
    }
    await abandonRuns(agent)
    await transaction.saveAgent({ ...agent, status: 'revoked' })
  }
}

/** What hosts are called in practice: nothing that means something in a filter, a shell or a terminal. */
const plainHostName = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/

function nameOf({ request, nodeName }: NewNode): string {
  const name = DisplayName.safeParse(nodeName ?? request.hostname)
  if (name.success && (nodeName !== null || plainHostName.test(name.data))) return name.data
  throw new AppError(
    'INVALID_INPUT',
    `hostname: ${JSON.stringify(request.hostname)} cannot name a node. Make a join token that says the name.`,
    { data: { field: 'hostname' } },
  )
}

function newNode(name: string, plans: readonly Plan[], { request, address, nowMs, ids }: NewNode): FleetNode {
  const hostname = Address.safeParse(request.hostname)
  const input = NodeInput.parse({
    name,
    kind: 'vm',
    address: hostname.success ? hostname.data : address,
    user: 'sync-agent',
    transport: 'poll',
  })
  return blankNode({ node: input, hostKeys: [] }, NodeId.parse(ids()), plans, { operator: 'engine', nowMs })
}

interface NewAgent {
  readonly request: EnrollRequest
  readonly node: FleetNode
  readonly nowMs: number
  readonly agentId: AgentId
  readonly enrolledBy: string
}

function newAgent({ request, node, nowMs, agentId, enrolledBy }: NewAgent): Omit<Agent, 'certificate'> {
  return {
    id: agentId,
    nodeId: node.id,
    name: node.name,
    status: 'active',
    hostname: request.hostname,
    platform: request.platform,
    version: request.version,
    enrolledAt: nowMs,
    enrolledBy,
    lastSeenAt: null,
    lastSeenFrom: null,
    clockSkewMs: null,
    trustedRoots: [],
    sshCertificate: null,
    activity: { status: 'idle', nextRunAt: null },
    lock: null,
    spooledReports: 0,
    lastRun: null,
  }
}
