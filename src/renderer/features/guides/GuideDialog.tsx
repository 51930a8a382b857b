import { Dialog } from '@base-ui/react/dialog'
import { useId, useMemo, useState } from 'react'
import { computeTile, tileFills } from '../../../core/fleet/health.ts'
import type { GuideName } from '../../../shared/model/guide.ts'
import type { NodeId } from '../../../shared/model/ids.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import { engineNowMs } from '../../stores/clock.ts'
import { useReplica } from '../../stores/ReplicaContext.tsx'
import { useRoute } from '../../stores/route.ts'
import { useShortcuts } from '../../stores/shortcuts.ts'
import { Guide } from './Guide.tsx'

interface Wanted {
  readonly guide: GuideName
  /** Null: the fleet, or a node that is still to be chosen. */
  readonly nodeId: NodeId | null
}

const titles: Readonly<Record<GuideName, string>> = {
  'nothing-is-synced': 'Nothing is synced',
  'node-stays-pending': 'A node stays pending',
  'routes-not-updating': 'Routes do not change',
}

/** Makes the guides actions of the palette: those of a node for the one whose drawer is open, else for one to be chosen. */
export function GuideDialog() {
  const [wanted, setWanted] = useState<Wanted | null>(null)
  const { view, query } = useRoute()
  const opened = useReplica(({ nodes }) => nodes.get((view === 'fleet' ? query.node : undefined) as NodeId) ?? null)
  const chosen = opened !== null && canBeExamined(opened) ? opened : null
  const ask =
    (guide: GuideName, nodeId: NodeId | null = null) =>
    () =>
      setWanted({ guide, nodeId })
  const name = chosen?.name ?? 'a node'
  useShortcuts([
    { keys: '', label: 'Why is nothing synced?', group: 'Guides', run: ask('nothing-is-synced') },
    {
      keys: '',
      label: `Why does ${name} stay pending?`,
      group: 'Guides',
      run: ask('node-stays-pending', chosen?.id ?? null),
    },
    {
      keys: '',
      label: `Why do routes not change on ${name}?`,
      group: 'Guides',
      run: ask('routes-not-updating', chosen?.id ?? null),
    },
  ])
  return (
    <Dialog.Root open={wanted !== null} onOpenChange={(open) => !open && setWanted(null)}>
      <Dialog.Portal>
        <Dialog.Backdrop className="fixed inset-0 z-40 bg-ground opacity-70" />
        <Dialog.Popup className="fixed top-1/2 left-1/2 z-50 flex max-h-[85vh] w-[640px] max-w-[92vw] -translate-x-1/2 -translate-y-1/2 flex-col gap-4 overflow-auto rounded-md border border-line-strong bg-raised p-5 shadow-float">
          {wanted !== null && <Wanting wanted={wanted} onChange={setWanted} />}
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  )
}

/** Nodes of agents are looked at by their own agent. */
const canBeExamined = ({ transport }: FleetNode): boolean => transport === 'push'

interface WantingProps {
  readonly wanted: Wanted
  readonly onChange: (wanted: Wanted | null) => void
}

function Wanting({ wanted: { guide, nodeId }, onChange }: WantingProps) {
  const node = useReplica(({ nodes }) => (nodeId === null ? null : (nodes.get(nodeId) ?? null)))
  const isOfNode = guide !== 'nothing-is-synced'
  return (
    <>
      <Dialog.Title className="text-15 font-semibold">
        {titles[guide]}
        {node !== null && `: ${node.name}`}
      </Dialog.Title>
      {isOfNode && <NodeChoice nodeId={nodeId} onChoose={(id) => onChange({ guide, nodeId: id })} />}
      {(!isOfNode || node !== null) && (
        <Guide
          key={`${guide} ${nodeId}`}
          guide={guide}
          label="Look"
          atOnce
          {...(node === null ? {} : { node })}
          onLeave={() => onChange(null)}
        />
      )}
    </>
  )
}

interface NodeChoiceProps {
  readonly nodeId: NodeId | null
  readonly onChoose: (id: NodeId) => void
}

/** Those in trouble first. */
function NodeChoice({ nodeId, onChoose }: NodeChoiceProps) {
  const id = useId()
  const nodes = useReplica((state) => state.nodes)
  const sorted = useMemo(() => {
    const now = engineNowMs()
    return [...nodes.values()]
      .filter(canBeExamined)
      .map((node) => ({ node, rank: tileFills.indexOf(computeTile(node, now).fill) }))
      .sort((left, right) => left.rank - right.rank || left.node.name.localeCompare(right.node.name))
  }, [nodes])
  return (
    <label htmlFor={id} className="flex items-center gap-2">
      Node
      <select
        id={id}
        value={nodeId ?? ''}
        onChange={({ target }) => onChoose(target.value as NodeId)}
        className="h-7 min-w-0 flex-1 rounded-md border border-line-strong bg-ground px-2 text-13 text-text"
      >
        <option value="" disabled>
          Choose a node
        </option>
        {sorted.map(({ node }) => (
          <option key={node.id} value={node.id}>
            {node.name}
          </option>
        ))}
      </select>
    </label>
  )
}
