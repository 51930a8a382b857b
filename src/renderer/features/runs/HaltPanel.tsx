import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import type { DeletePreview, HaltReason, Run } from '../../../shared/model/run.ts'
import { toErrorBody } from '../../api/errors.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { Button } from '../../components/Button.tsx'
import { CliEquivalent } from '../../components/CliEquivalent.tsx'
import { DecisionDialog } from '../../components/DecisionDialog.tsx'
import { formatCount, plural } from '../../components/format.ts'
import { FillMark } from '../../components/StatusMark.tsx'
import { VirtualList } from '../../components/VirtualList.tsx'
import { nodeHash } from '../../stores/route.ts'
import { Evidence } from './Evidence.tsx'
import { formatShare, haltSentence, isAgentRun } from './runWords.ts'
import { SecretsFound } from './SecretsFound.tsx'

interface Decision {
  readonly button: string
  readonly title: string
  readonly confirm: string
  readonly effect: string
  readonly undo: string
}

/**
 * A changed host key is not lifted here: it is decided at the node, where both fingerprints are shown. What an agent
 * has stopped is decided on its host.
 */
function decisionOf(run: Run): Decision | null {
  if (isAgentRun(run)) return null
  const reason: HaltReason | undefined = run.halt?.reason
  const preview = run.halt?.deletePreview ?? null
  const files = preview === null ? 'the files the source no longer has' : plural(preview.filesDeleted, 'file')
  if (reason === 'mass-delete') {
    return {
      button: 'Delete them anyway…',
      title: `Delete ${files} on ${run.nodeName}?`,
      confirm: preview === null ? 'Delete them' : `Delete ${plural(preview.filesDeleted, 'file')}`,
      effect: `The run goes on under its id: it pushes ${run.planName} and deletes ${files} that the source does not have.`,
      undo: 'None. Deleted files come back only from a backup.',
    }
  }
  if (reason === 'source-empty') {
    return {
      button: 'Push the empty source anyway…',
      title: `Empty ${run.planName} on ${run.nodeName}?`,
      confirm: 'Push the empty source',
      effect: `The run goes on under its id with an empty source. Where the plan deletes, everything under its target goes.`,
      undo: 'None. Deleted files come back only from a backup.',
    }
  }
  return null
}

/** Why a run stopped itself, what it would have done, and the decision that only a person takes. */
export function HaltPanel({ run }: { readonly run: Run }) {
  const [listed, setListed] = useState(false)
  const [deciding, setDeciding] = useState(false)
  const preview = run.halt?.deletePreview ?? null
  const decision = decisionOf(run)
  if (run.halt === null || run.status !== 'halted') return null
  return (
    <section aria-label="Held back" className="flex flex-col gap-3 rounded-md border border-halted bg-surface p-3">
      <p className="flex items-start gap-2 text-15">
        <FillMark fill="halted" className="mt-1.5" />
        {haltSentence(run)}
      </p>
      {run.halt.reason === 'secrets-found' ? (
        <SecretsFound run={run} />
      ) : (
        <Evidence lines={run.halt.diagnosis.evidence} />
      )}
      <div className="flex flex-wrap gap-2">
        {preview !== null && preview.sample.length > 0 && (
          <Button aria-expanded={listed} onClick={() => setListed(!listed)}>
            {listed ? 'Hide the list' : 'See the list'}
          </Button>
        )}
        {decision !== null && <Button onClick={() => setDeciding(true)}>{decision.button}</Button>}
        {run.halt.reason === 'host-key-changed' && !isAgentRun(run) && (
          <a
            className="inline-flex h-8 items-center rounded-md border border-line-strong px-3 font-medium"
            href={nodeHash(run.nodeId)}
          >
            Compare the host keys of {run.nodeName}
          </a>
        )}
      </div>
      {isAgentRun(run) && <DecidedOnTheHost run={run} reason={run.halt.reason} />}
      {listed && preview !== null && <DeleteList preview={preview} />}
      {decision !== null && deciding && (
        <ApproveDialog run={run} decision={decision} onClose={() => setDeciding(false)} />
      )}
    </section>
  )
}

/** The agent keeps the question, so the answer is given there. */
function DecidedOnTheHost({ run, reason }: { readonly run: Run; readonly reason: HaltReason }) {
  if (reason === 'host-key-changed')
    return (
      <div className="flex max-w-xl flex-col gap-2">
        <p>
          Its storage shows another host key. Compare it with what storage itself says, then accept it on {run.nodeName}
          :
        </p>
        <CliEquivalent command="lockstep-agent doctor --trust SHA256:…" />
      </div>
    )
  return (
    <div className="flex max-w-xl flex-col gap-2">
      <p>Its agent keeps the question. To let this one run go on, on {run.nodeName}:</p>
      <CliEquivalent command={`lockstep-agent run --approve ${reason}`} />
    </div>
  )
}

function DeleteList({ preview }: { readonly preview: DeletePreview }) {
  const items = preview.sample.map((path, index) => ({ path, index }))
  return (
    <div className="flex flex-col gap-1">
      <div className="h-56 rounded-md border bg-ground">
        <VirtualList
          label="Files that would be deleted"
          items={items}
          itemKey={(item) => String(item.index)}
          rowHeight={20}
          renderItem={(item) => <code className="block truncate px-2 text-12 leading-5">{item.path}</code>}
        />
      </div>
      {preview.filesDeleted > items.length && (
        <p className="text-12 text-faint">
          The first {formatCount(items.length)} of {formatCount(preview.filesDeleted)}.
        </p>
      )}
    </div>
  )
}

function ApproveDialog({
  run,
  decision,
  onClose,
}: {
  readonly run: Run
  readonly decision: Decision
  readonly onClose: () => void
}) {
  const { client } = useLink()
  const reason = run.halt?.reason
  const approve = useMutation({
    mutationFn: async () => {
      if (reason !== undefined) await client.runs.approve({ runId: run.id, reason })
    },
    onSuccess: onClose,
  })
  const preview = run.halt?.deletePreview ?? null
  const share =
    preview === null || preview.filesOnTarget === 0
      ? ''
      : `, ${formatShare(preview.filesDeleted / preview.filesOnTarget)} of what is there`
  return (
    <DecisionDialog
      open
      danger
      onClose={onClose}
      title={decision.title}
      blastRadius={`1 node, ${run.nodeName}${preview === null ? '' : `: ${plural(preview.filesDeleted, 'file')}${share}`}`}
      effect={decision.effect}
      undo={decision.undo}
      confirmLabel={decision.confirm}
      busy={approve.isPending}
      error={approve.error === null ? null : toErrorBody(approve.error)}
      onConfirm={() => approve.mutate()}
    >
      <CliEquivalent command={`lockstep runs approve ${run.id} --reason ${reason ?? ''}`} />
    </DecisionDialog>
  )
}
