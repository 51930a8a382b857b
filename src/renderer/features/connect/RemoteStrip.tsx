import { useEngineReport } from '../../api/useEngineReport.ts'
import { Button } from '../../components/Button.tsx'
import { overlays } from '../../stores/overlays.ts'

/** Says all the time that this window works on another machine's fleet. Absent while it is this machine's own. */
export function RemoteStrip() {
  const report = useEngineReport()
  if (report?.remote == null) return null
  const { name, home } = report.remote
  return (
    <section
      aria-label="Control plane"
      className="flex min-h-7 shrink-0 items-center gap-3 border-b bg-surface px-4 text-12 text-muted"
    >
      <span>
        {report.state === 'running' ? 'Control plane of' : 'Connecting to'}{' '}
        <strong className="text-text">{name}</strong>
        {home !== null && ` in ${home}`}
      </span>
      <Button size="small" onClick={() => overlays.setState({ connect: true })}>
        Change
      </Button>
    </section>
  )
}
