import { useMemo, useState } from 'react'
import type { EngineClient } from '../../../../shared/contract/index.ts'
import type { PlanId } from '../../../../shared/model/ids.ts'
import type { Repository } from '../../../../shared/model/repository.ts'
import { useLink } from '../../../api/LinkContext.tsx'
import { newIdempotencyKey } from '../../../api/randomKey.ts'
import { useCall } from '../../../api/useCall.ts'
import { CliEquivalent } from '../../../components/CliEquivalent.tsx'
import { DecisionDialog } from '../../../components/DecisionDialog.tsx'
import { formatCount, plural } from '../../../components/format.ts'
import { engineNowMs } from '../../../stores/clock.ts'
import { useReplica } from '../../../stores/ReplicaContext.tsx'
import type { Begun } from '../begun.ts'
import { NodeNames } from '../NodeNames.tsx'
import { useRepositoryPlans, useTargets } from '../repositoryQueries.ts'
import { cli } from '../repositoryWords.ts'
import { isBehind, type TargetRow, targetRows } from './targetRows.ts'

interface SyncDialogProps {
  readonly repository: Repository
  /** Null: all of them, or those that are behind, as is chosen here. */
  readonly chosen: readonly TargetRow[] | null
  readonly force: boolean
  readonly onClose: () => void
  readonly onBegun: (begun: Begun) => void
}

type Synced = Awaited<ReturnType<EngineClient['repositories']['sync']>>

/** Fetches, scans once, then one run for each target; names all of that before anything is done. */
export function SyncDialog({ repository, chosen, force, onClose, onBegun }: SyncDialogProps) {
  const { client } = useLink()
  // Made once for this question: pressing again after an error means the same runs.
  const [key] = useState(newIdempotencyKey)
  const call = useCall<Synced>()
  const all = useAllRows(repository)
  const [only, setOnly] = useState<'all' | 'behind'>('all')
  const behind = all.filter(isBehind)
  const meant = chosen ?? (only === 'behind' ? behind : all)
  const plans = [...new Map(meant.map(({ target, planName }) => [target.planId, planName]))]
  const nodes = [...new Map(meant.map(({ target, nodeName }) => [target.nodeId, nodeName]))]
  const isEverything = meant.length === all.length
  const { name, defaultBranch, scan } = repository.settings
  const confirm = async (): Promise<void> => {
    const answer = await call.run(() =>
      client.repositories.sync({
        idempotencyKey: key,
        repository: repository.id,
        plans: isEverything ? [] : plans.map(([id]) => id),
        targets: isEverything ? { kind: 'all' } : { kind: 'nodes', nodes: nodes.map(([id]) => id) },
        force,
      }),
    )
    if (answer === null) return
    onBegun({ batchId: answer.batchId, runs: answer.runs.length, words: `Sync of ${name}` })
    onClose()
  }
  return (
    <DecisionDialog
      open
      danger={force && repository.settings.checkout.kind !== 'none'}
      onClose={onClose}
      title={`Sync ${name} to ${plural(nodes.length, 'node')}${force ? ' with force' : ''}?`}
      blastRadius={<NodeNames nodes={nodes} plans={plans.length} runs={meant.length} />}
      effect={
        <>
          <p>
            Fetches {name},{' '}
            {scan.enabled ? 'searches the commit for secrets' : 'does not search for secrets (switched off)'}, then
            brings each target what its plan wants: the newest commit of {defaultBranch} unless the plan says otherwise.
            Each target is read back.
          </p>
          {force && (
            <p className="mt-1 text-pending">
              With force: {forceWords(repository)} The tree is sent also where sentinel and sample agree.
              {scan.enabled && ' The scan is not left out.'}
            </p>
          )}
        </>
      }
      undo="Roll back brings the commit from before. Each run can be canceled while it works."
      confirmLabel={force ? 'Sync with force' : 'Sync'}
      busy={call.busy}
      incomplete={meant.length === 0}
      error={call.error}
      onConfirm={() => void confirm()}
    >
      {chosen === null && behind.length < all.length && (
        <fieldset className="flex flex-col gap-1">
          <legend className="mb-1 text-12 text-muted">Which targets</legend>
          {(
            [
              ['all', `all ${formatCount(all.length)}`],
              ['behind', `the ${formatCount(behind.length)} that do not have what is wanted, as known now`],
            ] as const
          ).map(([value, words]) => (
            <label key={value} className="flex items-center gap-2">
              <input
                type="radio"
                name="which targets"
                className="accent-accent"
                checked={only === value}
                onChange={() => setOnly(value)}
              />
              {words}
            </label>
          ))}
        </fieldset>
      )}
      <CliEquivalent
        command={cli.sync(name, {
          plans: isEverything ? [] : plans.map(([, plan]) => plan),
          nodes: isEverything ? [] : nodes.map(([, node]) => node),
          force,
        })}
      />
    </DecisionDialog>
  )
}

const forceWords = ({ settings }: Repository): string =>
  settings.checkout.kind === 'none'
    ? 'a rewritten history is taken.'
    : 'the checkout is reset to the remote, and changes in it that are not committed are lost.'

function useAllRows(repository: Repository): readonly TargetRow[] {
  const targets = useTargets(repository)
  const nodes = useReplica((state) => state.nodes)
  const runs = useReplica((state) => state.runs)
  const plans = useRepositoryPlans(repository.settings.name)
  return useMemo(() => {
    const byId = new Map<PlanId, (typeof plans)[number]>(plans.map((plan) => [plan.id, plan]))
    return targetRows(targets.data ?? [], { nodes, runs, plans: byId, nowMs: engineNowMs() })
  }, [targets.data, nodes, runs, plans])
}
