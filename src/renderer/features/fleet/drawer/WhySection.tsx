import type { Tile } from '../../../../core/fleet/health.ts'
import type { FleetNode } from '../../../../shared/model/node.ts'
import { Time } from '../../../components/Time.tsx'
import { whySentence } from '../tileWords.ts'
import { NextAction } from './NextAction.tsx'

const shownEvidence = 6

/** One sentence, what it was drawn from, and the one thing to do. */
export function WhySection({
  node,
  tile,
  onRequest,
}: {
  readonly node: FleetNode
  readonly tile: Tile
  readonly onRequest: (request: 'accept-host-key' | 'edit-login' | 'storage' | 'doctor') => void
}) {
  const evidence = tile.diagnosis?.evidence ?? []
  return (
    <section aria-label="Why" className="flex flex-col gap-2 border-b px-4 py-3">
      <p className="text-15">{whySentence(node, tile)}</p>
      <Since node={node} />
      {evidence.length > 0 && (
        <pre className="overflow-auto rounded-md border bg-ground px-2 py-1 text-12 leading-5 whitespace-pre-wrap text-muted">
          {evidence.slice(0, shownEvidence).join('\n')}
        </pre>
      )}
      <NextAction node={node} tile={tile} onRequest={onRequest} />
    </section>
  )
}

function Since({ node }: { readonly node: FleetNode }) {
  const { reachability } = node
  if (reachability.status === 'unreachable') {
    return (
      <p className="text-muted">
        Unreachable since <Time at={reachability.since} absolute />, last looked at <Time at={reachability.checkedAt} />
        .
      </p>
    )
  }
  return (
    <p className="text-muted">
      Last verified sync <Time at={node.lastSyncAt} />, last try <Time at={node.lastAttemptAt} />
      {reachability.status === 'reachable' && (
        <>
          , seen <Time at={reachability.checkedAt} />
        </>
      )}
      .
    </p>
  )
}
