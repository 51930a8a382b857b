import { assertNever } from '../../shared/errors.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Plan, PlanInput } from '../../shared/model/plan.ts'
import { directoryOn } from '../repository/places.ts'
import { mayOverlap, overlapsFor } from '../transfer/nodePaths.ts'
import { normalizedRemoteDirectory } from '../transfer/paths.ts'
import { selectorOf } from './assignment.ts'

/** Two plans that would write the same place of the same nodes: each run of one undoes the other. */
export interface PlanClash {
  /** The one that is applied first, unless both are. */
  readonly plans: readonly [string, string]
  /** As it is spelled by the plan that goes deeper. */
  readonly path: string
  /** Names. */
  readonly nodes: readonly string[]
}

/** A plan as far as it matters here; it need not exist yet. */
export type ClashingPlan = Plan | PlanInput

/**
 * What applying `inputs` beside the plans there are would make two plans write. It warns and refuses nothing: a person may
 * know that the two never run together.
 */
export function planClashes(
  inputs: readonly ClashingPlan[],
  existing: Iterable<Plan>,
  nodes: Iterable<FleetNode>,
): PlanClash[] {
  const pairs = pairsOf(inputs, existing)
  if (pairs.length === 0) return []
  const found = pairs.map(() => ({ path: '', nodes: [] as string[] }))
  for (const node of nodes)
    for (const [index, { left, right }] of pairs.entries()) {
      if (!left.isOn(node) || !right.isOn(node)) continue
      const [one, other] = [left.placeOn(node.name), right.placeOn(node.name)]
      const clash = found[index]
      if (clash === undefined || !overlapsFor(node.user, one, other)) continue
      if (clash.nodes.length === 0) clash.path = one.length >= other.length ? one : other
      clash.nodes.push(node.name)
    }
  return pairs.flatMap(({ left, right }, index) => {
    const clash = found[index]
    return clash === undefined || clash.nodes.length === 0 ? [] : [{ plans: [left.name, right.name], ...clash }]
  })
}

/** False when no nodes have to be asked for: whatever there is, nothing clashes. */
export const mayClash = (inputs: readonly ClashingPlan[], existing: Iterable<Plan>): boolean =>
  pairsOf(inputs, existing).length > 0

/** One warning, for the shell and for the page. */
export function clashSentence({ plans: [one, other], path, nodes }: PlanClash): string {
  const shown = nodes.slice(0, 5).join(', ')
  const more = nodes.length > 5 ? ` and ${nodes.length - 5} more` : ''
  const count = nodes.length === 1 ? '1 node' : `${nodes.length} nodes`
  return `The plans "${one}" and "${other}" both write ${path} on ${count} (${shown}${more}): each run of one undoes the other. Give one of them another place or another selector.`
}

/** A plan that writes on nodes. */
interface Writer {
  readonly name: string
  /** Everywhere it may write, on whichever node. */
  readonly places: readonly string[]
  readonly placeOn: (nodeName: string) => string
  readonly isOn: (node: FleetNode) => boolean
}

interface Pair {
  readonly left: Writer
  readonly right: Writer
}

function pairsOf(inputs: readonly ClashingPlan[], existing: Iterable<Plan>): Pair[] {
  const applied = new Set(inputs.map(({ name }) => name))
  const others = [...existing].filter(({ name }) => !applied.has(name)).flatMap(writerOf)
  const writers = inputs.flatMap(writerOf)
  return writers.flatMap((left, index) =>
    [...writers.slice(index + 1), ...others]
      .filter((right) => right.name !== left.name)
      .filter((right) => left.places.some((one) => right.places.some((other) => mayOverlap(one, other))))
      .map((right) => ({ left, right })),
  )
}

function writerOf(plan: ClashingPlan): Writer[] {
  const written = writtenBy(plan)
  if (written === null) return []
  const placeOn =
    plan.kind === 'repository'
      ? (nodeName: string) => normalizedRemoteDirectory(directoryOn(plan.spec, nodeName))
      : () => normalizedRemoteDirectory(written[0] ?? '')
  return [{ name: plan.name, places: written.map(normalizedRemoteDirectory), placeOn, isOn: selectorOf(plan) }]
}

/** Files or directories on nodes that are the plan's own; null for one that writes nothing there. */
function writtenBy(plan: ClashingPlan): readonly string[] | null {
  switch (plan.kind) {
    case 'tree':
      return plan.spec.push === null ? null : [plan.spec.push.target]
    case 'krl':
    case 'trust':
    case 'routes':
    case 'hosts':
      return [plan.spec.file]
    case 'host-certificate':
      return [plan.spec.certificateFile]
    case 'repository':
      return [plan.spec.target, ...Object.values(plan.spec.targets)]
    case 'agent':
      return null
    default:
      return assertNever(plan)
  }
}
