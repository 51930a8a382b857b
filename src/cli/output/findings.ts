import type { DirectoryScan } from '../../daemon/scanDirectory.ts'
import type { AllowedFinding, ScanReport } from '../../shared/model/repository.ts'
import { printableLine } from './printable.ts'
import { bad, faint, good, type Paint, waiting } from './style.ts'
import { renderFacts, renderTable } from './table.ts'
import { durationWords, isoTime, isoTimeOr, plural } from './words.ts'

const statusPaint: Readonly<Record<ScanReport['status'], Paint>> = {
  clean: good,
  blocked: bad,
  findings: waiting,
  failed: bad,
  off: faint,
}

const shownPlaces = 20

/** Rule, file and line of each finding; never a value. */
export function renderReport(report: ScanReport | null, allowed: readonly AllowedFinding[]): string {
  if (report === null) return 'Never scanned. Scan it with: lockstep repos scan REPOSITORY\n'
  const byHash = new Map(allowed.map((entry) => [entry.hash, entry]))
  const { status, scope, findings, findingsTotal, diagnosis } = report
  const facts = renderFacts([
    ['commit', report.commit],
    ['status', { text: status, paint: statusPaint[status] }],
    ['scanned', `${isoTime(report.scannedAt)} in ${durationWords(report.durationMs)}, with ${report.tool}`],
    [
      'searched',
      `${plural(report.filesScanned, 'file')}${scope.kind === 'changed' ? ` that changed since ${scope.since.slice(0, 10)}` : ''}`,
    ],
    ['failure', diagnosis === null ? null : { text: diagnosis.sentence, paint: bad }],
    ['findings', String(findingsTotal)],
  ])
  const table =
    findings.length === 0
      ? ''
      : `\n${renderTable(
          ['STANDING', 'RULE', 'FILE', 'MESSAGE', 'HASH'],
          findings.map(({ hash, rule, file, line, message, allowed: isAllowed }) => [
            isAllowed
              ? { text: allowedWords(byHash.get(hash)), paint: faint }
              : { text: byHash.has(hash) ? 'open, allowance expired' : 'open', paint: bad },
            rule,
            `${file}:${line}`,
            message,
            hash,
          ]),
        )}`
  return [
    facts,
    table,
    places(
      'told to look away, not obeyed',
      report.ignoredDirectives.map(({ file, line }) => `${file}:${line}`),
    ),
    places(
      'not looked into',
      report.skipped.map(({ file, reason }) => `${file} (${reason})`),
    ),
  ].join('')
}

const allowedWords = (entry: AllowedFinding | undefined): string =>
  entry === undefined ? 'allowed' : `allowed by ${entry.owner} until ${isoTimeOr(entry.expiresAt, 'further notice')}`

function places(title: string, lines: readonly string[]): string {
  if (lines.length === 0) return ''
  const more = lines.length - shownPlaces
  const shown = [...lines.slice(0, shownPlaces), ...(more > 0 ? [`and ${more} more`] : [])]
  return `\n${renderFacts(shown.map((line) => [title, line] as const))}`
}

export function renderAllowed(allowed: readonly AllowedFinding[]): string {
  if (allowed.length === 0) return 'Nothing is allowed.\n'
  return renderTable(
    ['RULE', 'FILE', 'OWNER', 'UNTIL', 'REASON', 'HASH'],
    allowed.map(({ rule, file, owner, expiresAt, reason, hash }) => [
      rule,
      file,
      owner,
      isoTimeOr(expiresAt, 'further notice'),
      reason,
      hash,
    ]),
  )
}

/** `file:line rule: what it looks like`, one line each, as compilers say it; never a value. */
export function renderDirectoryScan({ findings, filesScanned, tool }: DirectoryScan): string {
  const lines = findings.map(
    ({ file, line, rule, message }) => `${printableLine(`${file}:${line} ${rule}: ${message}`)}\n`,
  )
  return `${lines.join('')}${plural(findings.length, 'finding')} in ${plural(filesScanned, 'file')}, with ${tool}.\n`
}
