import { useLink } from '../../api/LinkContext.tsx'
import { ErrorNote } from '../../components/ErrorNote.tsx'
import { demoNodeCount, startDemo, useDemoStart } from '../../stores/demo.ts'
import { useReplica } from '../../stores/ReplicaContext.tsx'

/** How far the demo fleet is; absent when none is starting. */
export function DemoProgress({ className }: { readonly className?: string }) {
  const link = useLink()
  const { starting, error } = useDemoStart()
  const count = useReplica((state) => state.nodes.size)
  if (error !== null) {
    return (
      <div className={className}>
        <ErrorNote error={error} onRetry={() => void startDemo(link)} />
      </div>
    )
  }
  if (!starting) return null
  const done = Math.min(demoNodeCount, count)
  return (
    <div role="status" className={className}>
      <div className="h-1 overflow-hidden rounded-full bg-line">
        <div className="h-1 bg-accent" style={{ width: `${Math.max(4, (done / demoNodeCount) * 100)}%` }} />
      </div>
      <p className="mt-1 text-12">
        {done === 0
          ? 'Starting the SSH servers of the demo fleet…'
          : `Demo fleet: ${done} of ${demoNodeCount} nodes registered`}
      </p>
    </div>
  )
}
