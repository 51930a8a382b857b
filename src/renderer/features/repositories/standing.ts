import type { Repository, ScanReport } from '../../../shared/model/repository.ts'

/** What a repository is first of all, worst first. */
const standings = ['failing', 'blocked', 'warned', 'new', 'fine'] as const
export type RepositoryStanding = (typeof standings)[number]

export const standingWords: Readonly<Record<RepositoryStanding, string>> = {
  failing: 'cannot be fetched',
  blocked: 'held back',
  warned: 'fetched, warning',
  new: 'never fetched',
  fine: 'fetched',
}

export const standingRank = (standing: RepositoryStanding): number => standings.indexOf(standing)

/** What was fetched before a failure stays in force; that is why a failure alone delivers nothing wrong. */
export function standingOf({ state, settings }: Repository, report: ScanReport | null): RepositoryStanding {
  if (state.diagnosis !== null) return 'failing'
  const held = report?.status === 'blocked' || report?.status === 'failed'
  if (held && settings.scan.enabled) return 'blocked'
  if (state.fetchedAt === null) return 'new'
  return state.warnings.length > 0 ? 'warned' : 'fine'
}
