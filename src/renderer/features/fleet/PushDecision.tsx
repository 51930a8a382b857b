import { useMemo, useState } from 'react'
import type { ErrorBody } from '../../../shared/errors.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { newIdempotencyKey } from '../../api/randomKey.ts'
import { CliEquivalent } from '../../components/CliEquivalent.tsx'
import { DecisionDialog } from '../../components/DecisionDialog.tsx'
import { formatCount, plural } from '../../components/format.ts'
import { type RenewOperation, type ResyncOperation, startRenew, startResync } from '../../stores/operations.ts'
import { cli } from './cliCommands.ts'

export interface PushQuestion {
  readonly kind: 'resync' | 'renew'
  readonly nodes: readonly FleetNode[]
  /** All that the filter means and a push may reach. */
  readonly everyShown?: boolean
  /** Selected, but with a static key: nothing to renew. */
  readonly leftOut?: number
}

interface PushDecisionProps {
  readonly question: PushQuestion
  readonly total: number
  /** The filter in force, for the command line. */
  readonly filter: string
  readonly onClose: () => void
  readonly onStarted: (operation: ResyncOperation | RenewOperation) => void
}

/** Names what a press reaches before anything is sent. */
export function PushDecision({ question, total, filter, onClose, onStarted }: PushDecisionProps) {
  const link = useLink()
  const { kind, nodes } = question
  // Made once for this question: pressing again after an error means the same runs.
  const key = useMemo(() => newIdempotencyKey(), [])
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<ErrorBody | null>(null)
  const radius = radiusOf(nodes, total)
  const confirm = async (): Promise<void> => {
    setBusy(true)
    setError(null)
    const nodeIds = nodes.map((node) => node.id)
    const operation = await (kind === 'resync' ? startResync : startRenew)(link, { nodeIds, key })
    setBusy(false)
    if (operation.error !== null) {
      setError(operation.error)
      return
    }
    onStarted(operation)
    onClose()
  }
  return (
    <DecisionDialog
      open
      onClose={onClose}
      title={kind === 'resync' ? `Resync ${radius}?` : `Renew the certificates of ${radius}?`}
      blastRadius={<Radius nodes={nodes} radius={radius} leftOut={question.leftOut ?? 0} />}
      effect={
        kind === 'resync'
          ? resyncEffect(nodes)
          : 'One new certificate for each node, proven by a login with it. No file is changed.'
      }
      undo={
        kind === 'resync'
          ? 'Each run can be canceled while it works. What was pushed stays; a push of the revision before brings that back.'
          : 'None needed: the certificates before stay valid until they expire.'
      }
      confirmLabel={kind === 'resync' ? 'Resync' : 'Renew'}
      onConfirm={() => void confirm()}
      busy={busy}
      error={error}
    >
      <CliEquivalent
        command={
          kind === 'resync'
            ? cli.push(
                nodes.map((node) => node.name),
                { filter, everyShown: question.everyShown === true },
              )
            : cli.renew(nodes.map((node) => node.name))
        }
      />
    </DecisionDialog>
  )
}

const radiusOf = (nodes: readonly FleetNode[], total: number): string =>
  nodes.length === 1 ? (nodes[0]?.name ?? '1 node') : `${formatCount(nodes.length)} of ${formatCount(total)} nodes`

function resyncEffect(nodes: readonly FleetNode[]): string {
  const runs = nodes.reduce((sum, node) => sum + node.plans.length, 0)
  const plans = new Set(nodes.flatMap((node) => node.plans.map((plan) => plan.planName)))
  if (runs === 0) return 'No plan reaches these nodes: nothing would be pushed.'
  return `${plural(runs, 'run')}: ${plural(plans.size, 'plan')} pushed and read back. Where nothing differs the node is only verified.`
}

const shownNames = 6

function Radius({
  nodes,
  radius,
  leftOut,
}: {
  readonly nodes: readonly FleetNode[]
  readonly radius: string
  readonly leftOut: number
}) {
  const unreachable = nodes.filter((node) => node.reachability.status === 'unreachable').length
  const names = nodes.slice(0, shownNames).map((node) => node.name)
  const more = nodes.length - names.length
  return (
    <>
      <p className="font-medium">{radius}</p>
      {nodes.length > 1 && (
        <p className="text-muted">
          {names.join(', ')}
          {more > 0 && ` and ${formatCount(more)} more`}
        </p>
      )}
      {leftOut > 0 && (
        <p className="text-pending">
          {plural(leftOut, 'node logs', 'nodes log')} in with a static key: nothing to renew, left out.
        </p>
      )}
      {unreachable > 0 && (
        <p className="text-pending">
          {plural(unreachable, 'node does', 'nodes do')} not answer now and will stay pending.
        </p>
      )}
    </>
  )
}
