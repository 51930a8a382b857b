import { useMemo } from 'react'
import { nodeLists } from '../../../../shared/model/registry.ts'
import { Button } from '../../../components/Button.tsx'
import { formatCount, plural } from '../../../components/format.ts'
import { useReplica } from '../../../stores/ReplicaContext.tsx'
import { nodeHash } from '../../../stores/route.ts'
import { contentOf, type Draft } from '../draft/draft.ts'
import { draftStore } from '../draft/draftStore.ts'
import { entryRows } from '../draft/entries.ts'
import { notRegistered, withNodes } from './missing.ts'

const shownNames = 6

/** Names whom the fleet has and the registry does not, before somebody else finds out. */
export function MissingNodes({ draft }: { readonly draft: Draft }) {
  const nodes = useReplica((state) => state.nodes)
  const isEmpty = draft.baseNumber === 0
  const missing = useMemo(() => notRegistered(nodes.values(), entryRows('nodes', contentOf(draft))), [nodes, draft])
  if (missing.length === 0) return null
  const kinds = Object.values(nodeLists).join(', ')
  return (
    <div role="status" className="flex shrink-0 items-center gap-3 border-b bg-raised px-4 py-1.5">
      <p className="min-w-0 flex-1">
        {isEmpty && draft.root === draft.base
          ? `${plural(missing.length, 'node')} of the fleet could be registered: `
          : `${plural(missing.length, 'node')} of the fleet ${missing.length === 1 ? 'is' : 'are'} not registered: `}
        {missing.slice(0, shownNames).map((node, index) => (
          <span key={node.id}>
            {index > 0 && ', '}
            <a className="text-accent underline" href={nodeHash(node.id)}>
              {node.name}
            </a>
          </span>
        ))}
        {missing.length > shownNames && ` and ${formatCount(missing.length - shownNames)} more`}
        <span className="sr-only"> (of the kinds {kinds})</span>
      </p>
      <Button size="small" onClick={() => draftStore('nodes').change((root) => withNodes(root, missing))}>
        Add {missing.length === 1 ? 'it' : 'them'} to the draft
      </Button>
    </div>
  )
}
