import { dirname } from 'node:path'
import { refWords, resolveRef, shortCommit } from '../../core/repository/resolveRef.ts'
import { unsearchedFiles } from '../../core/scan/skipped.ts'
import { AppError } from '../../shared/errors.ts'
import type { CommitHash, Repository, ScanReport } from '../../shared/model/repository.ts'
import type { PreparedTree, RepositoryTrees } from '../ports.ts'
import { type RepositoryParts, type RepositoryPlan, resolveRepository } from './parts.ts'
import type { Scans } from './scans.ts'
import { wantedCommit } from './wanted.ts'

type Dependencies = Pick<RepositoryParts, 'store' | 'mirrors'> & { readonly scans: Scans }

/** What runs deliver: a snapshot of one commit, searched for secrets before anybody gets it. */
export function createRepositoryTrees({ store, mirrors, scans }: Dependencies): RepositoryTrees {
  return {
    wanted: (plan, reader = store) => wantedCommit(plan, reader),

    prepare: async (plan, { signal, log }): Promise<PreparedTree> => {
      const repository = await resolveRepository(store, plan.spec.repository)
      const commit = await fetchedCommit({ mirrors }, repository, plan.spec.ref)
      log(`commit ${commit} (${refWords(plan.spec.ref, repository.settings.defaultBranch)})`)
      const snapshot = await mirrors.snapshot(repository, commit, {
        dotGit: !plan.spec.excludeDotGit,
        signal,
        onOutput: log,
      })
      try {
        const scan = await scans.of(repository, commit, { signal })
        log(scanWords(scan))
        return {
          commit,
          directory: snapshot.directory,
          scratch: dirname(snapshot.directory),
          scan,
          release: () => snapshot.release(),
        }
      } catch (error) {
        snapshot.release()
        throw error
      }
    },
  }
}

/** @throws REF_NOT_FOUND for a ref that was not fetched, and for a commit that is not in the mirror */
export async function fetchedCommit(
  { mirrors }: Pick<RepositoryParts, 'mirrors'>,
  repository: Repository,
  ref: RepositoryPlan['spec']['ref'],
): Promise<CommitHash> {
  const commit = resolveRef(repository, ref)
  if (commit === null) throw notFetched(repository, ref)
  if (ref.kind === 'commit' && !(await mirrors.has(repository.id, commit))) throw notFetched(repository, ref)
  return commit
}

function notFetched({ settings, state }: Repository, ref: RepositoryPlan['spec']['ref']): AppError {
  const what = `The ${refWords(ref, settings.defaultBranch)} of repository "${settings.name}"`
  const advice =
    state.fetchedAt === null
      ? 'nothing was fetched yet. Sync the repository first.'
      : 'it is not in what was fetched last. Correct the ref, or sync the repository.'
  return new AppError('REF_NOT_FOUND', `${what} is not here: ${advice}`, { data: { repository: settings.name } })
}

/** For the log of a run: rules and places, never values. */
function scanWords(scan: ScanReport): string {
  if (scan.status === 'off') return 'scan for secrets: not asked for'
  if (scan.status === 'failed') return `scan for secrets failed: ${scan.diagnosis?.sentence ?? 'no cause is known'}`
  const open = scan.findings.filter(({ allowed }) => !allowed)
  const where = open.slice(0, 20).map(({ file, line, rule }) => `\n  ${file}:${line} ${rule}`)
  const scope = scan.scope.kind === 'full' ? 'whole tree' : `changed since ${shortCommit(scan.scope.since)}`
  const unsearched = unsearchedFiles(scan.skipped)
  const blind = unsearched === null ? '' : `; ${unsearched.words}`
  return `scan for secrets (${scan.tool}, ${scope}): ${scan.findingsTotal} found, ${open.length} not allowed${blind}${where.join('')}`
}
