import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { canSearchAlone, carriedOver, judged, mostFindings, scanBase } from '../../core/repository/findings.ts'
import { unsearchedFirst } from '../../core/scan/skipped.ts'
import { AppError, toAppError } from '../../shared/errors.ts'
import type { RepositoryId } from '../../shared/model/ids.ts'
import type { CommitHash, Repository, ScanReport } from '../../shared/model/repository.ts'

import { causeOf } from './diagnosis.ts'
import type { RepositoryParts } from './parts.ts'
import { SharedWork } from './sharedWork.ts'

export interface Scans {
  /**
   * The report of a commit, with what is allowed now. The tree is searched where no report of the same search is kept:
   * once for all who ask at the same time. A search that fails is a report too.
   *
   * @throws CANCELED, and what the mirror throws
   */
  of(repository: Repository, commit: CommitHash, options: ScanOptions): Promise<ScanReport>
  /** The newest report as of now; null: never scanned. */
  newest(repository: Repository): Promise<ScanReport | null>
  stop(): Promise<void>
}

export interface ScanOptions {
  readonly signal?: AbortSignal
  /** Searches the whole tree whatever is kept. */
  readonly anew?: boolean
}

type Dependencies = Pick<RepositoryParts, 'store' | 'clock' | 'logger' | 'mirrors' | 'scanner' | 'secrets'>

export function createScans(dependencies: Dependencies): Scans {
  const { store, clock } = dependencies
  const shared = new SharedWork<ScanReport>()
  /** A thousand runs of one commit ask the scanner once who it is. */
  const looks = new SharedWork<ScanReport | null>()

  async function judgedNow(repository: Repository, report: ScanReport): Promise<ScanReport> {
    const allowed = await store.listAllowedFindings(repository.id)
    return judged(report, { settings: repository.settings.scan, allowed, nowMs: clock.nowMs() })
  }

  async function kept(repository: Repository, commit: CommitHash): Promise<ScanReport | null> {
    const report = await store.getScanReport(repository.id, commit)
    if (report === null || report.status === 'failed' || report.status === 'off') return null
    return report.tool === (await searchOf(dependencies, repository)) ? report : null
  }

  return {
    of: async (repository, commit, { signal, anew = false }) => {
      const { scan } = repository.settings
      if (!scan.enabled && !anew) return notAskedFor(repository.id, commit, clock.nowMs())
      const key = JSON.stringify([repository.id, commit, repository.settings, anew])
      const known = anew ? null : await looks.join(key, signal, () => kept(repository, commit).catch(() => null))
      if (known !== null) return judgedNow(repository, known)
      const report = await shared.join(key, signal, (working) =>
        new Search(dependencies, { repository, commit, anew, signal: working }).run(),
      )
      return judgedNow(repository, report)
    },
    newest: async (repository) => {
      const report = await store.getScanReport(repository.id)
      return report === null ? null : judgedNow(repository, report)
    },
    stop: () => shared.stop(),
  }
}

/**
 * What searched, and in what: content of large files and submodules makes another tree of the same commit.
 * @throws what the scanner throws
 */
async function searchOf({ scanner }: Pick<Dependencies, 'scanner'>, { settings }: Repository): Promise<string> {
  return withForm(await scanner.describe(settings.scan), settings)
}

function withForm(tool: string, { submodules, largeFiles }: Repository['settings']): string {
  const form = [...(submodules ? ['submodules'] : []), ...(largeFiles === 'fetch' ? ['large files'] : [])]
  return [tool, ...form].join(' + ')
}

function notAskedFor(repositoryId: RepositoryId, commit: CommitHash, nowMs: number): ScanReport {
  return {
    repositoryId,
    commit,
    status: 'off',
    scannedAt: nowMs,
    durationMs: 0,
    tool: '',
    scope: { kind: 'full' },
    filesScanned: 0,
    findings: [],
    findingsTotal: 0,
    ignoredDirectives: [],
    skipped: [],
    diagnosis: null,
  }
}

interface SearchOrder {
  readonly repository: Repository
  readonly commit: CommitHash
  readonly anew: boolean
  readonly signal: AbortSignal
}

/** Files that changed since a commit that was searched the same way, and its report. */
interface Base {
  readonly since: CommitHash
  readonly changed: readonly string[]
  readonly report: ScanReport
}

/** One search of the snapshot of one commit. */
class Search {
  readonly #dependencies: Dependencies
  readonly #order: SearchOrder

  constructor(dependencies: Dependencies, order: SearchOrder) {
    this.#dependencies = dependencies
    this.#order = order
  }

  async run(): Promise<ScanReport> {
    const { mirrors, store, clock, logger } = this.#dependencies
    const { repository, commit, signal } = this.#order
    const beganMs = clock.monotonicMs()
    // The files alone, also where a `.git` goes over with them: that holds the same content, packed.
    const snapshot = await mirrors.snapshot(repository, commit, { dotGit: false, signal })
    let report: ScanReport
    try {
      report = await this.#search(snapshot.directory)
    } catch (thrown) {
      const error = toAppError(thrown)
      if (signal.aborted || error.code === 'CANCELED') throw error
      logger.error({ repository: repository.settings.name, code: error.code, reason: error.message }, 'scan failed')
      const failed = notAskedFor(repository.id, commit, clock.nowMs())
      report = { ...failed, status: 'failed', diagnosis: causeOf(error) }
    } finally {
      snapshot.release()
    }
    const timed = { ...report, durationMs: Math.max(0, Math.round(clock.monotonicMs() - beganMs)) }
    await store.transact(async (transaction) => {
      // It may have been removed meanwhile, with all its reports.
      if ((await transaction.getRepository(repository.id)) !== null) await transaction.saveScanReport(timed)
    })
    this.#tell(timed)
    return timed
  }

  async #search(directory: string): Promise<ScanReport> {
    const { scanner, secrets, clock } = this.#dependencies
    const { repository, commit, signal } = this.#order
    const { settings, id } = repository
    const base = await this.#base()
    const outcome = await scanner.scan({
      directory,
      files: base?.changed ?? null,
      settings: settings.scan,
      salt: await secrets.salt(id),
      signal,
    })
    const earlier = base === null ? null : await carriedFrom(base, directory)
    const findings = [...(earlier?.findings ?? []), ...outcome.findings.map((found) => ({ ...found, allowed: false }))]
    return {
      ...notAskedFor(id, commit, clock.nowMs()),
      status: 'clean',
      tool: withForm(outcome.tool, settings),
      scope: base === null ? { kind: 'full' } : { kind: 'changed', since: base.since },
      filesScanned: outcome.filesScanned,
      findings: findings.slice(0, mostFindings),
      findingsTotal: findings.length,
      ignoredDirectives: bounded([...(earlier?.ignoredDirectives ?? []), ...outcome.ignoredDirectives]),
      skipped: bounded(unsearchedFirst([...(earlier?.skipped ?? []), ...outcome.skipped])),
    }
  }

  async #base(): Promise<Base | null> {
    const { store, mirrors } = this.#dependencies
    const { repository, commit, anew } = this.#order
    // What a submodule holds changes without the name of any of its files.
    if (anew || repository.settings.submodules) return null
    const newest = await store.getScanReport(repository.id)
    const since = scanBase(newest, await searchOf(this.#dependencies, repository))
    if (newest === null || since === null || since === commit) return null
    const changed = await mirrors.changedFiles(repository.id, since, commit)
    return changed === null || !canSearchAlone(changed) ? null : { since, changed, report: newest }
  }

  #tell(report: ScanReport): void {
    const { logger } = this.#dependencies
    const { name } = this.#order.repository.settings
    const fields = {
      repository: name,
      commit: report.commit,
      files: report.filesScanned,
      findings: report.findingsTotal,
    }
    if (report.findingsTotal > 0)
      logger.warn(fields, 'secrets found: nothing with them is sent unless they are allowed')
    else if (report.status !== 'failed') logger.info(fields, 'scanned')
  }
}

/** Lists that a person reads, not ones that fill a database. */
const bounded = <Entry>(entries: readonly Entry[]): Entry[] => entries.slice(0, mostFindings)

async function carriedFrom({ report, changed }: Base, directory: string): Promise<ReturnType<typeof carriedOver>> {
  const searched = new Set(changed)
  const there = new Map<string, boolean>()
  for (const { file } of [...report.findings, ...report.ignoredDirectives, ...report.skipped])
    if (!there.has(file) && !searched.has(file)) there.set(file, await exists(join(directory, file)))
  return carriedOver(report, (file) => there.get(file) === true)
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') return false
    throw new AppError('SCAN_FAILED', 'A file of the snapshot cannot be looked at. Sync again.', { cause: error })
  }
}
