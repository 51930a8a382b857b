import { useMemo } from 'react'
import type { EffectGroup, FleetEffect } from '../../../../shared/contract/registry.ts'
import { Diff } from '../../../components/Diff.tsx'
import { formatCount, plural } from '../../../components/format.ts'
import { useReplica } from '../../../stores/ReplicaContext.tsx'
import { unifiedDiff } from '../unifiedDiff.ts'

const shownLines = 300
const shownNames = 8

/** How many different nodes the groups reach. */
export const reachedNodes = (effects: readonly EffectGroup[]): number =>
  new Set(effects.flatMap(({ nodeIds }) => nodeIds)).size

/** Which nodes change and how: those that get the same text are one group, with the text before and after. */
export function EffectList({ effects }: { readonly effects: readonly EffectGroup[] }) {
  if (effects.length === 0)
    return (
      <p className="text-muted">
        No node gets another text: no plan of kind routes or hosts delivers what has changed.
      </p>
    )
  return (
    <ul aria-label="Nodes that change" className="flex flex-col gap-3">
      {effects.map((group) => (
        <li key={group.planId} className="flex flex-col gap-1">
          <Group group={group} />
        </li>
      ))}
    </ul>
  )
}

function Group({ group }: { readonly group: EffectGroup }) {
  const nodes = useReplica((state) => state.nodes)
  const diff = useMemo(() => unifiedDiff(group.before, group.after), [group.before, group.after])
  const lines = diff.split('\n')
  const names = group.nodeIds.slice(0, shownNames).map((id) => nodes.get(id)?.name ?? 'a removed node')
  const count = (mark: string): number => lines.filter((line) => line.startsWith(mark)).length
  return (
    <>
      <p className="flex flex-wrap items-baseline gap-x-2">
        <span className="font-medium">{group.planName}</span>
        <span>
          {formatCount(group.nodeIds.length)} of {plural(nodes.size, 'node')}
        </span>
        <span className="text-12 text-muted">
          {plural(count('+'), 'line')} more, {plural(count('-'), 'line')} less
        </span>
      </p>
      <p className="text-12 text-muted">
        {names.join(', ')}
        {group.nodeIds.length > names.length && ` and ${formatCount(group.nodeIds.length - names.length)} more`}
      </p>
      <Diff label={`What changes on the nodes of ${group.planName}`} text={lines.slice(0, shownLines).join('\n')} />
      {lines.length > shownLines && (
        <p className="text-12 text-muted">and {formatCount(lines.length - shownLines)} more lines</p>
      )}
    </>
  )
}

/** What a node registry asks of the fleet. */
export function FleetEffects({ effects }: { readonly effects: readonly FleetEffect[] }) {
  if (effects.length === 0) return null
  return (
    <ul aria-label="Changes of the fleet" className="flex flex-col gap-0.5">
      {effects.slice(0, 50).map(({ name, kind, detail }) => (
        <li key={`${kind} ${name}`} className="flex flex-wrap gap-x-2">
          <span className="font-medium">{name}</span>
          <span className="text-muted">{fleetWords[kind]}</span>
          <span className="text-12 text-muted">{detail}</span>
        </li>
      ))}
      {effects.length > 50 && <li className="text-muted">and {formatCount(effects.length - 50)} more</li>}
    </ul>
  )
}

const fleetWords: Readonly<Record<FleetEffect['kind'], string>> = {
  added: 'comes into the fleet',
  changed: 'changes in the fleet',
  missing: 'is in the fleet but not in this registry',
}
