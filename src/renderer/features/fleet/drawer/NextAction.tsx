import type { Tile } from '../../../../core/fleet/health.ts'
import type { NextActionKind } from '../../../../shared/model/diagnosis.ts'
import type { RunId } from '../../../../shared/model/ids.ts'
import type { FleetNode } from '../../../../shared/model/node.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useCall } from '../../../api/useCall.ts'
import { Button } from '../../../components/Button.tsx'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { startRenew, startResync } from '../../../stores/operations.ts'
import { useRun, useStale } from '../../../stores/ReplicaContext.tsx'
import { formatHash, navigate, repositoryHash, runHash } from '../../../stores/route.ts'
import { requestTerminal } from '../../../stores/terminalRequests.ts'
import { useRepositoryOfPlan } from '../../runs/SecretsFound.tsx'

interface NextActionProps {
  readonly node: FleetNode
  readonly tile: Tile
  readonly onRequest: (request: 'accept-host-key' | 'edit-login' | 'storage' | 'doctor') => void
}

/** Resync and Renew stand below anyway; offering them twice side by side would only ask which one is meant. */
const standsBelow: readonly NextActionKind[] = ['resync', 'renew-certificate', 'none']

/** The button that the diagnosis proposes, wired to what it says. */
export function NextAction({ node, tile, onRequest }: NextActionProps) {
  const link = useLink()
  const stale = useStale()
  const call = useCall<unknown>()
  const next = tile.diagnosis?.nextAction
  // Another host key is decided here; the run it held back could only send one back.
  if (tile.fill === 'halted' && node.haltedRunId !== null && next?.kind !== 'accept-host-key') {
    return <HeldBack runId={node.haltedRunId} shown={tile.diagnosis?.evidence ?? []} />
  }
  if (next === undefined || standsBelow.includes(next.kind)) return null
  const act: Partial<Record<NextActionKind, () => void>> = {
    'accept-host-key': () => onRequest('accept-host-key'),
    'run-doctor': () => onRequest('doctor'),
    'open-terminal': () => requestTerminal({ nodeId: node.id }),
    'edit-node': () => onRequest('edit-login'),
    'edit-plan': () => navigate(formatHash({ view: 'plans' })),
    'approve-deletes': () => node.haltedRunId !== null && navigate(runHash(node.haltedRunId)),
    wait: () => void call.run(() => link.client.nodes.check({ node: node.id })),
    'set-up-storage': () => onRequest('storage'),
    'deliver-krl': () => navigate(formatHash({ view: 'certificates', query: { tab: 'krl' } })),
    resync: () => void startResync(link, { nodeIds: [node.id] }),
    'renew-certificate': () => void startRenew(link, { nodeIds: [node.id] }),
  }
  return (
    <div className="flex flex-col gap-2">
      <div>
        <Button variant="primary" size="small" busy={call.busy} disabled={stale} onClick={act[next.kind]}>
          {next.kind === 'wait' ? 'Look again now' : next.label}
        </Button>
      </div>
      {call.error !== null && <ErrorNote error={call.error} />}
    </div>
  )
}

/** The way to the decision. Secrets are decided where all findings of the repository stand. */
function HeldBack({ runId, shown }: { readonly runId: RunId; readonly shown: readonly string[] }) {
  const run = useRun(runId)
  const repository = useRepositoryOfPlan(run?.planId ?? null)
  const halt = run?.halt
  const places = halt?.reason === 'secrets-found' ? halt.diagnosis.evidence.filter((line) => !shown.includes(line)) : []
  return (
    <div className="flex flex-col gap-2">
      {places.length > 0 && (
        <pre className="overflow-auto rounded-md border bg-ground px-2 py-1 text-12 leading-5 whitespace-pre-wrap text-muted">
          {places.slice(0, shownPlaces).join('\n')}
        </pre>
      )}
      <div className="flex flex-wrap gap-2">
        {halt?.reason === 'secrets-found' && repository !== null && (
          <Button variant="primary" size="small" onClick={() => navigate(repositoryHash(repository, 'findings'))}>
            See the findings
          </Button>
        )}
        <Button
          variant={halt?.reason === 'secrets-found' ? 'default' : 'primary'}
          size="small"
          onClick={() => navigate(runHash(runId))}
        >
          See what was held back
        </Button>
      </div>
    </div>
  )
}

const shownPlaces = 6
