import { useMutation, useQuery } from '@tanstack/react-query'
import { X } from 'lucide-react'
import { useMemo, useState } from 'react'
import type { BatchId } from '../../../../shared/model/ids.ts'
import { isFinal } from '../../../../shared/model/run.ts'
import { toErrorBody } from '../../../api/errors.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { newIdempotencyKey } from '../../../api/randomKey.ts'
import { CliEquivalent, shellQuote } from '../../../components/CliEquivalent.tsx'
import { DecisionDialog } from '../../../components/DecisionDialog.tsx'
import { formatCount, plural } from '../../../components/format.ts'
import { IconButton } from '../../../components/IconButton.tsx'
import { useReplica } from '../../../stores/ReplicaContext.tsx'
import { formatHash } from '../../../stores/route.ts'
import type { KrlCoverage } from './coverage.ts'

const shownNames = 8

interface DeliverKrlProps {
  /** Nodes that have a plan for the list and have not proven its present version. */
  readonly late: readonly KrlCoverage[]
  readonly version: number
  readonly onClose: () => void
  readonly onStarted: (batchId: BatchId) => void
}

/** Names whom the list goes to before anything is sent. */
export function DeliverKrl({ late, version, onClose, onStarted }: DeliverKrlProps) {
  const { client } = useLink()
  // Made once for this question: pressing again after an error means the same runs.
  const [key] = useState(newIdempotencyKey)
  const plans = useReplica((state) => state.plans)
  const planIds = [...new Set(late.flatMap(({ planId }) => planId ?? []))]
  const names = late.map(({ node }) => node.name)
  const away = late.filter(({ node }) => node.reachability.status === 'unreachable').length
  const push = useMutation({
    mutationFn: () =>
      client.runs.push({
        idempotencyKey: key,
        plans: planIds,
        targets: { kind: 'nodes', nodes: late.map(({ node }) => node.id) },
      }),
    onSuccess: ({ batchId }) => onStarted(batchId),
  })
  const planNames = planIds.map((id) => plans.get(id)?.name ?? id)
  return (
    <DecisionDialog
      open
      onClose={onClose}
      title={`Deliver version ${version} of the revocation list?`}
      blastRadius={
        <>
          <p className="font-medium">{plural(late.length, 'node')} that have not proven it</p>
          <p className="text-muted">
            {names.slice(0, shownNames).join(', ')}
            {names.length > shownNames && ` and ${formatCount(names.length - shownNames)} more`}
          </p>
          {away > 0 && (
            <p className="text-pending">{plural(away, 'does', 'do')} not answer now and will stay behind.</p>
          )}
        </>
      }
      effect="Writes the list in one step, checks it with sshd -t, reloads sshd, and proves with a login that a revoked certificate is refused. Open sessions stay open."
      undo="Not needed: a newer version takes the place of this one. What is revoked stays revoked."
      confirmLabel={`Deliver to ${plural(late.length, 'node')}`}
      busy={push.isPending}
      error={push.error === null ? null : toErrorBody(push.error)}
      onConfirm={() => push.mutate()}
    >
      {names.length <= shownNames && (
        <CliEquivalent
          command={[
            'lockstep push',
            ...names.map(shellQuote),
            ...planNames.map((name) => `--plan ${shellQuote(name)}`),
            '--wait',
          ].join(' ')}
        />
      )}
    </DecisionDialog>
  )
}

interface DeliveryProps {
  readonly batchId: string
  readonly version: number
  readonly onClose: () => void
}

/** What has come of the last delivery: proven, working, or not, by name. */
export function Delivery({ batchId, version, onClose }: DeliveryProps) {
  const { client } = useLink()
  const live = useReplica((state) => state.runs)
  const query = useQuery({
    queryKey: ['batch', batchId],
    queryFn: () => client.runs.list({ batchId: batchId as BatchId, limit: 1000 }),
  })
  const runs = useMemo(() => {
    const byId = new Map((query.data?.runs ?? []).map((run) => [run.id, run]))
    for (const run of live.values()) if (run.batchId === batchId) byId.set(run.id, run)
    return [...byId.values()]
  }, [query.data, live, batchId])
  const proven = runs.filter((run) => run.status === 'succeeded' && run.proof !== null).length
  const failed = runs.filter((run) => isFinal(run.status) && run.status !== 'succeeded')
  const working = runs.length - proven - failed.length
  return (
    <section
      role="status"
      aria-label="Delivery of the revocation list"
      className="flex shrink-0 items-center gap-3 border-b bg-raised px-4 py-1.5"
    >
      <p className="min-w-0 flex-1 truncate">
        Version {version}: <strong className="font-semibold">{formatCount(proven)}</strong> of{' '}
        {plural(runs.length, 'run')} proven
        {working > 0 && <span className="text-muted">, {formatCount(working)} working</span>}
        {failed.length > 0 && (
          <span className="text-error">
            , not on{' '}
            {failed
              .slice(0, 5)
              .map((run) => run.nodeName)
              .join(', ')}
            {failed.length > 5 && ` and ${formatCount(failed.length - 5)} more`}
          </span>
        )}
      </p>
      <a className="text-accent hover:underline" href={formatHash({ view: 'runs', path: ['batch', batchId] })}>
        See the runs
      </a>
      <IconButton label="Close" icon={<X className="size-4" />} onClick={onClose} />
    </section>
  )
}
