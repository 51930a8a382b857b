import { serverOf } from '../../core/parse/gitUrl.ts'
import { resolveRef } from '../../core/repository/resolveRef.ts'
import { AppError } from '../../shared/errors.ts'
import { RepositoryId } from '../../shared/model/ids.ts'
import type {
  AllowedFinding,
  Commit,
  CommitHash,
  Finding,
  FindingHash,
  Repository,
  RepositoryInput,
  ScanReport,
  WantedRef,
} from '../../shared/model/repository.ts'
import type { NewAuditEntry, StoreReader, StoreTransaction } from '../ports.ts'
import type { Fetching } from './fetching.ts'
import { plansOf, type RepositoryParts, resolveRepository } from './parts.ts'
import type { Scans } from './scans.ts'
import { keepNewSalt, keepToken } from './secrets.ts'
import { fetchedCommit } from './trees.ts'

/** Repositories and what is known of them. What brings their commits to nodes is in `deliveries.ts`. */
export interface RepositoryService {
  list(): Promise<Repository[]>
  get(reference: string): Promise<Repository>
  add(settings: RepositoryInput, token: string | null, operator: string): Promise<Repository>
  /** @param token undefined keeps the one there is, null takes it away */
  change(reference: string, order: ChangeOrder, operator: string): Promise<Repository>
  /** @throws PRECONDITION_FAILED while a plan delivers from it */
  remove(reference: string, operator: string): Promise<RepositoryId>
  refresh(reference: string, options: { readonly force: boolean }, operator: string): Promise<Repository>
  commits(reference: string, query: CommitQuery): Promise<Commit[]>
  findings(reference: string): Promise<ScanReport | null>
  scan(reference: string, commit: CommitHash | null, signal: AbortSignal | undefined): Promise<ScanReport>
  allowed(reference: string): Promise<AllowedFinding[]>
  allow(reference: string, order: AllowOrder, operator: string): Promise<AllowedFinding>
  disallow(reference: string, hash: FindingHash, operator: string): Promise<FindingHash>
}

interface ChangeOrder {
  readonly settings: RepositoryInput
  readonly token?: string | null | undefined
}

interface CommitQuery {
  readonly ref: WantedRef
  readonly after?: CommitHash | undefined
  readonly limit: number
}

interface AllowOrder {
  readonly hash: FindingHash
  readonly reason: string
  readonly expiresAt: number | null
}

export interface RepositoryServiceDependencies extends RepositoryParts {
  readonly fetching: Fetching
  readonly scans: Scans
  /** Plans follow the heads of a repository by its name, and its default branch. */
  readonly refreshPlans: (transaction: StoreTransaction) => Promise<unknown>
  /** After a commit: what is followed may be something else now. */
  readonly onSettings: () => void
}

export function createRepositoryService(dependencies: RepositoryServiceDependencies): RepositoryService {
  const { store, clock, ids, mirrors, secrets, fetching, scans, refreshPlans, onSettings } = dependencies
  const get = (reference: string): Promise<Repository> => resolveRepository(store, reference)
  const audited = (operator: string, action: string, subject: string, detail: NewAuditEntry['detail']) => [
    { at: clock.nowMs(), actor: operator, action, subject, detail },
  ]

  async function add(settings: RepositoryInput, token: string | null, operator: string): Promise<Repository> {
    const id = RepositoryId.parse(ids())
    const sealed = token === null ? null : await secrets.seal(id, token)
    const nowMs = clock.nowMs()
    const repository: Repository = {
      id,
      settings,
      hasToken: sealed !== null,
      state: { heads: {}, fetchedAt: null, diagnosis: null, warnings: [] },
      createdAt: nowMs,
      updatedAt: nowMs,
    }
    await store.transact(async (transaction) => {
      await transaction.saveRepository(repository)
      await keepNewSalt(transaction, id)
      if (sealed !== null) await keepToken(transaction, id, sealed)
      const detail = { id, remote: settings.remote, hasToken: sealed !== null }
      await transaction.appendAudit(audited(operator, 'repository.add', settings.name, detail))
    })
    onSettings()
    return repository
  }

  async function change(reference: string, { settings, token }: ChangeOrder, operator: string): Promise<Repository> {
    const { id } = await get(reference)
    const sealed = token == null ? token : await secrets.seal(id, token)
    const changed = await store.transact(async (transaction) => {
      const before = await resolveRepository(transaction, id)
      if (before.settings.name !== settings.name) await refuseUsed(transaction, before, 'renamed')
      if (sealed === undefined) refuseElsewhere(before, settings)
      const hasToken = sealed === undefined ? before.hasToken : sealed !== null
      const next: Repository = { ...before, settings, hasToken, updatedAt: clock.nowMs() }
      await transaction.saveRepository(next)
      if (sealed !== undefined) await keepToken(transaction, id, sealed)
      await refreshPlans(transaction)
      const detail = { id, remote: settings.remote, hasToken, tokenChanged: sealed !== undefined }
      await transaction.appendAudit(audited(operator, 'repository.change', settings.name, detail))
      return next
    })
    onSettings()
    return changed
  }

  async function remove(reference: string, operator: string): Promise<RepositoryId> {
    const { id } = await get(reference)
    await store.transact(async (transaction) => {
      const repository = await resolveRepository(transaction, id)
      await refuseUsed(transaction, repository, 'removed')
      await transaction.removeRepository(id)
      await keepToken(transaction, id, null)
      const { name } = repository.settings
      await transaction.appendAudit(audited(operator, 'repository.remove', name, { id }))
    })
    onSettings()
    // A copy that stays is waste and no harm: its repository is gone, and nobody asks for it.
    await mirrors
      .remove(id)
      .catch((error: unknown) => dependencies.logger.warn({ err: error, id }, 'the mirror could not be removed'))
    return id
  }

  async function refresh(
    reference: string,
    { force }: { readonly force: boolean },
    operator: string,
  ): Promise<Repository> {
    const { id, settings } = await get(reference)
    // Who threw commits of a checkout away is on record before it happens.
    if (force)
      await store.transact((transaction) =>
        transaction.appendAudit(audited(operator, 'repository.reset', settings.name, { id })),
      )
    return (await fetching.fetch(id, { force })).repository
  }

  async function commits(reference: string, { ref, after, limit }: CommitQuery): Promise<Commit[]> {
    const repository = await get(reference)
    const from = await fetchedCommit({ mirrors }, repository, ref)
    const log = await mirrors.log(repository.id, { from, limit, ...(after === undefined ? {} : { after }) })
    const heads = Object.entries(repository.state.heads)
    return log.map((entry) => ({
      ...entry,
      refs: heads.filter(([, commit]) => commit === entry.commit).map(([name]) => name),
    }))
  }

  async function scan(
    reference: string,
    commit: CommitHash | null,
    signal: AbortSignal | undefined,
  ): Promise<ScanReport> {
    const repository = await get(reference)
    const ref: WantedRef = commit === null ? { kind: 'branch', name: null } : { kind: 'commit', commit }
    const wanted = await fetchedCommit({ mirrors }, repository, ref)
    return scans.of(repository, wanted, { anew: true, ...(signal === undefined ? {} : { signal }) })
  }

  async function allow(
    reference: string,
    { hash, reason, expiresAt }: AllowOrder,
    operator: string,
  ): Promise<AllowedFinding> {
    const { id } = await get(reference)
    const nowMs = clock.nowMs()
    if (expiresAt !== null && expiresAt <= nowMs)
      throw new AppError('INVALID_INPUT', 'That time has passed. Name a later one, or none.', {
        data: { field: 'expiresAt' },
      })
    return store.transact(async (transaction) => {
      const repository = await resolveRepository(transaction, id)
      const { settings } = repository
      const finding = (await currentFindings(transaction, repository)).find((candidate) => candidate.hash === hash)
      if (finding === undefined)
        throw new AppError('NOT_FOUND', `No current scan of "${settings.name}" has such a finding. Scan again.`, {
          data: { hash },
        })
      const { rule, file } = finding
      const entry = { repositoryId: id, hash, rule, file, reason, owner: operator, createdAt: nowMs, expiresAt }
      await transaction.saveAllowedFinding(entry)
      const detail = { id, hash, rule, file, reason, expiresAt }
      await transaction.appendAudit(audited(operator, 'repository.allow', settings.name, detail))
      return entry
    })
  }

  async function disallow(reference: string, hash: FindingHash, operator: string): Promise<FindingHash> {
    const { id } = await get(reference)
    await store.transact(async (transaction) => {
      const { settings } = await resolveRepository(transaction, id)
      const entry = (await transaction.listAllowedFindings(id)).find((candidate) => candidate.hash === hash)
      if (entry === undefined)
        throw new AppError('NOT_FOUND', `No finding of "${settings.name}" with this hash is allowed.`, {
          data: { hash },
        })
      await transaction.removeAllowedFinding(id, hash)
      const detail = { id, hash, rule: entry.rule, file: entry.file }
      await transaction.appendAudit(audited(operator, 'repository.disallow', settings.name, detail))
    })
    return hash
  }

  return {
    list: () => store.listRepositories(),
    get,
    add,
    change,
    remove,
    refresh,
    commits,
    findings: async (reference) => scans.newest(await get(reference)),
    scan,
    allowed: async (reference) => store.listAllowedFindings((await get(reference)).id),
    allow,
    disallow,
  }
}

/** Of the newest report and of what plans want: two branches have a report each. */
async function currentFindings(reader: StoreReader, repository: Repository): Promise<Finding[]> {
  const plans = await plansOf(reader, repository)
  const commits = new Set(plans.map(({ spec }) => resolveRef(repository, spec.ref)).filter((commit) => commit !== null))
  const newest = await reader.getScanReport(repository.id)
  const others = await Promise.all([...commits].map((commit) => reader.getScanReport(repository.id, commit)))
  return [newest, ...others].flatMap((report) => report?.findings ?? [])
}

/** Plans name a repository: another one of that name, or none, would be something else than what they meant. */
async function refuseUsed(
  transaction: StoreTransaction,
  repository: Repository,
  what: 'removed' | 'renamed',
): Promise<void> {
  const plans = await plansOf(transaction, repository)
  if (plans.length === 0) return
  const names = plans.map(({ name }) => `"${name}"`).join(', ')
  throw new AppError(
    'PRECONDITION_FAILED',
    `Repository "${repository.settings.name}" cannot be ${what}: ${names} deliver${plans.length === 1 ? 's' : ''} from it. Change or remove the plan first.`,
    { data: { plans: plans.map(({ id }) => id) } },
  )
}

/** A token was given for one server; whoever may change the remote must not have it sent to another. */
function refuseElsewhere({ hasToken, settings: before }: Repository, settings: RepositoryInput): void {
  const serverBefore = before.remote === null ? null : serverOf(before.remote)
  const server = settings.remote === null ? null : serverOf(settings.remote)
  if (!hasToken || server === serverBefore) return
  throw new AppError(
    'INVALID_INPUT',
    `The token of "${before.name}" is for ${serverBefore ?? 'no server over https'}, and the new remote lies on ${server ?? 'none'}. Give a token for that one too, or take the old one away.`,
    { data: { field: 'token' } },
  )
}
