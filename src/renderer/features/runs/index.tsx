import { BatchId, RolloutId, RunId } from '../../../shared/model/ids.ts'
import { Button } from '../../components/Button.tsx'
import { EmptyState } from '../../components/EmptyState.tsx'
import { formatHash, navigate, type Route } from '../../stores/route.ts'
import { BatchView } from './BatchView.tsx'
import { RolloutList } from './RolloutList.tsx'
import { RolloutView } from './RolloutView.tsx'
import { RunList } from './RunList.tsx'
import { RunView } from './RunView.tsx'

/** `#/runs`, `#/runs/<id>`, `#/runs/batch/<id>`, `#/runs/rollouts` and `#/runs/rollout/<id>`. */
export function View({ route }: { readonly route: Route }) {
  const [first, second] = route.path
  if (first === undefined) return <RunList route={route} />
  if (first === 'rollouts') return <RolloutList />
  const rolloutId = RolloutId.safeParse(second)
  if (first === 'rollout' && rolloutId.success) return <RolloutView rolloutId={rolloutId.data} />
  const batchId = BatchId.safeParse(second)
  if (first === 'batch' && batchId.success) return <BatchView batchId={batchId.data} />
  const runId = RunId.safeParse(first)
  if (runId.success) return <RunView runId={runId.data} />
  return (
    <EmptyState
      title="This is no run"
      actions={<Button onClick={() => navigate(formatHash({ view: 'runs' }))}>Show all runs</Button>}
    >
      The address names a run in a form that no run has.
    </EmptyState>
  )
}
