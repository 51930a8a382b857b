import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { ScanReport } from '../../shared/model/repository.ts'
import { runCause } from './causes.ts'

/*
 * The causes that a run of kind `repository` finds out by itself, in words.
 */

const editPlan = { kind: 'edit-plan', label: 'Correct the path' } as const

const short = (commit: string): string => commit.slice(0, 12)

/** Findings that nobody allowed: rules and places, never a value (S2.17, S2.33). */
export function secretsFound(repository: string, scan: ScanReport): Diagnosis {
  const open = scan.findings.filter(({ allowed }) => !allowed)
  const unseen = scan.findingsTotal - scan.findings.length
  const places = open.length + unseen
  return runCause('SECRETS_FOUND', {
    sentence: `Commit ${short(scan.commit)} of "${repository}" holds ${places} ${places === 1 ? 'place that looks' : 'places that look'} like secrets, so nothing was sent. Take them out of the repository, or allow each of them with a reason; then approve to check again.`,
    short: 'secrets found',
    evidence: [
      ...open.slice(0, 20).map(({ rule, file, line }) => `${rule} in ${file}, line ${line}`),
      ...(places > 20 ? [`and ${places - 20} more`] : []),
    ],
    nextAction: { kind: 'resync', label: 'Check again' },
  })
}

/** Who cannot search cannot say that there is nothing. */
export const scanFailed = (repository: string, scan: ScanReport): Diagnosis =>
  runCause('SCAN_FAILED', {
    sentence: `Commit ${short(scan.commit)} of "${repository}" could not be searched for secrets, so nothing was sent. ${scan.diagnosis?.sentence ?? 'Look at the scan report of the repository.'}`,
    short: 'scan failed',
    evidence: scan.diagnosis?.evidence ?? [],
  })

export const sentinelMismatch = (nodeName: string, sentinel: string, commit: string, found: string | null): Diagnosis =>
  runCause('SENTINEL_MISMATCH', {
    sentence: `${sentinel} on ${nodeName} does not name commit ${short(commit)}, which was sent there. Somebody else writes there; find out who, then sync again.`,
    short: 'sentinel differs',
    evidence: [`sent ${commit}`, found === null ? 'found no sentinel' : `found ${found.slice(0, 100)}`],
  })

export const targetIsMountPoint = (nodeName: string, resolved: string): Diagnosis =>
  runCause('REMOTE_PATH_INVALID', {
    sentence: `The target on ${nodeName} (${resolved}) is the root of a file system of its own. Name a directory below it.`,
    short: 'target is mount point',
    nextAction: editPlan,
  })

/** Something that we did not put there stands where one of our names goes. */
export const targetHoldsForeign = (nodeName: string, name: string): Diagnosis =>
  runCause('REMOTE_PATH_INVALID', {
    sentence: `"${name}" in the target on ${nodeName} is not what a sync puts there, and is not replaced. Move it away, or name another target.`,
    short: 'target holds foreign',
    nextAction: editPlan,
  })
