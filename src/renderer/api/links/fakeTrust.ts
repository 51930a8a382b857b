import { implement } from '@orpc/server'
import type { RevocationPreview, RevocationTargets } from '../../../shared/contract/certificates.ts'
import { contract } from '../../../shared/contract/index.ts'
import type { PushTargets } from '../../../shared/contract/runs.ts'
import { AppError } from '../../../shared/errors.ts'
import type {
  Authority,
  AuthorityExport,
  AuthorityKind,
  ExpiryBucket,
  IssuedCertificate,
  KrlStatus,
  RotationProgress,
} from '../../../shared/model/certificate.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import type { StepCaStatus } from '../../../shared/model/stepCa.ts'
import { matchesLog, standingOfCertificate } from '../../features/certificates/certificateFilter.ts'
import { fakeFingerprint, userAuthority } from './fakeCertificates.ts'
import type { FakeEngine } from './fakeEngine.ts'
import { fakeDiagnosis, fakeDigest } from './fakeFleet.ts'
import { fakeStoragePreview } from './fakeStorage.ts'

const dayMs = 86_400_000

const noStepCa: StepCaStatus = {
  settings: null,
  active: false,
  checkedAt: null,
  healthy: false,
  diagnosis: null,
  provisioners: [],
  userAuthorities: [],
}

/** Authorities, revocation and step-ca of the engine that exists in this page only. */
export class FakeTrust {
  readonly authorities = new Map<AuthorityKind, Authority>()
  /** Names that do not follow the rotation yet, with why. */
  waiting: RotationProgress['waiting'] = []
  stepCa: StepCaStatus = noStepCa
  /** Keys of all renewals that arrived, in order. */
  readonly renewKeys: string[] = []
  /** Taken one a renewal: `after` does the work and loses the answer on the way. */
  readonly renewFailures: { readonly when: 'before' | 'after'; readonly error: AppError }[] = []
  krl: KrlStatus = { version: 0, revokedCertificates: 0, updatedAt: null, sizeBytes: 44, digest: fakeDigest(0) }
  readonly #engine: FakeEngine

  constructor(engine: FakeEngine) {
    this.#engine = engine
    this.authorities.set('ssh-user', this.#invented('ssh-user'))
  }

  create(kinds: readonly AuthorityKind[]): void {
    for (const kind of kinds) if (!this.authorities.has(kind)) this.#save(this.#invented(kind))
  }

  #invented(kind: AuthorityKind): Authority {
    return {
      kind,
      fingerprint: kind === 'ssh-user' ? userAuthority : fakeFingerprint(`the ${kind} authority`),
      publicKey: publicKeyOf(kind),
      createdAt: this.#engine.now() - (kind === 'ssh-user' ? 90 : 2) * dayMs,
      sealedBy: 'a passphrase (scrypt, AES-256-GCM)',
      validBefore: kind === 'x509' ? this.#engine.now() + 3_600 * dayMs : null,
      rotation: null,
    }
  }

  authority(kind: AuthorityKind): Authority {
    const authority = this.authorities.get(kind)
    if (authority === undefined) throw new AppError('NOT_FOUND', `There is no ${kind} authority yet. Create it first.`)
    return authority
  }

  #save(authority: Authority): Authority {
    this.authorities.set(authority.kind, authority)
    this.#engine.commit({ kind: 'authority.changed', authority: authority.kind })
    return authority
  }

  progress(kind: AuthorityKind): RotationProgress | null {
    if (this.authority(kind).rotation === null) return null
    const total = Math.max(this.#engine.nodes.size, this.waiting.length)
    return {
      total,
      proven: total - this.waiting.length,
      waiting: this.waiting.slice(0, 100),
      outside: [],
      ready: this.waiting.length === 0,
    }
  }

  startRotation(kind: AuthorityKind): Authority {
    const authority = this.authority(kind)
    if (authority.rotation !== null)
      throw new AppError('PRECONDITION_FAILED', `The ${kind} authority is being rotated already.`)
    const now = this.#engine.now()
    return this.#save({
      ...authority,
      rotation: {
        phase: 'trust',
        startedAt: now,
        startedBy: 'ana@desk',
        phaseStartedAt: now,
        oldFingerprint: authority.fingerprint,
        newFingerprint: fakeFingerprint(`the next ${kind} authority`),
      },
    })
  }

  advance(kind: AuthorityKind, leaveBehind: readonly string[]): Authority {
    const authority = this.authority(kind)
    const { rotation } = authority
    if (rotation === null) throw new AppError('PRECONDITION_FAILED', 'No rotation is under way.')
    const left = this.waiting.filter(({ name }) => !leaveBehind.includes(name))
    if (left.length > 0)
      throw new AppError(
        'ROTATION_BLOCKED',
        `${left.length} have not followed: ${left[0]?.name}. Wait, or leave them behind by name.`,
      )
    this.waiting = []
    const next = rotation.phase === 'trust' ? 'sign' : rotation.phase === 'sign' ? 'retire' : null
    const fingerprint = next === 'sign' ? rotation.newFingerprint : authority.fingerprint
    if (next === null) return this.#save({ ...authority, rotation: null })
    return this.#save({
      ...authority,
      fingerprint,
      rotation: { ...rotation, phase: next, phaseStartedAt: this.#engine.now() },
    })
  }

  rollBack(kind: AuthorityKind): Authority {
    const authority = this.authority(kind)
    const { rotation } = authority
    if (rotation === null || rotation.phase === 'retire')
      throw new AppError('PRECONDITION_FAILED', 'The old authority is gone: there is nothing to go back to.')
    return this.#save({
      ...authority,
      fingerprint: rotation.oldFingerprint,
      rotation: { ...rotation, phase: 'rollback', phaseStartedAt: this.#engine.now() },
    })
  }

  #meant(targets: RevocationTargets): readonly IssuedCertificate[] {
    const all = [...this.#engine.certificates.values()]
    if (targets.kind === 'certificates') return all.filter(({ id }) => targets.ids.includes(id))
    if (targets.kind === 'serials') return all.filter(({ serial }) => targets.serials.includes(serial))
    const ids = new Set(targets.nodes.map((reference) => this.#engine.node(reference).id))
    return all.filter(({ nodeId }) => nodeId !== null && ids.has(nodeId))
  }

  previewRevocation(targets: RevocationTargets): RevocationPreview {
    const meant = this.#meant(targets)
    const live = meant.filter((each) => standingOfCertificate(each, this.#engine.now()) === 'live')
    const pushed = [...this.#engine.nodes.values()].filter((node) => node.transport === 'push')
    const plans = new Set([...this.#engine.plans.values()].filter(({ kind }) => kind === 'krl').map(({ id }) => id))
    const uncovered = pushed.filter((node) => !node.plans.some(({ planId }) => plans.has(planId)))
    return {
      certificates: [...live],
      skipped: meant.length - live.length,
      nodes: [...new Set(live.flatMap(({ nodeId }) => nodeId ?? []))],
      openTerminals: live.filter(({ purpose }) => purpose === 'terminal').length,
      openRuns: 0,
      coveredNodes: pushed.length - uncovered.length,
      uncoveredNodes: uncovered.map(({ name }) => name),
      staticKeyNodes: [],
    }
  }

  revoke(targets: RevocationTargets, reason: string): { revoked: IssuedCertificate[]; krl: KrlStatus; runs: number } {
    const now = this.#engine.now()
    const revoked = this.previewRevocation(targets).certificates.map<IssuedCertificate>((each) => ({
      ...each,
      revocation: { revokedAt: now, revokedBy: 'ana@desk', reason },
    }))
    for (const certificate of revoked) this.#engine.commit({ kind: 'certificate.revoked', certificate })
    this.saveKrl(this.krl.version + 1)
    return { revoked, krl: this.krl, runs: 0 }
  }

  /** The list as it follows from the issue log. */
  saveKrl(version: number): void {
    const revokedCertificates = [...this.#engine.certificates.values()].filter(
      (each) => each.revocation !== null,
    ).length
    this.krl = {
      version,
      revokedCertificates,
      updatedAt: this.#engine.now(),
      sizeBytes: 44 + 8 * revokedCertificates,
      digest: fakeDigest(version),
    }
    this.#engine.commit({ kind: 'krl.saved', krl: this.krl })
  }

  calendar(from: number, to: number, stepMs: number): ExpiryBucket[] {
    const buckets = Array.from({ length: Math.ceil((to - from) / stepMs) }, (_, index): ExpiryBucket => {
      const start = from + index * stepMs
      return { from: start, to: Math.min(to, start + stepMs), user: 0, host: 0, agent: 0, revoked: 0 }
    })
    for (const { validBefore, purpose, revocation } of this.#engine.certificates.values()) {
      const bucket = buckets[Math.floor((validBefore - from) / stepMs)]
      if (bucket === undefined || validBefore < from) continue
      if (revocation !== null) bucket.revoked += 1
      else bucket[purpose === 'host' || purpose === 'agent' ? purpose : 'user'] += 1
    }
    return buckets
  }

  renew(key: string | undefined, targets: PushTargets) {
    const failure = this.renewFailures.shift()
    this.renewKeys.push(key ?? '')
    if (failure?.when === 'before') throw failure.error
    const renewed = this.#engine.nodesOf(targets).map((node) => this.#engine.renew(node, key ?? null))
    if (failure !== undefined) throw failure.error
    return renewed
  }

  applyStorage(node: FleetNode, settings: NonNullable<FleetNode['storage']>['settings']): FleetNode {
    const now = this.#engine.now()
    return this.#engine.saveNode({
      ...node,
      kind: 'storage',
      storage: {
        settings,
        appliedAt: now,
        appliedBy: 'ana@desk',
        verifiedAt: now,
        backupDirectory: '/var/backups/lockstep/20261121-101500',
      },
    })
  }
}

const publicKeyOf = (kind: AuthorityKind): string =>
  kind === 'x509'
    ? `-----BEGIN CERTIFICATE-----\n${btoa(`the ${kind} root ${'r'.repeat(120)}`)}\n-----END CERTIFICATE-----`
    : `ssh-ed25519 AAAAC3Nza${btoa(`the ${kind} authority`).replace(/=+$/, '')} lockstep-${kind === 'ssh-user' ? 'user' : 'host'}-ca`

function exportsOf({ kind, publicKey, fingerprint }: Authority): AuthorityExport[] {
  const form = (fileName: string, use: string, content: string): AuthorityExport => ({
    kind,
    fileName,
    use,
    content: `${content}\n`,
    fingerprints: [fingerprint],
  })
  if (kind === 'ssh-user')
    return [
      form(
        'trusted_user_ca.pub',
        'Put it on a node as TrustedUserCAKeys: sshd then lets our certificates in.',
        publicKey,
      ),
    ]
  if (kind === 'ssh-host')
    return [
      form(
        'known_hosts',
        'Add it to ~/.ssh/known_hosts: ssh then trusts every host we have signed.',
        `@cert-authority * ${publicKey}`,
      ),
    ]
  return [form('root_ca.crt', 'Give it to an agent with its join token: it pins this gateway.', publicKey)]
}

const os = implement(contract)

/** The procedures of the contract that are about trust. */
export function trustRoutes(engine: FakeEngine, trust: FakeTrust) {
  const now = (): number => engine.now()
  return {
    certificates: {
      authorities: os.certificates.authorities.handler(() => [...trust.authorities.values()]),
      createAuthorities: os.certificates.createAuthorities.handler(({ input }) => {
        trust.create(input.kinds)
        return [...trust.authorities.values()]
      }),
      exportAuthority: os.certificates.exportAuthority.handler(({ input }) => exportsOf(trust.authority(input.kind))),
      rotationProgress: os.certificates.rotationProgress.handler(({ input }) => trust.progress(input.kind)),
      startRotation: os.certificates.startRotation.handler(({ input }) => trust.startRotation(input.kind)),
      advanceRotation: os.certificates.advanceRotation.handler(({ input }) =>
        trust.advance(input.kind, input.leaveBehind),
      ),
      rollBackRotation: os.certificates.rollBackRotation.handler(({ input }) => trust.rollBack(input.kind)),
      list: os.certificates.list.handler(({ input }) => {
        const { endsFrom, endsBefore } = input
        const filter = {
          ...input,
          node: input.node ?? '',
          purposes: input.purposes ?? [],
          ends:
            endsFrom === undefined && endsBefore === undefined
              ? null
              : { from: endsFrom ?? 0, before: endsBefore ?? Number.POSITIVE_INFINITY },
        }
        return [...engine.certificates.values()]
          .filter((each) => input.before === undefined || each.id < input.before)
          .filter((each) => matchesLog(each, filter, now()))
          .sort((a, b) => (a.id < b.id ? 1 : -1))
          .slice(0, input.limit)
      }),
      calendar: os.certificates.calendar.handler(({ input }) => trust.calendar(input.from, input.to, input.stepMs)),
      issue: os.certificates.issue.handler(() => {
        throw new AppError('UNSUPPORTED', 'The invented engine signs nothing.')
      }),
      renew: os.certificates.renew.handler(({ input }) => trust.renew(input.idempotencyKey, input.targets)),
      previewRevocation: os.certificates.previewRevocation.handler(({ input }) =>
        trust.previewRevocation(input.targets),
      ),
      revoke: os.certificates.revoke.handler(({ input }) => trust.revoke(input.targets, input.reason)),
      krl: os.certificates.krl.handler(() => trust.krl),
      krlFile: os.certificates.krlFile.handler(() => ({ krl: trust.krl, base64: btoa('SSHKRL\n\0') })),
    },
    stepCa: {
      status: os.stepCa.status.handler(() => trust.stepCa),
      configure: os.stepCa.configure.handler(({ input }) => {
        if (input.password !== 'correct horse')
          throw new AppError('AUTHORITY_REFUSED', 'step-ca: the password does not open the key of this provisioner.')
        trust.stepCa = healthyStepCa(input.settings, now())
        return trust.stepCa
      }),
      use: os.stepCa.use.handler(({ input }) => {
        trust.stepCa = { ...trust.stepCa, active: input.issuer === 'step-ca' }
        return trust.stepCa
      }),
      remove: os.stepCa.remove.handler(() => {
        trust.stepCa = noStepCa
        return trust.stepCa
      }),
    },
    storage: {
      preview: os.storage.preview.handler(({ input }) => fakeStoragePreview(engine.node(input.node), input.settings)),
      apply: os.storage.apply.handler(({ input }) => {
        const node = engine.node(input.node)
        if (fakeStoragePreview(node, input.settings).digest !== input.previewDigest)
          throw new AppError('CONFLICT', `${node.name} has changed since the preview. Look at the preview again.`)
        if (node.reachability.status === 'unreachable')
          throw new AppError(
            'LOGIN_NOT_PROVEN',
            `A fresh login to ${node.name} failed under the new rules: principal not listed. Everything was put back as it was before, and the old way in works.`,
          )
        return trust.applyStorage(node, input.settings)
      }),
      undo: os.storage.undo.handler(({ input }) => engine.saveNode({ ...engine.node(input.node), storage: null })),
    },
  }
}

/** As an answer of a step-ca that was set up with Debian's packages. */
export function healthyStepCa(settings: NonNullable<StepCaStatus['settings']>, nowMs: number): StepCaStatus {
  return {
    settings,
    active: false,
    checkedAt: nowMs,
    healthy: true,
    diagnosis: null,
    provisioners: [
      { name: settings.provisioner, type: 'JWK', allows: ['sign user certificates', 'sign host certificates'] },
      { name: 'sshpop', type: 'SSHPOP', allows: ['renew host certificates'] },
    ],
    userAuthorities: [
      { fingerprint: fakeFingerprint('step user'), publicKey: `ecdsa-sha2-nistp256 ${btoa('step-ca user authority')}` },
    ],
  }
}

/** As an answer when nobody listens at the address. */
export function brokenStepCa(settings: NonNullable<StepCaStatus['settings']>, nowMs: number): StepCaStatus {
  return {
    ...healthyStepCa(settings, nowMs),
    active: true,
    healthy: false,
    diagnosis: fakeDiagnosis(
      'AUTHORITY_UNREACHABLE',
      `step-ca at ${settings.url} does not answer: connection refused. Certificates that are out keep working until they end; new ones cannot be signed. Start step-ca, or let the embedded authority sign.`,
      'step-ca does not answer',
      [`connect ${settings.url}: ECONNREFUSED`],
      ['none', ''],
      true,
    ),
    provisioners: [],
    userAuthorities: [],
  }
}
