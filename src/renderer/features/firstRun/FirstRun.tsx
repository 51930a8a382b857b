import { useLink } from '../../api/LinkContext.tsx'
import { Button } from '../../components/Button.tsx'
import { CliEquivalent } from '../../components/CliEquivalent.tsx'
import { EmptyState } from '../../components/EmptyState.tsx'
import { demoNodeCount, startDemo, useDemoStart } from '../../stores/demo.ts'
import { useStale } from '../../stores/ReplicaContext.tsx'
import { DemoProgress } from './DemoProgress.tsx'

/** Nothing is here yet: two ways in, and what each of them does. */
export function FirstRun({ onAdd }: { readonly onAdd: () => void }) {
  const link = useLink()
  const stale = useStale()
  const { starting } = useDemoStart()
  return (
    <EmptyState
      title="No nodes yet"
      actions={
        <>
          <Button variant="primary" disabled={stale} onClick={onAdd}>
            Add your first node
          </Button>
          <Button busy={starting} disabled={stale} onClick={() => void startDemo(link)}>
            Start a demo fleet
          </Button>
        </>
      }
    >
      <p>Add your first one, or look around with a demo fleet of {demoNodeCount} real SSH servers on this machine.</p>
      <p className="mt-1">The demo listens on loopback only, and is removed without a trace.</p>
      <DemoProgress className="mx-auto mt-4 w-72 text-left" />
      <div className="mx-auto mt-4 w-72 text-left">
        <CliEquivalent command={`lockstep demo up --nodes ${demoNodeCount}`} />
      </div>
    </EmptyState>
  )
}
