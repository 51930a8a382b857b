import { selects } from '../../core/fleet/assignment.ts'
import type { Agent, GatewayStatus } from '../../shared/model/agent.ts'
import type { Authority, AuthorityKind, IssuedCertificate, Rotation } from '../../shared/model/certificate.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Plan } from '../../shared/model/plan.ts'
import type { StoreReader } from '../ports.ts'

/** One that has to follow before the next phase may begin. */
export interface Follower {
  readonly name: string
  /** Why it has not; null when it has. */
  readonly why: string | null
}

export interface GateContext {
  readonly reader: Pick<StoreReader, 'listNodes' | 'listPlans' | 'listAgents' | 'listCertificates'>
  readonly nowMs: number
  /** Null: no gateway, or switched off. */
  readonly gateway: Pick<GatewayStatus, 'listening' | 'rootFingerprint'> | null
  /** Another issuer signs the logins of nodes. */
  readonly otherIssuerActive: boolean
}

type Rotating = Authority & { readonly rotation: Rotation }

/** Who has to follow in this phase, each with what is still missing. */
export function followersOf(authority: Rotating, context: GateContext): Promise<Follower[]> {
  return gates[authority.kind](authority.rotation, context)
}

const gates: Readonly<Record<AuthorityKind, (rotation: Rotation, context: GateContext) => Promise<Follower[]>>> = {
  'ssh-user': userGate,
  'ssh-host': hostGate,
  x509: x509Gate,
}

const iso = (timeMs: number): string => new Date(timeMs).toISOString()

async function userGate(rotation: Rotation, context: GateContext): Promise<Follower[]> {
  const { reader } = context
  const nodes = (await reader.listNodes()).filter(
    (node) => node.transport === 'push' && node.login.kind === 'certificate',
  )
  if (rotation.phase === 'sign')
    return [...nodes.map((node) => signedByNew(node, rotation, context)), ...(await stillOnOld(rotation, context))]
  const plans = (await reader.listPlans()).filter(({ kind }) => kind === 'trust')
  return nodes.map((node) => ({ name: node.name, why: untrusting(node, plans) }))
}

/** Nodes that a rotation of the user authority does not reach: static keys know no authority (D9). */
export async function outsideOf(kind: AuthorityKind, reader: Pick<StoreReader, 'listNodes'>): Promise<string[]> {
  if (kind !== 'ssh-user') return []
  return (await reader.listNodes()).filter(({ login }) => login.kind === 'static-key').map(({ name }) => name)
}

/** What was read back from the node is what it should trust now. */
function untrusting(node: FleetNode, plans: readonly Plan[]): string | null {
  const selecting = plans.filter((plan) => selects(plan, node))
  if (selecting.length === 0) return 'no plan of kind trust selects it'
  const states = selecting.map((plan) => node.plans.find(({ planId }) => planId === plan.id))
  const inStep = states.every(
    (state, index) =>
      state !== undefined && state.driftSince === null && state.observed?.revision === selecting[index]?.revision,
  )
  return inStep ? null : (obstacle(node) ?? 'the keys it should trust were not read back from it yet')
}

function signedByNew(node: FleetNode, { oldFingerprint, newFingerprint }: Rotation, context: GateContext): Follower {
  const { name, certificate } = node
  const isOurs = context.otherIssuerActive
    ? certificate !== null && certificate.authorityFingerprint !== oldFingerprint
    : certificate?.authorityFingerprint === newFingerprint
  if (isOurs && certificate?.acceptedAt != null) return { name, why: null }
  return { name, why: obstacle(node) ?? 'it has not accepted a certificate of the new authority yet' }
}

/** Certificates of the old authority in the hands of others, who would be locked out. */
async function stillOnOld({ oldFingerprint }: Rotation, { reader, nowMs }: GateContext): Promise<Follower[]> {
  const live = await reader.listCertificates({
    authorityFingerprint: oldFingerprint,
    purposes: ['agent', 'external'],
    standing: 'live',
    nowMs,
    limit: 10_000,
  })
  const agents = (await reader.listAgents()).filter(({ status }) => status === 'active')
  const inUse = live.filter((certificate) => certificate.purpose === 'external' || usedBy(certificate, agents))
  return inUse.map((certificate) => ({
    name: certificate.nodeName ?? certificate.keyId,
    why: `certificate ${certificate.serial} of the old authority is in use until ${iso(certificate.validBefore)}`,
  }))
}

function usedBy({ serial, nodeId }: IssuedCertificate, agents: readonly Agent[]): boolean {
  return agents.some((agent) => agent.sshCertificate?.serial === serial && agent.nodeId === nodeId)
}

/** Our own clients trust what should be trusted from the moment it is recorded; what counts is what nodes offer. */
async function hostGate(rotation: Rotation, { reader }: GateContext): Promise<Follower[]> {
  if (rotation.phase === 'trust' || rotation.phase === 'retire') return []
  const wanted = rotation.phase === 'sign' ? rotation.newFingerprint : rotation.oldFingerprint
  const plans = (await reader.listPlans()).filter(({ kind }) => kind === 'host-certificate')
  const nodes = (await reader.listNodes()).filter(
    (node) => node.hostCertificate !== null || plans.some((plan) => selects(plan, node)),
  )
  return nodes.map((node) => ({
    name: node.name,
    why:
      node.hostCertificate?.authorityFingerprint === wanted
        ? null
        : (obstacle(node) ?? `it was not seen to offer a host certificate of the ${sideName(rotation)} authority yet`),
  }))
}

const sideName = ({ phase }: Rotation): string => (phase === 'rollback' ? 'old' : 'new')

async function x509Gate(rotation: Rotation, { reader, gateway }: GateContext): Promise<Follower[]> {
  const { phase, oldFingerprint, newFingerprint } = rotation
  const agents = (await reader.listAgents()).filter(({ status }) => status === 'active')
  if (phase === 'trust')
    return agents.map(({ name, trustedRoots }) => ({
      name,
      why: trustedRoots.includes(newFingerprint) ? null : 'it has not said that it trusts the new root',
    }))
  if (phase === 'retire')
    return agents.map(({ name, trustedRoots }) => ({
      name,
      why: trustedRoots.includes(oldFingerprint) ? 'it still trusts the old root' : null,
    }))
  const wanted = phase === 'sign' ? newFingerprint : oldFingerprint
  const side = sideName(rotation)
  const ownServer: Follower[] =
    gateway?.listening === true
      ? [
          {
            name: 'gateway',
            why: gateway.rootFingerprint === wanted ? null : `its certificate is not of the ${side} root yet`,
          },
        ]
      : []
  return [
    ...ownServer,
    ...agents.map(({ name, certificate }) => ({
      name,
      why: certificate.authorityFingerprint === wanted ? null : `it has no certificate of the ${side} root yet`,
    })),
  ]
}

/** Why nothing can happen on this node now, whatever it is about. */
function obstacle(node: FleetNode): string | null {
  if (node.maintenance) return 'it is in maintenance'
  if (node.reachability.status === 'unreachable') return `it cannot be reached (${node.reachability.diagnosis.short})`
  if (node.haltedRunId !== null) return 'a run on it waits for a person'
  return null
}
