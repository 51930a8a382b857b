import { matchesFilter, parseFilter } from '../../../core/fleet/filter.ts'
import type { FleetNode } from '../../../shared/model/node.ts'

export type Reach =
  | { readonly ok: true; readonly nodes: readonly FleetNode[] }
  | { readonly ok: false; readonly message: string }

/** Which nodes a selector means now: by the same function that decides it in the engine. */
export function reachOf(selector: string, nodes: Iterable<FleetNode>, nowMs: number): Reach {
  const parsed = parseFilter(selector)
  if (!parsed.ok) return { ok: false, message: `${parsed.message} (character ${parsed.position + 1})` }
  return { ok: true, nodes: [...nodes].filter((node) => matchesFilter(parsed.filter, node, nowMs)) }
}
