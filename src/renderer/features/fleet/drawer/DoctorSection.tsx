import { useEffect, useRef } from 'react'
import type { DoctorReport, DoctorStep } from '../../../../shared/model/diagnosis.ts'
import type { NodeId } from '../../../../shared/model/ids.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useCall } from '../../../api/useCall.ts'
import { Button } from '../../../components/Button.tsx'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { formatDuration } from '../../../components/format.ts'
import { Section } from './Section.tsx'

const stepColours: Readonly<Record<DoctorStep['status'], string>> = {
  ok: 'text-in-step',
  warning: 'text-pending',
  failed: 'text-error',
  skipped: 'text-faint',
}
const stepSigns: Readonly<Record<DoctorStep['status'], string>> = { ok: '✓', warning: '!', failed: '✕', skipped: '–' }

/** The read-only walk to the node, step by step. Starts when `asked` grows. */
export function DoctorSection({
  nodeId,
  asked,
  onAsk,
}: {
  readonly nodeId: NodeId
  readonly asked: number
  readonly onAsk: () => void
}) {
  const { client } = useLink()
  const { run, busy, error, answer } = useCall<DoctorReport>()
  const section = useRef<HTMLDivElement>(null)
  useEffect(() => {
    if (asked === 0) return
    section.current?.scrollIntoView?.({ block: 'nearest' })
    void run(() => client.nodes.doctor({ node: nodeId })).then(() =>
      section.current?.scrollIntoView?.({ block: 'nearest' }),
    )
  }, [asked, run, client, nodeId])
  return (
    <div ref={section}>
      <Section
        title="Doctor"
        aside={
          <Button size="small" variant="quiet" busy={busy} onClick={onAsk}>
            {answer === null ? 'Run doctor' : 'Run again'}
          </Button>
        }
      >
        {answer === null && error === null && (
          <p className="text-muted">
            {busy ? 'Walking the way to the node…' : 'Walks the way to the node and changes nothing.'}
          </p>
        )}
        {error !== null && <ErrorNote error={error} />}
        {answer !== null && <Steps report={answer} />}
      </Section>
    </div>
  )
}

function Steps({ report }: { readonly report: DoctorReport }) {
  return (
    <ol className="flex flex-col gap-1">
      {report.steps.map((step) => (
        <li key={step.name} className="grid grid-cols-[16px_1fr_auto] gap-x-2">
          <span className={stepColours[step.status]} aria-label={step.status} role="img">
            {stepSigns[step.status]}
          </span>
          <span>
            {step.name} <span className="text-muted">{step.detail}</span>
            {step.status !== 'ok' && step.evidence.length > 0 && (
              <pre className="text-12 whitespace-pre-wrap text-muted">{step.evidence.join('\n')}</pre>
            )}
          </span>
          <span className="text-12 text-faint">{formatDuration(step.durationMs)}</span>
        </li>
      ))}
      <li className="mt-1 font-medium">
        {report.diagnosis === null ? 'Nothing is wrong on the way to the node.' : report.diagnosis.sentence}
      </li>
    </ol>
  )
}
