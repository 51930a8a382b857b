import type { DemoStatus } from '../../../shared/model/demo.ts'
import { useLink } from '../../api/LinkContext.tsx'
import { useCall } from '../../api/useCall.ts'
import { Button } from '../../components/Button.tsx'
import { CliEquivalent } from '../../components/CliEquivalent.tsx'
import { EmptyState } from '../../components/EmptyState.tsx'
import { ErrorNote } from '../../components/ErrorNote.tsx'
import { useReplica } from '../../stores/ReplicaContext.tsx'

const demoNodes = 12

/** Nothing is here yet: two ways in, and what each of them does. */
export function FirstRun({ onAdd }: { readonly onAdd: () => void }) {
  const { client } = useLink()
  const demo = useCall<DemoStatus>()
  const count = useReplica((state) => state.nodes.size)
  const start = (): void => void demo.run(() => client.demo.up({ nodes: demoNodes }))
  return (
    <EmptyState
      title="No nodes yet"
      actions={
        <>
          <Button variant="primary" onClick={onAdd}>
            Add your first node
          </Button>
          <Button busy={demo.busy} onClick={start}>
            Start a demo fleet
          </Button>
        </>
      }
    >
      <p>Add your first one, or look around with a demo fleet of {demoNodes} real SSH servers on this machine.</p>
      <p className="mt-1">The demo listens on loopback only, and is removed without a trace.</p>
      {demo.busy && (
        <div role="status" className="mx-auto mt-4 w-72">
          <div className="h-1 overflow-hidden rounded-full bg-line">
            <div className="h-1 bg-accent" style={{ width: `${Math.max(4, (count / demoNodes) * 100)}%` }} />
          </div>
          <p className="mt-1">
            {count === 0 ? 'Starting the servers…' : `${count} of ${demoNodes} nodes registered`}
          </p>
        </div>
      )}
      {demo.error !== null && (
        <div className="mt-4 text-left">
          <ErrorNote error={demo.error} onRetry={start} />
        </div>
      )}
      <div className="mx-auto mt-4 w-72 text-left">
        <CliEquivalent command={`lockstep demo up --nodes ${demoNodes}`} />
      </div>
    </EmptyState>
  )
}
