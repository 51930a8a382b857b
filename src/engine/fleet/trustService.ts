import type { Clock } from '../../platform/clock.ts'
import type { RevocationPreview, RevocationTargets } from '../../shared/contract/certificates.ts'
import { AppError } from '../../shared/errors.ts'
import type {
  Authority,
  AuthorityExport,
  AuthorityKind,
  IssuedCertificate,
  KrlStatus,
  Rotation,
  RotationProgress,
} from '../../shared/model/certificate.ts'
import type { NodeId, PlanId } from '../../shared/model/ids.ts'
import type { PlanKind } from '../../shared/model/plan.ts'
import type { Terminal } from '../../shared/model/terminal.ts'
import type { Authorities, Gateway, Identities, Revocations, SshPool, Store } from '../ports.ts'
import { type ChosenCertificates, chooseCertificates, describeBlastRadius } from './revocationTargets.ts'
import { type Follower, followersOf, outsideOf } from './rotationGates.ts'

/** Authorities, their rotation and what is revoked, with everything in the fleet that follows from it. */
export interface TrustService {
  authorities(): Promise<Authority[]>
  createAuthorities(kinds: readonly AuthorityKind[], operator: string): Promise<Authority[]>
  exportAuthority(kind: AuthorityKind): Promise<AuthorityExport[]>
  /** Null while no rotation of this kind is under way. */
  rotationProgress(kind: AuthorityKind): Promise<RotationProgress | null>
  startRotation(kind: AuthorityKind, operator: string): Promise<Authority>
  advanceRotation(kind: AuthorityKind, leaveBehind: readonly string[], operator: string): Promise<Authority>
  rollBackRotation(kind: AuthorityKind, operator: string): Promise<Authority>
  previewRevocation(targets: RevocationTargets): Promise<RevocationPreview>
  revoke(
    targets: RevocationTargets,
    options: { readonly reason: string; readonly operator: string },
  ): Promise<{ revoked: IssuedCertificate[]; krl: KrlStatus; runs: number }>
  /** The same for parts of the engine that know which, with what has to happen in the same transaction. */
  revokeCertificates: Revocations['revoke']
  krl(): Promise<KrlStatus>
  krlFile(): Promise<{ krl: KrlStatus; base64: string }>
}

export interface TrustServiceDependencies {
  readonly store: Store
  readonly clock: Pick<Clock, 'nowMs'>
  readonly authorities: Authorities
  readonly revocations: Revocations
  /** Another issuer signs user certificates. */
  readonly otherIssuerActive: () => Promise<boolean>
  readonly identities: Pick<Identities, 'all' | 'forget'>
  readonly sshPool: Pick<SshPool, 'drop'>
  /** Registers runs of these plans on all nodes they select, with a key of its own. @returns how many */
  readonly deliver: (plans: readonly PlanId[], operator: string) => Promise<number>
  readonly terminals: { list(): readonly Terminal[] }
  readonly gateway: Pick<Gateway, 'status' | 'reloadCertificates'>
  /** Certificates are due because another authority signs now. */
  readonly renewSoon: () => void
}

type Rotating = Authority & { readonly rotation: Rotation }

/** Shown in an error or a progress; the rest is a number. */
const mostNamed = 100

export function createTrustService(dependencies: TrustServiceDependencies): TrustService {
  const { store, clock, authorities, revocations, identities } = dependencies

  async function rotating(kind: AuthorityKind): Promise<Rotating | null> {
    const authority = (await authorities.list()).find((one) => one.kind === kind)
    return authority?.rotation == null ? null : { ...authority, rotation: authority.rotation }
  }

  async function followers(authority: Rotating): Promise<Follower[]> {
    return followersOf(authority, {
      reader: store,
      nowMs: clock.nowMs(),
      gateway: authority.kind === 'x509' ? await dependencies.gateway.status() : null,
      otherIssuerActive: await dependencies.otherIssuerActive(),
    })
  }

  async function rotationProgress(kind: AuthorityKind): Promise<RotationProgress | null> {
    const authority = await rotating(kind)
    if (authority === null) return null
    const all = await followers(authority)
    const waiting = all.flatMap(({ name, why }) => (why === null ? [] : [{ name, why }]))
    return {
      total: all.length,
      proven: all.length - waiting.length,
      waiting: waiting.slice(0, mostNamed),
      outside: await outsideOf(kind, store),
      ready: waiting.length === 0,
    }
  }

  async function startRotation(kind: AuthorityKind, operator: string): Promise<Authority> {
    return followUp(await authorities.startRotation(kind, { operator, from: null }), operator)
  }

  async function advanceRotation(
    kind: AuthorityKind,
    leaveBehind: readonly string[],
    operator: string,
  ): Promise<Authority> {
    const authority = await rotating(kind)
    if (authority === null) return followUp(await authorities.advanceRotation(kind, { operator }), operator)
    const waiting = (await followers(authority)).filter(({ why }) => why !== null)
    const blocking = waiting.filter(({ name }) => !leaveBehind.includes(name))
    if (blocking.length > 0) throw blocked(authority, blocking)
    const left = waiting.map(({ name, why }) => ({ name, why }))
    const { phase } = authority.rotation
    const advanced = await authorities.advanceRotation(kind, {
      operator,
      from: phase,
      alongside: async (transaction) => {
        if (left.length === 0) return
        const detail = { phase, left }
        await transaction.appendAudit([
          { at: clock.nowMs(), actor: operator, action: 'authority.leaveBehind', subject: kind, detail },
        ])
      },
    })
    return followUp(advanced, operator)
  }

  async function rollBackRotation(kind: AuthorityKind, operator: string): Promise<Authority> {
    const rolledBack = await authorities.rollBackRotation(kind, { operator })
    const gone = rolledBack.rotation?.newFingerprint
    // Nodes stop trusting what the new one signed: ask the old one for another certificate before the next login. What
    // is open stays open, and runs on it go on.
    if (kind === 'ssh-user') forgetWhere((certificate) => certificate.authorityFingerprint === gone)
    return followUp(rolledBack, operator)
  }

  /** What the fleet has to do about the phase that has begun. Should this be cut off, reconcile does it later. */
  async function followUp(authority: Authority, operator: string): Promise<Authority> {
    const phase = authority.rotation?.phase ?? null
    if (authority.kind === 'x509') await dependencies.gateway.reloadCertificates()
    if (authority.kind === 'ssh-host' && (phase === 'sign' || phase === 'rollback'))
      await deliver(['host-certificate'], operator)
    if (authority.kind === 'ssh-user') {
      if (phase !== 'sign') await deliver(['trust', 'krl'], operator)
      dependencies.renewSoon()
    }
    return authority
  }

  /** Runs of all plans of these kinds, on all nodes they select. @returns how many */
  async function deliver(kinds: readonly PlanKind[], operator: string): Promise<number> {
    const plans = (await store.listPlans()).filter(({ kind }) => kinds.includes(kind))
    // No plans would mean all plans.
    return plans.length === 0
      ? 0
      : dependencies.deliver(
          plans.map(({ id }) => id),
          operator,
        )
  }

  /** @returns the nodes whose identities are gone */
  function forgetWhere(isGone: (certificate: IssuedCertificate) => boolean): ReadonlySet<NodeId> {
    const hit = identities.all().filter(({ certificate }) => isGone(certificate))
    const nodeIds = new Set(hit.map(({ nodeId }) => nodeId))
    for (const nodeId of nodeIds) identities.forget(nodeId)
    return nodeIds
  }

  async function choose(targets: RevocationTargets): Promise<ChosenCertificates> {
    const ours = (await authorities.list())
      .filter(({ kind }) => kind !== 'x509')
      .flatMap(({ fingerprint, rotation }) =>
        rotation === null ? [fingerprint] : [rotation.oldFingerprint, rotation.newFingerprint],
      )
    return chooseCertificates(targets, { store, nowMs: clock.nowMs(), authorities: ours })
  }

  async function revoke(
    targets: RevocationTargets,
    { reason, operator }: { readonly reason: string; readonly operator: string },
  ): Promise<{ revoked: IssuedCertificate[]; krl: KrlStatus; runs: number }> {
    const { live } = await choose(targets)
    return revokeAndDeliver(
      live.map(({ id }) => id),
      { by: operator, reason },
    )
  }

  /** Nobody here uses them from now on, and the list is on its way when this resolves. */
  async function revokeAndDeliver(
    ...[certificates, options]: Parameters<Revocations['revoke']>
  ): Promise<{ revoked: IssuedCertificate[]; krl: KrlStatus; runs: number }> {
    const { revoked, krl } = await revocations.revoke(certificates, options)
    if (revoked.length === 0) return { revoked, krl, runs: 0 }
    const ids = new Set(revoked.map(({ id }) => id))
    for (const nodeId of forgetWhere(({ id }) => ids.has(id))) dependencies.sshPool.drop(nodeId)
    const runs = await deliver(['krl'], options.by)
    // A node goes on showing a host certificate that clients with the list refuse, until it has another.
    if (revoked.some(({ purpose }) => purpose === 'host')) await deliver(['host-certificate'], options.by)
    return { revoked, krl, runs }
  }

  return {
    authorities: () => authorities.list(),
    createAuthorities: (kinds, operator) => authorities.create(kinds, operator),
    exportAuthority: (kind) => authorities.export(kind),
    rotationProgress,
    startRotation,
    advanceRotation,
    rollBackRotation,
    previewRevocation: async (targets) =>
      describeBlastRadius(await choose(targets), { store, terminals: dependencies.terminals.list() }),
    revoke,
    revokeCertificates: revokeAndDeliver,
    krl: () => revocations.status(),
    krlFile: async () => {
      const { status, bytes } = await revocations.current()
      return { krl: status, base64: Buffer.from(bytes).toString('base64') }
    },
  }
}

function blocked(authority: Rotating, waiting: readonly Follower[]): AppError {
  const shown = waiting.slice(0, 5).map(({ name, why }) => `${name}: ${why}`)
  const more = waiting.length > shown.length ? `; and ${waiting.length - shown.length} more` : ''
  return new AppError(
    'ROTATION_BLOCKED',
    `The next phase has to wait for ${waiting.length} (${shown.join('; ')}${more}). Mend them, or name those you leave behind.`,
    {
      data: {
        kind: authority.kind,
        phase: authority.rotation.phase,
        waiting: waiting.slice(0, mostNamed).map(({ name, why }) => ({ name, why })),
      },
    },
  )
}
