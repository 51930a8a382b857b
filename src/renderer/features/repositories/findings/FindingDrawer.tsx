import { useState } from 'react'
import type { AllowedFinding, CommitHash, Finding, Repository } from '../../../../shared/model/repository.ts'
import { Button } from '../../../components/Button.tsx'
import { Drawer } from '../../../components/Drawer.tsx'
import { Fact, Facts, LongText } from '../../../components/Facts.tsx'
import { Time } from '../../../components/Time.tsx'
import { useStale } from '../../../stores/ReplicaContext.tsx'
import { DisallowDialog } from './DisallowDialog.tsx'

interface FindingDrawerProps {
  readonly repository: Repository
  readonly finding: Finding
  readonly entry: AllowedFinding | null
  readonly commit: CommitHash | null
  readonly onClose: () => void
  readonly onAllow: () => void
}

/** One finding, who allowed it and why, and what is to be done about it. */
export function FindingDrawer({ repository, finding, entry, commit, onClose, onAllow }: FindingDrawerProps) {
  const stale = useStale()
  const [ending, setEnding] = useState(false)
  return (
    <Drawer
      label={`Finding in ${finding.file}`}
      paneName="finding drawer"
      onClose={onClose}
      header={
        <>
          <h2 className="text-15 font-semibold break-all">
            {finding.file}:{finding.line}
          </h2>
          <p className="text-muted">{finding.message}</p>
        </>
      }
    >
      <div className="flex flex-col gap-4 p-4">
        <Facts>
          <Fact name="Rule">
            <code className="text-12">{finding.rule}</code>
          </Fact>
          {commit !== null && (
            <Fact name="Commit">
              <LongText text={commit} what="commit" />
            </Fact>
          )}
          <Fact name="Hash">
            <LongText text={finding.hash} what="hash" />
          </Fact>
        </Facts>
        {entry !== null && (
          <section aria-label="Who allowed it" className="flex flex-col gap-1.5">
            <h3 className="text-12 font-semibold text-faint">
              {finding.allowed ? 'Allowed' : 'Was allowed, and is not any more'}
            </h3>
            <Facts>
              <Fact name="By">
                {entry.owner}, <Time at={entry.createdAt} />
              </Fact>
              <Fact name="Why">{entry.reason}</Fact>
              <Fact name="Until">{entry.expiresAt === null ? 'for good' : <Time at={entry.expiresAt} absolute />}</Fact>
            </Facts>
          </section>
        )}
        {!finding.allowed && (
          <div className="flex flex-col gap-2 text-muted">
            <p>
              Where it is a real secret, take it out of the file, commit, and change the secret itself: whoever has
              cloned the repository has it. Then sync again.
            </p>
            <p>Where it is none, or one that may lie here, allow it with a reason.</p>
          </div>
        )}
        <div className="flex gap-2">
          {finding.allowed ? (
            <Button disabled={stale || entry === null} onClick={() => setEnding(true)}>
              Allow it no longer…
            </Button>
          ) : (
            <Button disabled={stale} onClick={onAllow}>
              Allow it…
            </Button>
          )}
        </div>
      </div>
      {ending && entry !== null && (
        <DisallowDialog repository={repository} entry={entry} onClose={() => setEnding(false)} />
      )}
    </Drawer>
  )
}
