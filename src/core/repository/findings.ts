import type { AllowedFinding, FindingHash, RepositoryInput, ScanReport } from '../../shared/model/repository.ts'

/** Findings that are kept of one scan; more than this many are no list that a person goes through. */
export const mostFindings = 1000

/** Hashes that a person has allowed and that are still in force. */
export function inForce(
  allowed: readonly Pick<AllowedFinding, 'hash' | 'expiresAt'>[],
  nowMs: number,
): ReadonlySet<FindingHash> {
  return new Set(allowed.filter(({ expiresAt }) => expiresAt === null || expiresAt > nowMs).map(({ hash }) => hash))
}

interface Judge {
  readonly settings: Pick<RepositoryInput['scan'], 'blockOnSecrets'>
  readonly allowed: readonly Pick<AllowedFinding, 'hash' | 'expiresAt'>[]
  readonly nowMs: number
}

/**
 * A report as of now: what is allowed changes after a scan, and expires by itself. Findings that were too many to be kept
 * count as not allowed; a report with any finding is never called clean.
 */
export function judged(report: ScanReport, { settings, allowed, nowMs }: Judge): ScanReport {
  const hashes = inForce(allowed, nowMs)
  const findings = report.findings.map((finding) => ({ ...finding, allowed: hashes.has(finding.hash) }))
  if (report.status === 'failed' || report.status === 'off') return { ...report, findings }
  const open = findings.filter(({ allowed: isAllowed }) => !isAllowed).length + report.findingsTotal - findings.length
  if (open > 0 && settings.blockOnSecrets) return { ...report, findings, status: 'blocked' }
  return { ...report, findings, status: report.findingsTotal > 0 ? 'findings' : 'clean' }
}

/** Nothing with this report may be sent. A scan that failed has not said that there is nothing. */
export const blocksDelivery = ({ status }: Pick<ScanReport, 'status'>): boolean =>
  status === 'blocked' || status === 'failed'

/** Files that decide how others are read, or what a scanner looks at: with one of them changed everything is looked at. */
const governing: ReadonlySet<string> = new Set(['.gitattributes', '.gitmodules', '.gitleaks.toml', '.gitleaksignore'])

/** A name that is not UTF-8 cannot be told from another such name, so no report says which file it means. */
const isCertain = (file: string): boolean => !file.includes('\uFFFD')

/**
 * The commit whose report can be gone on from, so that only what changed since is searched; null: everything is. All of its
 * findings have to be known, or those in files that did not change would be lost.
 */
export function scanBase(
  newest: Pick<ScanReport, 'commit' | 'tool' | 'status' | 'findings' | 'findingsTotal'> | null,
  tool: string,
): ScanReport['commit'] | null {
  if (newest === null || newest.tool !== tool) return null
  if (newest.status === 'failed' || newest.status === 'off') return null
  const allKnown = newest.findings.length === newest.findingsTotal
  return allKnown && newest.findings.every(({ file }) => isCertain(file)) ? newest.commit : null
}

/** Whether these changes can be searched alone. */
export function canSearchAlone(changedFiles: readonly string[]): boolean {
  return changedFiles.every((file) => isCertain(file) && !governing.has(file.slice(file.lastIndexOf('/') + 1)))
}

type Found = Pick<ScanReport, 'findings' | 'ignoredDirectives' | 'skipped'>

/** What an earlier report says of files that did not change and are still there. */
export function carriedOver(earlier: Found, isUnchanged: (file: string) => boolean): Found {
  const kept = <Entry extends { readonly file: string }>(entries: readonly Entry[]): Entry[] =>
    entries.filter(({ file }) => isUnchanged(file))
  return {
    findings: kept(earlier.findings),
    ignoredDirectives: kept(earlier.ignoredDirectives),
    skipped: kept(earlier.skipped),
  }
}
