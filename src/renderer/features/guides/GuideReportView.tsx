import type { GuideFix, GuideReport, GuideStep, OfferedFix } from '../../../shared/model/guide.ts'
import { CopyButton } from '../../components/CopyButton.tsx'

const stepColours: Readonly<Record<GuideStep['status'], string>> = {
  ok: 'text-in-step',
  warning: 'text-pending',
  failed: 'text-error',
  skipped: 'text-faint',
}
const stepSigns: Readonly<Record<GuideStep['status'], string>> = { ok: '✓', warning: '!', failed: '✕', skipped: '–' }

interface GuideReportViewProps {
  readonly report: GuideReport
  /** Draws the one button. */
  readonly renderOffer: (offer: OfferedFix) => React.ReactNode
}

/** A check list that was gone through: each look with what it saw, then the one cause and the one button. */
export function GuideReportView({ report, renderOffer }: GuideReportViewProps) {
  const { steps, diagnosis, offer } = report
  return (
    <div className="flex flex-col gap-3">
      <ol className="flex flex-col gap-1">
        {steps.map((step, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a report never changes, and a question may come twice
          <li key={index} className="grid grid-cols-[16px_1fr] gap-x-2">
            <span className={stepColours[step.status]} aria-label={step.status} role="img">
              {stepSigns[step.status]}
            </span>
            <Step step={step} />
          </li>
        ))}
      </ol>
      <p className="font-medium">{diagnosis === null ? 'Nothing is wrong.' : diagnosis.sentence}</p>
      {offer !== null && (
        <div className="flex flex-col gap-2">
          <ul className="text-muted">
            {offer.preview.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
          {renderOffer(offer)}
        </div>
      )}
    </div>
  )
}

function Step({ step }: { readonly step: GuideStep }) {
  const told = step.status === 'failed' || step.status === 'warning'
  return (
    <div className="min-w-0">
      <span>{step.question} </span>
      <span className="text-muted">{step.answer}</span>
      {told && step.evidence.length > 0 && (
        <pre className="text-12 whitespace-pre-wrap text-muted">{step.evidence.join('\n')}</pre>
      )}
      {told && step.byHand !== null && (
        <p className="flex items-center gap-1 text-12 text-faint">
          By hand: <code className="truncate">{step.byHand}</code>
          <CopyButton text={step.byHand} what="command" />
        </p>
      )}
    </div>
  )
}

/** What the engine can do by itself; everything else is a place in the console or a command for a person. */
export const isDoneByEngine = (fix: GuideFix): boolean => fix.kind !== 'decide' && fix.kind !== 'by-hand'
