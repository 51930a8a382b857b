import type { Tile } from '../../../../core/fleet/health.ts'
import type { NextActionKind } from '../../../../shared/model/diagnosis.ts'
import type { FleetNode } from '../../../../shared/model/node.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { useCall } from '../../../api/useCall.ts'
import { Button } from '../../../components/Button.tsx'
import { ErrorNote } from '../../../components/ErrorNote.tsx'
import { startRenew, startResync } from '../../../stores/operations.ts'
import { useStale } from '../../../stores/ReplicaContext.tsx'
import { formatHash, navigate, runHash } from '../../../stores/route.ts'
import { requestTerminal } from '../../../stores/terminalRequests.ts'

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
    const { haltedRunId } = node
    return (
      <div>
        <Button variant="primary" size="small" onClick={() => navigate(runHash(haltedRunId))}>
          See what was held back
        </Button>
      </div>
    )
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
