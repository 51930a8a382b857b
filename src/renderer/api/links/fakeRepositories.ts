import { serverOf } from '../../../core/parse/gitUrl.ts'
import { judged } from '../../../core/repository/findings.ts'
import { AppError } from '../../../shared/errors.ts'
import type { PlanId, RepositoryId, RunId } from '../../../shared/model/ids.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import type { PlanOf } from '../../../shared/model/plan.ts'
import type {
  AllowedFinding,
  Commit,
  CommitHash,
  Finding,
  FindingHash,
  Repository,
  RepositoryInput,
  RepositoryTarget,
  ScanReport,
  WantedRef,
} from '../../../shared/model/repository.ts'
import type { Run } from '../../../shared/model/run.ts'
import type { FakeEngine } from './fakeEngine.ts'
import { fakeCommitHash, fakeDiagnosis, fakeDigest, fakeId } from './fakeFleet.ts'

export type FakeFinding = Omit<Finding, 'hash' | 'allowed'>

interface FakeRemote {
  /** Newest first. */
  commits: Commit[]
  findings: FakeFinding[]
}

/** Repositories of the engine that exists in this page only: one branch each, whose commits a test makes. */
export class FakeRepositories {
  readonly repositories = new Map<RepositoryId, Repository>()
  readonly allowed: AllowedFinding[] = []
  /** Tokens as they arrived; they are never given back. */
  readonly tokens = new Map<RepositoryId, string>()
  readonly #engine: FakeEngine
  readonly #remotes = new Map<RepositoryId, FakeRemote>()
  readonly #reports = new Map<RepositoryId, ScanReport>()
  /** What each revision of a plan meant. */
  readonly #meant = new Map<string, CommitHash>()
  /** By plan and node: what was verified there last. */
  readonly #last = new Map<string, CommitHash>()
  #commitCount = 0

  constructor(engine: FakeEngine) {
    this.#engine = engine
    engine.listen((message) => {
      if (message.kind === 'event' && message.event.change.kind === 'node.saved')
        this.#noteCommits(message.event.change.node)
    })
  }

  /** A verified run says which commit it brought, and which one was there before. */
  #noteCommits(node: FleetNode): void {
    let isNew = false
    const plans = node.plans.map((state) => {
      const { observed } = state
      if (observed === null || observed.commit !== undefined) return state
      const commit = this.#meantBy(state.planId, observed.revision)
      if (commit === null) return state
      isNew = true
      const before = this.#last.get(`${state.planId} ${node.id}`)
      this.#last.set(`${state.planId} ${node.id}`, commit)
      return {
        ...state,
        observed: { ...observed, commit, ...(before === undefined ? {} : { previousCommit: before }) },
      }
    })
    if (isNew) this.#engine.saveNode({ ...node, plans })
  }

  #meantBy(planId: PlanId, revision: number): CommitHash | null {
    const plan = this.#engine.plans.get(planId)
    if (plan?.kind !== 'repository') return null
    const noted = this.#meant.get(`${planId} ${revision}`)
    if (noted !== undefined || plan.revision !== revision) return noted ?? null
    return this.resolve(this.find(plan.spec.repository), plan.spec.ref)
  }

  /** @throws AppError `NOT_FOUND` */
  find(reference: string): Repository {
    const found = [...this.repositories.values()].find(
      ({ id, settings }) => id === reference || settings.name === reference,
    )
    if (found === undefined) throw new AppError('NOT_FOUND', `There is no repository called ${reference}.`)
    return found
  }

  save(repository: Repository): Repository {
    const saved = { ...repository, updatedAt: this.#engine.now() }
    this.repositories.set(saved.id, saved)
    this.#engine.commit({ kind: 'repositories.changed' })
    return saved
  }

  add(settings: RepositoryInput, token?: string): Repository {
    if ([...this.repositories.values()].some((each) => each.settings.name === settings.name))
      throw new AppError('CONFLICT', `There is a repository called ${settings.name} already. Choose another name.`)
    const id = fakeId<RepositoryId>(11, this.repositories.size + 1)
    if (token !== undefined) this.tokens.set(id, token)
    const now = this.#engine.now()
    const state = { heads: {}, fetchedAt: null, diagnosis: null, warnings: [] }
    return this.save({ id, settings, hasToken: token !== undefined, state, createdAt: now, updatedAt: now })
  }

  change(reference: string, settings: RepositoryInput, token: string | null | undefined): Repository {
    const before = this.find(reference)
    const serverFor = ({ remote }: RepositoryInput) => (remote === null ? null : serverOf(remote))
    if (token === undefined && this.tokens.has(before.id) && serverFor(settings) !== serverFor(before.settings))
      throw new AppError('INVALID_INPUT', 'The token is for another server. Give one for the new remote too.', {
        data: { field: 'token' },
      })
    if (token === null) this.tokens.delete(before.id)
    if (typeof token === 'string') this.tokens.set(before.id, token)
    return this.save({ ...before, settings, hasToken: this.tokens.has(before.id) })
  }

  remove(reference: string): RepositoryId {
    const { id, settings } = this.find(reference)
    const [plan] = this.plansOf(settings.name)
    if (plan !== undefined)
      throw new AppError(
        'PRECONDITION_FAILED',
        `The plan ${plan.name} delivers from ${settings.name}. Remove it first.`,
      )
    this.repositories.delete(id)
    this.#engine.commit({ kind: 'repositories.changed' })
    return id
  }

  remoteOf(id: RepositoryId): FakeRemote {
    const remote = this.#remotes.get(id) ?? { commits: [], findings: [] }
    this.#remotes.set(id, remote)
    return remote
  }

  /** Somebody commits; nothing here knows of it until the next fetch. */
  commit(id: RepositoryId, subject: string, author = 'ana', atMs = this.#engine.now()): CommitHash {
    this.#commitCount += 1
    const commit = fakeCommitHash(this.#commitCount)
    this.remoteOf(id).commits.unshift({ commit, author, committedAt: atMs, subject, refs: [] })
    return commit
  }

  fetch(reference: string): Repository {
    const repository = this.find(reference)
    const head = this.remoteOf(repository.id).commits[0]?.commit
    const before = repository.state.heads
    const heads = head === undefined ? before : { ...before, [repository.settings.defaultBranch]: head }
    const fetched = this.save({
      ...repository,
      state: { ...repository.state, heads, fetchedAt: this.#engine.now(), diagnosis: null },
    })
    if (JSON.stringify(heads) !== JSON.stringify(before))
      for (const plan of this.plansOf(repository.settings.name)) this.want(plan, plan.spec.ref)
    return fetched
  }

  plansOf(name: string): PlanOf<'repository'>[] {
    return [...this.#engine.plans.values()].flatMap((plan) =>
      plan.kind === 'repository' && plan.spec.repository === name ? [plan] : [],
    )
  }

  /** @throws AppError `NOT_FOUND` */
  plan(reference: string): PlanOf<'repository'> {
    const found = [...this.#engine.plans.values()].find(({ id, name }) => id === reference || name === reference)
    if (found?.kind === 'repository') return found
    throw new AppError('NOT_FOUND', `There is no plan of kind repository called ${reference}.`)
  }

  resolve({ settings, state }: Repository, ref: WantedRef): CommitHash | null {
    if (ref.kind === 'commit') return ref.commit
    return state.heads[ref.kind === 'tag' ? `tags/${ref.name}` : (ref.name ?? settings.defaultBranch)] ?? null
  }

  /** The plan at its next revision, which means what the ref does now. */
  want(plan: PlanOf<'repository'>, ref: WantedRef): PlanOf<'repository'> {
    const revision = plan.revision + 1
    const commit = this.resolve(this.find(plan.spec.repository), ref)
    if (commit !== null) this.#meant.set(`${plan.id} ${revision}`, commit)
    const wanted = {
      ...plan,
      spec: { ...plan.spec, ref },
      revision,
      digest: fakeDigest(revision),
      updatedAt: this.#engine.now(),
    }
    this.#engine.savePlan(wanted)
    return wanted
  }

  /** Commits of the line that ends at `commit`, newest first. */
  line({ id, settings, state }: Repository, from: CommitHash | null): Commit[] {
    const { commits } = this.remoteOf(id)
    const start = commits.findIndex(({ commit }) => commit === from)
    const names = new Map(
      Object.entries({ [settings.defaultBranch]: undefined, ...state.heads }).map(([name, commit]) => [name, commit]),
    )
    return (start === -1 ? [] : commits.slice(start)).map((each) => ({
      ...each,
      refs: [...names].flatMap(([name, commit]) => (commit === each.commit ? [name] : [])),
    }))
  }

  targets(repository: Repository): RepositoryTarget[] {
    const { commits } = this.remoteOf(repository.id)
    const position = new Map(commits.map(({ commit }, index) => [commit, index]))
    return this.plansOf(repository.settings.name).flatMap((plan) => {
      const desired = this.resolve(repository, plan.spec.ref)
      const wantedAt = desired === null ? undefined : position.get(desired)
      return [...this.#engine.nodes.values()].flatMap((node): RepositoryTarget[] => {
        const state = node.plans.find(({ planId }) => planId === plan.id)
        if (state === undefined) return []
        const observed = state.observed?.commit ?? null
        const isAt = observed === null ? undefined : position.get(observed)
        return [
          {
            planId: plan.id,
            nodeId: node.id,
            directory: plan.spec.targets[node.name] ?? plan.spec.target,
            desired,
            observed,
            verifiedAt: state.observed?.verifiedAt ?? null,
            behind: wantedAt === undefined || isAt === undefined || isAt < wantedAt ? null : isAt - wantedAt,
            previous: state.observed?.previousCommit ?? null,
            runId: state.lastRunId,
          },
        ]
      })
    })
  }

  report(id: RepositoryId): ScanReport | null {
    const report = this.#reports.get(id)
    return report === undefined ? null : this.#judged(report)
  }

  #judged(report: ScanReport): ScanReport {
    const settings = this.find(report.repositoryId).settings.scan
    const allowed = this.allowed.filter(({ repositoryId }) => repositoryId === report.repositoryId)
    return judged(report, { settings, allowed, nowMs: this.#engine.now() })
  }

  scan(repository: Repository, commit = this.resolve(repository, { kind: 'branch', name: null })): ScanReport {
    if (commit === null)
      throw new AppError('REF_NOT_FOUND', `Nothing was fetched of ${repository.settings.name} yet. Fetch it first.`)
    const { findings } = this.remoteOf(repository.id)
    const report: ScanReport = {
      repositoryId: repository.id,
      commit,
      status: 'clean',
      scannedAt: this.#engine.now(),
      durationMs: 840,
      tool: 'builtin 1',
      scope: { kind: 'full' },
      filesScanned: 3010,
      findings: findings.map((finding, index) => ({
        ...finding,
        hash: fakeDigest(9000 + index) as FindingHash,
        allowed: false,
      })),
      findingsTotal: findings.length,
      ignoredDirectives: findings.length === 0 ? [] : [{ file: 'deploy/values.yaml', line: 12 }],
      skipped: [{ file: 'assets/logo.png', reason: 'binary' }],
      diagnosis: null,
    }
    this.#reports.set(repository.id, report)
    this.#engine.commit({ kind: 'repositories.changed' })
    return this.#judged(report)
  }

  allow(
    repository: Repository,
    hash: FindingHash,
    words: Pick<AllowedFinding, 'reason' | 'expiresAt'>,
  ): AllowedFinding {
    const finding = this.report(repository.id)?.findings.find((each) => each.hash === hash)
    if (finding === undefined) throw new AppError('NOT_FOUND', 'The newest report has no such finding.')
    const { rule, file } = finding
    const entry = {
      repositoryId: repository.id,
      hash,
      rule,
      file,
      ...words,
      owner: 'ana@desk',
      createdAt: this.#engine.now(),
    }
    this.disallow(repository, hash)
    this.allowed.push(entry)
    this.#engine.commit({ kind: 'repositories.changed' })
    return entry
  }

  disallow(repository: Repository, hash: FindingHash): void {
    const at = this.allowed.findIndex((each) => each.repositoryId === repository.id && each.hash === hash)
    if (at !== -1) this.allowed.splice(at, 1)
    this.#engine.commit({ kind: 'repositories.changed' })
  }

  /** What runs come to whose content must not be sent. */
  holdBack(runs: readonly Run[], report: ScanReport): Run[] {
    const open = report.findings.filter(({ allowed }) => !allowed)
    return runs.map((run) => {
      const diagnosis = fakeDiagnosis(
        'SECRETS_FOUND',
        `Held back: ${open.length} places in commit ${report.commit.slice(0, 10)} look like secrets. Nothing was sent to ${run.nodeName}.`,
        'secrets found',
        open.map(({ rule, file, line }) => `${rule} ${file}:${line}`),
        ['none', 'See the findings'],
      )
      const halt = { reason: 'secrets-found' as const, diagnosis, haltedAt: this.#engine.now(), deletePreview: null }
      const node = this.#engine.node(run.nodeId)
      this.#engine.saveNode({
        ...node,
        activeRunId: null,
        haltedRunId: run.id,
        status: 'pending_sync',
        statusReason: diagnosis,
      })
      return this.#engine.saveRun({ ...run, status: 'halted', state: 'PRE_FLIGHT_CHECK', halt })
    })
  }

  /** A history as if deliveries had happened: every node of a plan at a commit, `behind` of them some commits back. */
  seedDelivered(planId: PlanId, behind: (index: number) => number | null): void {
    const plan = this.plan(planId)
    const repository = this.find(plan.spec.repository)
    const line = this.line(repository, this.resolve(repository, plan.spec.ref))
    let index = 0
    for (const node of [...this.#engine.nodes.values()]) {
      const state = node.plans.find((each) => each.planId === planId)
      if (state === undefined) continue
      const back = behind(index)
      index += 1
      if (back === null) continue
      const [at, before] = [line[back]?.commit, line[back + 1]?.commit]
      if (at === undefined) continue
      this.#last.set(`${planId} ${node.id}`, at)
      const observed = {
        revision: Math.max(1, plan.revision - back),
        digest: fakeDigest(plan.revision - back),
        verifiedAt: this.#engine.now() - (index % 50) * 61_000,
        runId: fakeId<RunId>(3, index),
        commit: at,
        ...(before === undefined ? {} : { previousCommit: before }),
      }
      const plans = node.plans.map((each) =>
        each.planId === planId ? { ...each, observed, lastRunId: observed.runId } : each,
      )
      this.#engine.saveNode({ ...node, plans })
    }
  }
}
