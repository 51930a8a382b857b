import { type ReactNode, useState } from 'react'
import type { AllowedFinding, Repository, ScanReport } from '../../../../shared/model/repository.ts'
import { Button } from '../../../components/Button.tsx'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { Fact, Facts } from '../../../components/Facts.tsx'
import { formatCount, formatDuration, plural } from '../../../components/format.ts'
import { FillMark } from '../../../components/StatusMark.tsx'
import { Time } from '../../../components/Time.tsx'
import { VirtualList } from '../../../components/VirtualList.tsx'
import { useStale } from '../../../stores/ReplicaContext.tsx'
import { cli, openFindings, scanWords, shortHash } from '../repositoryWords.ts'
import { DisallowDialog } from './DisallowDialog.tsx'

interface ScanFactsProps {
  readonly repository: Repository
  readonly report: ScanReport
  readonly allowed: readonly AllowedFinding[]
  readonly action: ReactNode
}

const fillOf: Readonly<Record<ScanReport['status'], 'in-step' | 'halted' | 'pending' | 'error' | 'never-synced'>> = {
  clean: 'in-step',
  blocked: 'halted',
  findings: 'pending',
  failed: 'error',
  off: 'never-synced',
}

/** What was searched and how, what was not looked into, and what a person has allowed. */
export function ScanFacts({ repository, report, allowed, action }: ScanFactsProps) {
  const found = new Set(report.findings.map(({ hash }) => hash))
  const elsewhere = allowed.filter(({ hash }) => !found.has(hash))
  return (
    <div className="flex flex-col gap-5">
      <section aria-label="What the scan came to" className="flex flex-col gap-2">
        <p role="status" className="flex items-start gap-2 text-15">
          <span aria-hidden className="mt-1 inline-flex">
            <FillMark
              fill={openFindings(report) === 0 && report.status === 'findings' ? 'in-step' : fillOf[report.status]}
            />
          </span>
          {scanWords(report)}
        </p>
        {report.diagnosis !== null && <p className="text-error">{report.diagnosis.sentence}</p>}
        <Facts>
          <Fact name="Commit">
            <code className="text-12" title={report.commit}>
              {shortHash(report.commit)}
            </code>
          </Fact>
          <Fact name="Scanned">
            <Time at={report.scannedAt} />, in {formatDuration(report.durationMs)}
          </Fact>
          <Fact name="Searched">
            {plural(report.filesScanned, 'file')}
            {report.scope.kind === 'changed' && `: those that changed since ${shortHash(report.scope.since)}`}
          </Fact>
          <Fact name="With">{report.tool}</Fact>
        </Facts>
        <div>{action}</div>
        <CliEquivalent command={cli.scan(repository.settings.name)} />
      </section>
      <Places
        title="Told to look away, and did not"
        hint="Comments in the files that tell a scanner to ignore a line. They are not obeyed: allow a finding here instead."
        items={report.ignoredDirectives.map(({ file, line }) => `${file}:${line}`)}
      />
      <Places
        title="Not looked into"
        hint="A secret in one of these would not be found; where keys and tokens were searched for, other secrets would not."
        items={report.skipped.map(({ file, reason }) => `${file} (${reason})`)}
      />
      {elsewhere.length > 0 && <Elsewhere repository={repository} entries={elsewhere} />}
    </div>
  )
}

const rowHeight = 20
const shownRows = 10

function Places({
  title,
  hint,
  items,
}: {
  readonly title: string
  readonly hint: string
  readonly items: readonly string[]
}) {
  if (items.length === 0) return null
  return (
    <section aria-label={title} className="flex flex-col gap-1">
      <h3 className="text-12 font-semibold text-faint">
        {title}: {formatCount(items.length)}
      </h3>
      <p className="text-12 text-muted">{hint}</p>
      <div
        className="rounded-md border bg-ground"
        style={{ height: Math.min(items.length, shownRows) * rowHeight + 2 }}
      >
        <VirtualList
          label={title}
          items={items.map((text, index) => ({ text, index }))}
          itemKey={({ index }) => String(index)}
          rowHeight={rowHeight}
          renderItem={({ text }) => (
            <code className="block truncate px-2 text-12 leading-5" title={text}>
              {text}
            </code>
          )}
        />
      </div>
    </section>
  )
}

/** Entries whose finding is not in the newest report: removed since, or in another commit. */
function Elsewhere({
  repository,
  entries,
}: {
  readonly repository: Repository
  readonly entries: readonly AllowedFinding[]
}) {
  const stale = useStale()
  const [ending, setEnding] = useState<AllowedFinding | null>(null)
  return (
    <section aria-label="Allowed and not found any more" className="flex flex-col gap-1">
      <h3 className="text-12 font-semibold text-faint">
        Allowed, and not found any more: {formatCount(entries.length)}
      </h3>
      <ul className="flex flex-col gap-1">
        {entries.map((entry) => (
          <li key={entry.hash} className="flex items-center gap-2">
            <span className="min-w-0 flex-1">
              <code className="block truncate text-12" title={entry.file}>
                {entry.file}
              </code>
              <span className="block truncate text-12 text-muted" title={entry.reason}>
                {entry.rule}, {entry.owner}: {entry.reason}
              </span>
            </span>
            <Button size="small" disabled={stale} onClick={() => setEnding(entry)}>
              End…
            </Button>
          </li>
        ))}
      </ul>
      {ending !== null && <DisallowDialog repository={repository} entry={ending} onClose={() => setEnding(null)} />}
    </section>
  )
}
