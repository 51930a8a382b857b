import PQueue from 'p-queue'
import { decideRotation, type RotationStep } from '../../core/ca/rotation.ts'
import type { Clock } from '../../platform/clock.ts'
import type { KeyVault } from '../../platform/keyVault/keyVaultPort.ts'
import { AppError } from '../../shared/errors.ts'
import { type Authority, type AuthorityKind, authorityKinds, type Rotation } from '../../shared/model/certificate.ts'
import type {
  Authorities,
  NewAuditEntry,
  RotationChange,
  Store,
  StoreReader,
  StoreTransaction,
  TrustedKey,
} from '../ports.ts'
import {
  type AuthorityState,
  keysOf,
  readAuthorityState,
  signerOf,
  trustedBy,
  writeAuthorityState,
} from './authorityState.ts'
import { exportsOf } from './exports.ts'
import { keyFormats } from './keyFormats.ts'
import { type Generation, KeyRing } from './keyRing.ts'
import { type SshSigner, sshSigner } from './sshSigner.ts'
import type { X509Signer } from './x509Certificates.ts'

/** What signing needs of the store, besides nothing else. */
export type AuthorityStore = Pick<Store, 'transact' | 'getSetting'>

interface AuthoritiesDependencies {
  /** The home's `keys` directory, 0700. */
  readonly keysDirectory: string
  readonly vault: KeyVault
  readonly clock: Pick<Clock, 'nowMs'>
  readonly store: AuthorityStore
  /** Keys of user authorities that are not ours but trusted too: those of a step-ca. */
  readonly foreignUserKeys?: () => Promise<readonly TrustedKey[]>
  /** Runs in the transaction that changes what is trusted or who signs. */
  readonly onChange?: (transaction: StoreTransaction, kind: AuthorityKind) => Promise<void>
}

export interface SigningX509 extends X509Signer {
  readonly fingerprint: string
}

/** The authorities with their keys, for the rest of pki. */
export interface AuthorityKeys extends Authorities {
  /** The SSH user authority; created on first use. Needs the vault. */
  describeUser(): Promise<Authority>
  /** That there is a user authority. Needs the vault only when there was none. */
  ensureUser(): Promise<void>
  /**
   * Of those that are kept the one with this fingerprint; without one, the one that signs now. The user authority is
   * created on first use, the host authority by a person.
   */
  sshSigner(kind: 'ssh-user' | 'ssh-host', fingerprint?: string): Promise<SshSigner>
  /** Created on first use. */
  x509Signer(): Promise<SigningX509>
  /** Root certificates (PEM) that agents should trust, the one that signs first. Created on first use. */
  x509Roots(): Promise<Generation[]>
  /** Keys of an authority as they count in this transaction: all that are kept. Loaded before, or empty. */
  keptIn(reader: Pick<StoreReader, 'getSetting'>, kind: AuthorityKind): Promise<readonly Generation[]>
  /** The same for those that are trusted. */
  trustedIn(reader: Pick<StoreReader, 'getSetting'>, kind: AuthorityKind): Promise<readonly Generation[]>
}

interface Known {
  readonly ring: KeyRing
  readonly state: AuthorityState
}

/** The embedded authorities: made once, replaced by rotation only, never made again in silence. */
export function createAuthorities(dependencies: AuthoritiesDependencies): AuthorityKeys {
  const { store, clock, onChange } = dependencies
  const rings = Object.fromEntries(
    authorityKinds.map((kind) => [kind, new KeyRing(keyFormats[kind], dependencies)]),
  ) as unknown as Readonly<Record<AuthorityKind, KeyRing>>
  /** One change at a time: key files and rows are written one after the other. */
  const changes = new PQueue({ concurrency: 1 })
  const foreignUserKeys = dependencies.foreignUserKeys ?? (async () => [])

  /** The authority as recorded, or null when there is none. @throws AppError VAULT_TAMPERED when record and file disagree */
  async function find(kind: AuthorityKind): Promise<Known | null> {
    const ring = rings[kind]
    const state = await readAuthorityState(store, kind)
    const generations = await ring.load()
    if (generations === null) {
      if (state !== null) throw ring.missing()
      return null
    }
    const known = { ring, state: state ?? (await adopt(kind, generations)) }
    assertKept(known)
    await ring.keep(generations.map((one) => one.fingerprint).filter((one) => !known.state.retired.includes(one)))
    return known
  }

  /** A key file from before this was recorded, or one whose record a crash cut off. */
  async function adopt(kind: AuthorityKind, generations: readonly Generation[]): Promise<AuthorityState> {
    const [first] = generations
    if (first === undefined) throw rings[kind].damaged('it holds no key')
    const state: AuthorityState = { fingerprint: first.fingerprint, rotation: null, retired: [] }
    await store.transact((transaction) => writeAuthorityState(transaction, kind, state))
    return state
  }

  async function findOrMake(kind: AuthorityKind, actor: string): Promise<Known> {
    const known = (await find(kind)) ?? (await changes.add(async () => (await find(kind)) ?? (await make(kind, actor))))
    await handOut(known)
    return known
  }

  /** The audit row is durable before the key is: a key that nobody heard of must not exist. */
  async function make(kind: AuthorityKind, actor: string, replaces: string | null = null): Promise<Known> {
    const ring = rings[kind]
    const key = await ring.generate()
    const { fingerprint, publicKey, sealedBy, createdAt } = key
    const detail = { kind, publicKey, sealedBy, ...(replaces === null ? {} : { replaces }) }
    await store.transact((transaction) =>
      transaction.appendAudit([{ at: createdAt, actor, action: 'authority.create', subject: fingerprint, detail }]),
    )
    await ring.makeFirst(key)
    const [first] = ring.generations
    if (first === undefined) throw ring.damaged('it holds no key')
    const state: AuthorityState = { fingerprint: first.fingerprint, rotation: null, retired: [] }
    await store.transact(async (transaction) => {
      await writeAuthorityState(transaction, kind, state)
      if (replaces !== null) await onChange?.(transaction, kind)
    })
    return { ring, state }
  }

  /** A person asks for it: then one that was lost may be replaced, when what was handed out is gone as well. */
  async function makeAnew(kind: AuthorityKind, operator: string): Promise<Known> {
    const state = await readAuthorityState(store, kind)
    if (state !== null && (await rings[kind].load()) === null) return make(kind, operator, state.fingerprint)
    return (await find(kind)) ?? (await make(kind, operator))
  }

  async function handOut({ ring, state }: Known): Promise<void> {
    await ring.handOut(generationsOf({ ring, state }, trustedBy(ring.format.kind, state)).map((one) => one.publicKey))
  }

  function described({ ring, state }: Known): Authority {
    const [signing] = generationsOf({ ring, state }, [signerOf(state)])
    if (signing === undefined) throw ring.damaged('the key that signs is not in it')
    const { fingerprint, publicKey, createdAt, sealedBy } = signing
    const validBefore = ring.format.validBefore(publicKey)
    return {
      kind: ring.format.kind,
      fingerprint,
      publicKey,
      createdAt,
      sealedBy,
      validBefore,
      rotation: state.rotation,
    }
  }

  /** Proves that each public half belongs to its sealed key, so that no edited file is ever handed to a node. */
  async function provenTrusted(kind: AuthorityKind): Promise<readonly Generation[]> {
    const known = await find(kind)
    if (known === null) return []
    const trusted = generationsOf(known, trustedBy(kind, known.state))
    for (const { fingerprint } of trusted) await known.ring.privateKey(fingerprint)
    return trusted
  }

  async function sshSignerOf(kind: 'ssh-user' | 'ssh-host', fingerprint?: string): Promise<SshSigner> {
    const known = kind === 'ssh-user' ? await findOrMake(kind, 'engine') : await find(kind)
    if (known === null)
      throw new AppError('PRECONDITION_FAILED', 'There is no host authority yet. Make one with: lockstep ca init', {
        data: { kind },
      })
    const wanted = fingerprint ?? signerOf(known.state)
    if (!keysOf(known.state).includes(wanted))
      throw new AppError('NOT_FOUND', `No key of ${known.ring.format.name} has the fingerprint ${wanted}.`)
    return sshSigner(kind, await known.ring.privateKey(wanted))
  }

  async function rotate(kind: AuthorityKind, step: RotationStep, change: RotationChange): Promise<Authority> {
    return changes.add(async () => {
      const known = await find(kind)
      if (known === null) throw refusedStep(kind, 'There is no such authority yet. Create it first.')
      refuseOtherPhase(known, change)
      const next = await nextState(known, step, change.operator)
      await store.transact(async (transaction) => {
        await writeAuthorityState(transaction, kind, next)
        await transaction.appendAudit([rotationRow(kind, { step, before: known.state, after: next }, change, clock)])
        await onChange?.(transaction, kind)
        await change.alongside?.(transaction)
      })
      const after = { ring: known.ring, state: next }
      await known.ring.keep(keysOf(next))
      await handOut(after)
      return described(after)
    })
  }

  /** The key of a new authority lies in the file before any row speaks of it: a crash in between leaves a key without a use. */
  async function nextState({ ring, state }: Known, step: RotationStep, operator: string): Promise<AuthorityState> {
    const { kind } = ring.format
    const decision = decideRotation(state.rotation?.phase ?? null, step)
    const nowMs = clock.nowMs()
    if (decision.kind === 'refuse') throw refusedStep(kind, decision.why)
    if (decision.kind === 'enter' && state.rotation !== null)
      return { ...state, rotation: { ...state.rotation, phase: decision.phase, phaseStartedAt: nowMs } }
    if (decision.kind === 'enter') {
      const key = await ring.generate()
      await ring.add(key, [state.fingerprint])
      const rotation: Rotation = {
        phase: decision.phase,
        startedAt: nowMs,
        startedBy: operator,
        phaseStartedAt: nowMs,
        oldFingerprint: state.fingerprint,
        newFingerprint: key.fingerprint,
      }
      return { ...state, rotation }
    }
    if (state.rotation === null) throw refusedStep(kind, 'No rotation is under way.')
    const { oldFingerprint, newFingerprint } = state.rotation
    const [kept, gone] = decision.keep === 'old' ? [oldFingerprint, newFingerprint] : [newFingerprint, oldFingerprint]
    return { fingerprint: kept, rotation: null, retired: [...state.retired, gone] }
  }

  const trustedKeys = async (kind: 'ssh-user' | 'ssh-host'): Promise<TrustedKey[]> =>
    (await provenTrusted(kind)).map(({ fingerprint, publicKey }) => ({ fingerprint, publicKey }))

  return {
    list: async () => {
      const known = await Promise.all(authorityKinds.map(find))
      return known.filter((one) => one !== null).map(described)
    },
    create: (kinds, operator) =>
      changes.add(async () => {
        const made: Authority[] = []
        for (const kind of authorityKinds.filter((one) => kinds.includes(one))) {
          const known = await makeAnew(kind, operator)
          await handOut(known)
          made.push(described(known))
        }
        return made
      }),
    export: async (kind) => {
      if (kind === 'ssh-user') await findOrMake(kind, 'engine')
      const trusted = await provenTrusted(kind)
      if (trusted.length === 0)
        throw new AppError('NOT_FOUND', `There is no ${kind} authority yet. Make one with: lockstep ca init`, {
          data: { kind },
        })
      return exportsOf(kind, kind === 'ssh-user' ? [...trusted, ...(await foreignUserKeys())] : trusted)
    },
    trustedUserKeys: async () => [...(await trustedKeys('ssh-user')), ...(await foreignUserKeys())],
    trustedHostKeys: () => trustedKeys('ssh-host'),
    startRotation: (kind, change) => rotate(kind, 'start', change),
    advanceRotation: (kind, change) => rotate(kind, 'advance', change),
    rollBackRotation: (kind, change) => rotate(kind, 'rollBack', change),
    describeUser: async () => {
      const known = await findOrMake('ssh-user', 'engine')
      await known.ring.privateKey(signerOf(known.state))
      return described(known)
    },
    ensureUser: async () => void (await findOrMake('ssh-user', 'engine')),
    sshSigner: sshSignerOf,
    x509Signer: async () => {
      const known = await findOrMake('x509', 'engine')
      const { fingerprint, publicKey } = described(known)
      return { fingerprint, certificatePem: publicKey, privateKey: await known.ring.privateKey(fingerprint) }
    },
    x509Roots: async () => {
      const { state } = await findOrMake('x509', 'engine')
      const trusted = await provenTrusted('x509')
      const { yes = [], no = [] } = Object.groupBy(trusted, ({ fingerprint }) =>
        fingerprint === signerOf(state) ? 'yes' : 'no',
      )
      return [...yes, ...no]
    },
    keptIn: (reader, kind) => generationsIn(rings[kind], reader, (state) => keysOf(state)),
    trustedIn: (reader, kind) => generationsIn(rings[kind], reader, (state) => trustedBy(kind, state)),
  }
}

async function generationsIn(
  ring: KeyRing,
  reader: Pick<StoreReader, 'getSetting'>,
  choose: (state: AuthorityState) => readonly string[],
): Promise<readonly Generation[]> {
  const state = await readAuthorityState(reader, ring.format.kind)
  return state === null ? [] : generationsOf({ ring, state }, choose(state))
}

/** In the order of the fingerprints. */
function generationsOf({ ring }: Known, fingerprints: readonly string[]): Generation[] {
  return fingerprints.flatMap((wanted) => ring.generations.filter(({ fingerprint }) => fingerprint === wanted))
}

/** Another valid key file in the place of ours would be a new authority in silence. */
function assertKept({ ring, state }: Known): void {
  const lost = keysOf(state).find((wanted) => !ring.generations.some(({ fingerprint }) => fingerprint === wanted))
  if (lost !== undefined) throw ring.damaged(`the key ${lost}, which was in use, is not in it`)
}

/** Two people, or two clicks: what one has proven for a phase lets nobody pass the next one. */
function refuseOtherPhase({ ring, state }: Known, { from }: RotationChange): void {
  const phase = state.rotation?.phase ?? null
  if (from === undefined || from === phase) return
  throw new AppError('CONFLICT', `The rotation of ${ring.format.name} has moved on meanwhile. Look at it again.`, {
    data: { kind: ring.format.kind, phase },
  })
}

function refusedStep(kind: AuthorityKind, why: string): AppError {
  return new AppError('PRECONDITION_FAILED', `${keyFormats[kind].name}: ${why}`, { data: { kind } })
}

interface RotationTransition {
  readonly step: RotationStep
  readonly before: AuthorityState
  readonly after: AuthorityState
}

function rotationRow(
  kind: AuthorityKind,
  { step, before, after }: RotationTransition,
  { operator }: RotationChange,
  clock: Pick<Clock, 'nowMs'>,
): NewAuditEntry {
  const rotation = after.rotation ?? before.rotation
  return {
    at: clock.nowMs(),
    actor: operator,
    action: 'authority.rotate',
    subject: kind,
    detail: {
      step,
      from: before.rotation?.phase ?? null,
      to: after.rotation?.phase ?? null,
      oldFingerprint: rotation?.oldFingerprint ?? null,
      newFingerprint: rotation?.newFingerprint ?? null,
      signs: signerOf(after),
    },
  }
}
