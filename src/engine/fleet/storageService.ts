import { canonicalJson } from '../../core/canonicalJson.ts'
import { optionOverridden } from '../../core/sshd/causes.ts'
import { obeys } from '../../core/sshd/effective.ts'
import { readManagedBlock, withSection } from '../../core/sshd/managedBlock.ts'
import { storageObligations } from '../../core/sshd/storageRules.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Logger } from '../../platform/logger.ts'
import { AppError, toAppError } from '../../shared/errors.ts'
import { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { StoragePreview, StorageSettings } from '../../shared/model/storage.ts'
import type { LoginProbe, NewAuditEntry, NodeIdentity, ProbeIdentities, Store } from '../ports.ts'
import { changeSshd, type FileChange, type SshdChange, settlePending } from '../sshd/change.ts'
import { sshdFailure } from '../sshd/failure.ts'
import { inspectSshd } from '../sshd/inspect.ts'
import { resolveNode } from './resolve.ts'
import {
  mustBeCertificate,
  planStorageChange,
  previewOf,
  type StorageChangePlan,
  type StorageLookDependencies,
  sha256,
} from './storageChange.ts'

export interface StorageServiceDependencies extends StorageLookDependencies {
  readonly store: Store
  readonly clock: Clock
  readonly loginProbe: LoginProbe
  readonly probes: ProbeIdentities
  readonly logger: Logger
  /** How long a node waits for our word before it puts everything back by itself. Default 60 s. */
  readonly confirmWithinMs?: number
}

/** Makes a node a storage that lets in nobody but holders of our certificates (S0.21-25, D4, D38). */
export interface StorageService {
  preview(reference: string, settings: StorageSettings): Promise<StoragePreview>
  apply(
    reference: string,
    settings: StorageSettings,
    options: { readonly previewDigest: string; readonly operator: string },
  ): Promise<FleetNode>
  undo(reference: string, operator: string): Promise<FleetNode>
}

const commandTimeoutMs = 60_000
const loginTimeoutMs = 15_000

export function createStorageService(dependencies: StorageServiceDependencies): StorageService {
  const { store, clock, sshPool, identities, loginProbe, probes, logger } = dependencies
  const busy = new Set<string>()

  /** Two set-ups of one node, or one beside a run, would write the same files. */
  async function alone<T>(node: FleetNode, work: () => Promise<T>): Promise<T> {
    if (node.activeRunId !== null || busy.has(node.id))
      throw new AppError(
        'PRECONDITION_FAILED',
        `${node.name} is being worked on. Wait for that, or cancel it, then try again.`,
        { data: { runId: node.activeRunId } },
      )
    busy.add(node.id)
    try {
      return await work()
    } finally {
      busy.delete(node.id)
    }
  }

  async function record(entry: Pick<NewAuditEntry, 'actor' | 'action' | 'subject' | 'detail'>): Promise<void> {
    await store.transact((transaction) => transaction.appendAudit([{ at: clock.nowMs(), ...entry }]))
  }

  async function saveStorage(
    node: FleetNode,
    storage: FleetNode['storage'],
    entry: Pick<NewAuditEntry, 'actor' | 'action' | 'detail'>,
  ): Promise<FleetNode> {
    return store.transact(async (transaction) => {
      const current = await resolveNode(transaction, node.id)
      const next = { ...current, storage, updatedAt: clock.nowMs() }
      await transaction.saveNode(next)
      await transaction.appendAudit([{ at: clock.nowMs(), subject: node.name, ...entry }])
      return next
    })
  }

  async function preview(reference: string, settings: StorageSettings): Promise<StoragePreview> {
    const node = await resolveNode(store, reference)
    try {
      return previewOf(node, await planStorageChange(dependencies, node, settings))
    } catch (error) {
      // The node answers, and says why it cannot be set up: that is an answer. What keeps us from it is an error.
      const found = Diagnosis.safeParse(toAppError(error).data?.diagnosis)
      if (!found.success || !standsInTheWay.includes(found.data.code)) throw error
      return nothingToShow(node, settings, found.data)
    }
  }

  /** With a certificate for one of the storage's principals, whatever principal we use on this node ourselves. */
  async function storageIdentity(node: FleetNode, { principals }: StorageSettings): Promise<NodeIdentity> {
    const held = await identities.ensure(node, 'automation', { reason: 'log in to the storage' })
    const own = mustBeCertificate(node, held)
    const [principal] = principals
    if (principal === undefined || own.certificate.principals.some((name) => principals.includes(name))) return own
    return probes.signedBy({ ...node, principal }, own.certificate.authorityFingerprint)
  }

  async function mustLogIn(node: FleetNode, identity: NodeIdentity, user: string): Promise<void> {
    const attempt = await loginProbe.attempt(node, identity, { timeoutMs: loginTimeoutMs, user })
    if (attempt.status === 'refused') throw sshdFailure(attempt.diagnosis)
  }

  const ownLogin = async (node: FleetNode): Promise<void> =>
    mustLogIn(
      node,
      await identities.ensure(node, 'automation', { reason: 'prove that the node lets us in' }),
      node.user,
    )

  /** Both logins work, and no other line wins over ours. */
  async function proveStorage(node: FleetNode, settings: StorageSettings, plan: StorageChangePlan): Promise<void> {
    await ownLogin(node)
    await mustLogIn(node, await storageIdentity(node, settings), settings.user)
    const facts = await inspectSshd(sshPool, node, { files: {}, user: settings.user, timeoutMs: commandTimeoutMs })
    for (const [name, wanted] of storageObligations(plan.trustFile, plan.rule)) {
      const found = (facts.effective.get(name.toLowerCase()) ?? []).join(' ')
      if (!obeys(facts.effective, name, wanted)) throw sshdFailure(optionOverridden(node, { name, wanted, found }))
    }
  }

  const options = (node: FleetNode, prove: () => Promise<void>) => ({
    confirmWithinMs: dependencies.confirmWithinMs ?? 60_000,
    timeoutMs: commandTimeoutMs,
    prove,
    log: (text: string) => logger.info({ node: node.name }, text),
  })

  const change = (node: FleetNode, wanted: SshdChange, prove: () => Promise<void>) =>
    changeSshd(sshPool, node, wanted, options(node, prove))

  /** What an engine that died has left undecided is decided first. */
  async function settle(node: FleetNode): Promise<void> {
    const { pending } = await inspectSshd(sshPool, node, { files: {}, timeoutMs: commandTimeoutMs })
    await settlePending(
      sshPool,
      node,
      pending,
      options(node, () => ownLogin(node)),
    )
  }

  async function applyPlan(node: FleetNode, settings: StorageSettings, plan: StorageChangePlan): Promise<string> {
    const prove = (): Promise<void> => proveStorage(node, settings, plan)
    if (plan.files.length > 0 || plan.config !== null) {
      const { files, config, stale } = plan
      return (await change(node, { files, config, reload: stale, label: 'storage' }, prove)).backupDirectory
    }
    await prove()
    return node.storage?.backupDirectory ?? ''
  }

  async function apply(
    reference: string,
    settings: StorageSettings,
    { previewDigest, operator }: { readonly previewDigest: string; readonly operator: string },
  ): Promise<FleetNode> {
    const node = await resolveNode(store, reference)
    return alone(node, async () => {
      await settle(node)
      const plan = await planStorageChange(dependencies, node, settings)
      if (plan.digest !== previewDigest)
        throw new AppError(
          'CONFLICT',
          `${node.name} has changed since the preview, or other settings were shown. Look at the new preview first.`,
          { data: { digest: plan.digest } },
        )
      const [blocker] = plan.blockers
      if (blocker !== undefined) throw sshdFailure(blocker)
      const files = [...plan.files, ...(plan.config === null ? [] : [plan.config])].map(({ before }) => before.path)
      const detail = { id: node.id, settings, files, digest: plan.digest }
      await record({ actor: operator, action: 'storage.apply', subject: node.name, detail })
      const backupDirectory = await orRecordFailure(node, { operator, action: 'storage.apply-failed' }, () =>
        applyPlan(node, settings, plan),
      )
      const nowMs = clock.nowMs()
      const storage = { settings, appliedAt: nowMs, appliedBy: operator, verifiedAt: nowMs, backupDirectory }
      return saveStorage(node, storage, {
        actor: operator,
        action: 'storage.applied',
        detail: { ...detail, backupDirectory },
      })
    })
  }

  async function orRecordFailure<T>(
    node: FleetNode,
    { operator, action }: { readonly operator: string; readonly action: string },
    work: () => Promise<T>,
  ): Promise<T> {
    try {
      return await work()
    } catch (error) {
      const { code, message } = toAppError(error)
      await record({ actor: operator, action, subject: node.name, detail: { id: node.id, code, message } })
      throw error
    }
  }

  async function undo(reference: string, operator: string): Promise<FleetNode> {
    const node = await resolveNode(store, reference)
    const { storage } = node
    if (storage === null)
      throw new AppError(
        'PRECONDITION_FAILED',
        `${node.name} was not made a storage by Lockstep, so there is nothing to undo.`,
      )
    return alone(node, async () => {
      const detail = { id: node.id, backupDirectory: storage.backupDirectory }
      await record({ actor: operator, action: 'storage.undo', subject: node.name, detail })
      await orRecordFailure(node, { operator, action: 'storage.undo-failed' }, async () => {
        await settle(node)
        const wanted = await changeBack(node, storage.backupDirectory)
        if (wanted.config === null && wanted.files.length === 0) await ownLogin(node)
        else await change(node, wanted, () => ownLogin(node))
      })
      return saveStorage(node, null, { actor: operator, action: 'storage.undone', detail })
    })
  }

  /**
   * Our section goes. Files get back what they held before, unless somebody has changed them since or a trust plan
   * keeps them; those that were new stay, since nothing names them any more.
   */
  async function changeBack(node: FleetNode, backupDirectory: string): Promise<SshdChange> {
    const entries = backupDirectory === '' ? [] : await backupEntries(node, backupDirectory)
    const files = Object.fromEntries(
      entries.flatMap(({ index, path }) => [
        [`now-${index}`, path],
        [`was-${index}`, `${backupDirectory}/${index}`],
      ]),
    )
    const facts = await inspectSshd(sshPool, node, { files, timeoutMs: commandTimeoutMs })
    const present = facts.config.content ?? ''
    const kept = (readManagedBlock(present).trust ?? []).join('\n')
    const back = entries.flatMap(({ index, path, digest }): FileChange[] => {
      const now = facts.files.get(`now-${index}`)
      const was = facts.files.get(`was-${index}`)?.content ?? null
      if (now === undefined || was === null || now.digest !== digest) return []
      return path === facts.config.path || kept.includes(path)
        ? []
        : [{ before: now, content: Buffer.from(was, 'latin1') }]
    })
    const text = withSection(present, 'storage', [])
    const config = text === present ? null : { before: facts.config, content: Buffer.from(text, 'latin1') }
    return { files: back, config, reload: facts.stale, label: 'storage-undo' }
  }

  async function backupEntries(node: FleetNode, directory: string) {
    const facts = await inspectSshd(sshPool, node, {
      files: { manifest: `${directory}/manifest` },
      timeoutMs: commandTimeoutMs,
    })
    const lines = (facts.files.get('manifest')?.content ?? '').split('\n')
    return lines.flatMap((line) => {
      const match = /^(\d+) ([0-9a-f]{64}) (\/.*)$/.exec(line)
      return match === null ? [] : [{ index: match[1] ?? '', digest: match[2] ?? '', path: match[3] ?? '' }]
    })
  }

  return { preview, apply, undo }
}

/** Causes that a preview shows instead of failing. */
const standsInTheWay: readonly Diagnosis['code'][] = [
  'SUDO_REFUSED',
  'REMOTE_PROGRAM_MISSING',
  'REMOTE_PERMISSION_DENIED',
]

function nothingToShow(node: FleetNode, settings: StorageSettings, blocker: Diagnosis): StoragePreview {
  return {
    digest: sha256(canonicalJson({ node: node.id, settings, blocked: blocker.code })),
    changes: [],
    commands: [],
    warnings: [],
    blockers: [blocker],
    alreadyApplied: false,
  }
}
