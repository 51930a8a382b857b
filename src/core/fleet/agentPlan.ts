import type { AgentSpec } from '../../shared/model/plan.ts'
import { canonicalJson } from '../canonicalJson.ts'

const longestNameBytes = 255
const encoder = new TextEncoder()

/** What the plan of an agent is called: `<node> to <storage host>`, `(2)` and so on when that is taken. */
export function agentPlanName(nodeName: string, spec: AgentSpec, number = 1): string {
  const suffix = ` to ${spec.storage.address}${number === 1 ? '' : ` (${number})`}`
  const room = longestNameBytes - encoder.encode(suffix).length
  return `${shortenedTo(nodeName, room)}${suffix}`
}

function shortenedTo(text: string, bytes: number): string {
  let short = text
  while (encoder.encode(short).length > bytes) short = [...short].slice(0, -1).join('')
  return short.trimEnd()
}

/** A selector that means this one node. A quote cannot be written in a quoted value: `*` stands for it. */
export function agentPlanSelector(nodeName: string): string {
  return `name:"${nodeName.replaceAll('"', '*')}"`
}

export function sameSpec(left: AgentSpec, right: AgentSpec): boolean {
  return canonicalJson(left) === canonicalJson(right)
}
