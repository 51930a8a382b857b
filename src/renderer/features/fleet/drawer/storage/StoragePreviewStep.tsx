import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { FleetNode } from '../../../../../shared/model/node.ts'
import type { StorageChange, StoragePreview, StorageSettings } from '../../../../../shared/model/storage.ts'
import { toErrorBody } from '../../../../api/errors.ts'
import { useLink } from '../../../../api/LinkContext.tsx'
import { useCall } from '../../../../api/useCall.ts'
import { Button } from '../../../../components/Button.tsx'
import { CliEquivalent } from '../../../../components/CliEquivalent.tsx'
import { CopyButton } from '../../../../components/CopyButton.tsx'
import { Diff } from '../../../../components/Diff.tsx'
import { ErrorNote } from '../../../../components/ErrorNote.tsx'
import { Fact, Facts } from '../../../../components/Facts.tsx'
import { useStale } from '../../../../stores/ReplicaContext.tsx'
import { cli } from '../../cliCommands.ts'

interface StoragePreviewStepProps {
  readonly node: FleetNode
  readonly settings: StorageSettings
  readonly onBack: () => void
  readonly onApplied: (node: FleetNode) => void
}

/** Every line that would change, before any does; applying is possible only for exactly what is shown. */
export function StoragePreviewStep({ node, settings, onBack, onApplied }: StoragePreviewStepProps) {
  const { client } = useLink()
  const preview = useQuery({
    queryKey: ['storage preview', node.id, settings],
    queryFn: () => client.storage.preview({ node: node.id, settings }),
    staleTime: 0,
    gcTime: 0,
  })
  if (preview.data === undefined) {
    return (
      <div className="flex flex-col gap-3 p-4">
        {preview.error === null ? (
          <p role="status" className="text-muted">
            Reading the files of {node.name}. Nothing is changed.
          </p>
        ) : (
          <ErrorNote error={toErrorBody(preview.error)} onRetry={() => void preview.refetch()} />
        )}
        <div>
          <Button onClick={onBack}>Back</Button>
        </div>
      </div>
    )
  }
  return (
    <div className="flex flex-col gap-4 p-4">
      <Findings preview={preview.data} />
      {preview.data.changes.map((change) => (
        <Change key={change.path} change={change} />
      ))}
      <Commands commands={preview.data.commands} />
      <Decide
        key={preview.data.digest}
        node={node}
        settings={settings}
        preview={preview.data}
        looking={preview.isFetching}
        onLookAgain={() => void preview.refetch()}
        onBack={onBack}
        onApplied={onApplied}
      />
    </div>
  )
}

function Findings({ preview }: { readonly preview: StoragePreview }) {
  const { blockers, warnings, alreadyApplied } = preview
  return (
    <>
      {blockers.map((blocker) => (
        <div key={blocker.sentence} role="alert" className="rounded-md border border-error px-3 py-2">
          <p>{blocker.sentence}</p>
          {blocker.evidence.length > 0 && (
            <pre className="mt-1 overflow-auto text-12 whitespace-pre-wrap text-muted">
              {blocker.evidence.join('\n')}
            </pre>
          )}
        </div>
      ))}
      {warnings.map((warning) => (
        <p key={warning} className="rounded-md border border-pending px-3 py-2">
          {warning}
        </p>
      ))}
      {alreadyApplied && <p className="text-in-step">Everything is there already: nothing would change.</p>}
    </>
  )
}

function Change({ change }: { readonly change: StorageChange }) {
  return (
    <section aria-label={change.path} className="flex flex-col gap-1">
      <h3 className="flex items-baseline gap-2">
        <code className="font-semibold break-all">{change.path}</code>
        <span className="text-12 text-muted">
          {change.diff === '' ? 'stays as it is' : change.isNew ? 'new file' : 'changed'}
        </span>
      </h3>
      {change.diff !== '' && <Diff text={change.diff} label={`What changes in ${change.path}`} />}
    </section>
  )
}

function Commands({ commands }: { readonly commands: readonly string[] }) {
  if (commands.length === 0) return null
  return (
    <section aria-label="Commands" className="flex flex-col gap-1">
      <h3 className="font-semibold">Then, on the node</h3>
      {commands.map((command) => (
        <div key={command} className="flex items-center gap-1 rounded-md border bg-ground pr-0.5 pl-2">
          <code className="min-w-0 flex-1 py-1 text-12 break-all">{command}</code>
          <CopyButton text={command} what="command" />
        </div>
      ))}
    </section>
  )
}

interface DecideProps extends StoragePreviewStepProps {
  readonly preview: StoragePreview
  readonly looking: boolean
  readonly onLookAgain: () => void
}

function Decide({ node, settings, preview, looking, onLookAgain, onBack, onApplied }: DecideProps) {
  const { client } = useLink()
  const stale = useStale()
  const apply = useCall<FleetNode>()
  const [tried, setTried] = useState(false)
  const confirm = async (): Promise<void> => {
    const applied = await apply.run(() =>
      client.storage.apply({ node: node.id, settings, previewDigest: preview.digest }),
    )
    if (applied !== null) onApplied(applied)
  }
  const isPossible = preview.blockers.length === 0 && !preview.alreadyApplied
  return (
    <section aria-label="Apply" className="flex flex-col gap-3 border-t pt-4">
      <Facts>
        <Fact name="Reaches">{node.name}, and everyone who logs in to it</Fact>
        <Fact name="Effect">
          Writes these files, checks them with <code>sshd -t</code>, reloads sshd and logs in afresh. When that login
          fails, everything is put back at once over the session that stays open.
        </Fact>
        <Fact name="Undo">Undo in the drawer of the node: what was there before is kept on it.</Fact>
      </Facts>
      {isPossible && (
        <label className="flex items-start gap-2">
          <input
            type="checkbox"
            className="mt-1 accent-accent"
            checked={tried}
            onChange={(event) => setTried(event.target.checked)}
          />
          <span>
            The way around works, I have tried it:{' '}
            {settings.breakGlass.kind === 'console' ? settings.breakGlass.note : 'the second authority'}
          </span>
        </label>
      )}
      {apply.busy && (
        <p role="status" className="text-muted">
          Writing, checking, reloading, logging in afresh. A session stays open as the way back.
        </p>
      )}
      {apply.error !== null && (
        <div className="flex flex-col gap-1">
          <h3 className="font-semibold text-error">{failureTitle(apply.error.code)}</h3>
          <ErrorNote
            error={apply.error}
            {...(apply.error.code === 'CONFLICT' ? { onRetry: onLookAgain, retryLabel: 'Look again' } : {})}
          />
        </div>
      )}
      <div className="flex gap-2">
        <Button onClick={onBack} disabled={apply.busy}>
          Back
        </Button>
        <Button
          variant="primary"
          busy={apply.busy || looking}
          disabled={stale || !isPossible || !tried}
          onClick={() => void confirm()}
        >
          Apply to {node.name}
        </Button>
      </div>
      <CliEquivalent
        command={isPossible ? cli.storageApply(node.name, settings) : cli.storagePreview(node.name, settings)}
      />
    </section>
  )
}

/** What an error of `apply` says about the node, in two words. */
function failureTitle(code: string): string {
  if (code === 'LOGIN_NOT_PROVEN') return 'Taken back'
  if (code === 'SSHD_CONFIG_REFUSED') return 'Refused by sshd, taken back'
  if (code === 'CONFLICT') return 'Not applied'
  return 'Failed'
}
