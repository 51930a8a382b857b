import type { ReactNode } from 'react'
import type { EngineStateReport } from '../shared/desktopBridge.ts'
import { useLink } from './api/LinkContext.tsx'
import { useEngineReport } from './api/useEngineReport.ts'
import { Button } from './components/Button.tsx'
import { coarse } from './components/format.ts'
import { useNow } from './stores/clock.ts'
import { useReplica } from './stores/ReplicaContext.tsx'

/** Says why what is shown may be old, and since when. Absent while all is live. */
export function ConnectionBanner() {
  const connection = useReplica((state) => state.connection)
  const loaded = useReplica((state) => state.loaded)
  const loadError = useReplica((state) => state.loadError)
  const report = useEngineReport()
  if (report?.state === 'failed') return <EngineFailed report={report} />
  if (connection === 'live' || (connection === 'connecting' && !loaded && loadError === null)) return null
  return (
    <Banner>
      {connection === 'out-of-sync'
        ? 'Out of sync with the engine: loading what was missed.'
        : loaded
          ? 'The engine is restarting: connecting again.'
          : 'The engine does not answer yet: trying again.'}
      {loaded && <Age />}
      {report?.remote != null && report.error !== null && <span className="text-muted">{report.error.message}</span>}
      {loadError !== null && connection !== 'restarting' && <span className="text-muted">{loadError.message}</span>}
    </Banner>
  )
}

function Banner({ children }: { readonly children: ReactNode }) {
  return (
    <div
      role="status"
      className="flex min-h-8 shrink-0 items-center gap-3 border-b border-pending bg-raised px-4 text-13"
    >
      <span aria-hidden className="size-2 shrink-0 rotate-45 bg-pending" />
      {children}
    </div>
  )
}

function Age() {
  const heardAt = useReplica((state) => state.heardAt)
  useNow()
  if (heardAt === null) return null
  return (
    <span className="text-pending">
      Shown is the last known state, {coarse(Math.max(0, Date.now() - heardAt))} old.
    </span>
  )
}

function EngineFailed({ report }: { readonly report: EngineStateReport }) {
  const { desktop } = useLink().shell
  return (
    <Banner>
      {report.remote === null ? 'The engine has stopped.' : `${report.remote.name} cannot be reached.`}{' '}
      {report.error?.message ?? ''}
      <Age />
      <Button size="small" onClick={() => desktop?.restartEngine()}>
        {report.remote === null ? 'Start it again' : 'Try again'}
      </Button>
    </Banner>
  )
}
