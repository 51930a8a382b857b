import { type GuideStep, stepCaSetupGuide } from '../../../../core/ca/stepCaGuide.ts'
import type { StepCaSettings } from '../../../../shared/model/stepCa.ts'
import { CopyButton } from '../../../components/CopyButton.tsx'

const whereWords: Readonly<Record<GuideStep['where'], string>> = {
  authority: 'on the machine of the authority',
  storage: 'on the storage',
  agent: 'on the agent',
}

/** The guide speaks of the address and provisioner that are set up. */
function guideFor(settings: StepCaSettings | null): readonly GuideStep[] {
  if (settings === null) return stepCaSetupGuide()
  const { hostname, port } = new URL(settings.url)
  return stepCaSetupGuide({
    dnsName: hostname,
    port: port === '' ? 443 : Number(port),
    provisioner: settings.provisioner,
  })
}

/** The exact commands from an empty machine to the first certificate. */
export function Guide({ settings, open }: { readonly settings: StepCaSettings | null; readonly open: boolean }) {
  return (
    <details open={open} className="rounded-md border">
      <summary className="px-4 py-3 font-semibold hover:bg-hover">
        From an empty machine to a step-ca, step by step
      </summary>
      <ol className="flex flex-col gap-4 border-t p-4">
        {guideFor(settings).map((step, index) => (
          <Step key={step.title} step={step} number={index + 1} />
        ))}
      </ol>
    </details>
  )
}

function Step({ step, number }: { readonly step: GuideStep; readonly number: number }) {
  return (
    <li className="grid grid-cols-[24px_minmax(0,1fr)] gap-x-2">
      <span className="text-faint">{number}.</span>
      <div className="flex min-w-0 flex-col gap-1.5">
        <p>
          <span className="font-medium">{step.title}</span>
          <span className="text-faint">, {whereWords[step.where]}</span>
        </p>
        <p className="max-w-3xl text-muted">{step.note}</p>
        {step.commands.map((command) => (
          <Code key={command} text={command} what="command" prompt />
        ))}
        {step.file !== undefined && (
          <div className="flex flex-col gap-1">
            <span className="text-12 text-muted">
              <code>{step.file.path}</code>:
            </span>
            <Code text={step.file.content} what={step.file.path} />
          </div>
        )}
        {step.published !== undefined && (
          <p className="text-12 text-faint">
            Published as <code className="line-through">{step.published}</code>, which does not work.
          </p>
        )}
      </div>
    </li>
  )
}

function Code({
  text,
  what,
  prompt = false,
}: {
  readonly text: string
  readonly what: string
  readonly prompt?: boolean
}) {
  return (
    <div className="flex min-w-0 items-start gap-1 rounded-md border bg-ground pr-0.5 pl-2">
      <pre className="min-w-0 flex-1 overflow-auto py-1 text-12 whitespace-pre-wrap break-all">
        {prompt && (
          <span aria-hidden className="text-faint select-none">
            ${' '}
          </span>
        )}
        {text}
      </pre>
      <CopyButton text={text} what={what} />
    </div>
  )
}
