import { parseArgs } from 'node:util'

export interface Arguments {
  readonly home: string | undefined
  /** Size of the demo fleet to bring up; null for none. */
  readonly demoNodes: number | null
}

const defaultDemoNodes = 12
const mostDemoNodes = 1000

/** Chromium has switches of its own and a desktop adds more: what is not ours is none of our business. */
export function parseArguments(args: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...args],
    options: { home: { type: 'string' }, demo: { type: 'boolean' }, nodes: { type: 'string' } },
    strict: false,
    allowPositionals: true,
  })
  const home = typeof values.home === 'string' && values.home !== '' ? values.home : undefined
  return { home, demoNodes: values.demo === true ? demoSize(values.nodes) : null }
}

function demoSize(given: string | boolean | undefined): number {
  const nodes = Number(given ?? defaultDemoNodes)
  return Number.isInteger(nodes) && nodes >= 1 && nodes <= mostDemoNodes ? nodes : defaultDemoNodes
}
