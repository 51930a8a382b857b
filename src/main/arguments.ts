import { parseArgs } from 'node:util'
import type { ControlPlane } from '../shared/controlPlane.ts'

export interface Arguments {
  readonly home: string | undefined
  /** Size of the demo fleet to bring up; null for none. */
  readonly demoNodes: number | null
  /** `--host user@control`: another machine's control plane; what it says is checked where it is used. */
  readonly remote: ControlPlane | null
}

const defaultDemoNodes = 12
const mostDemoNodes = 1000

/** Chromium has switches of its own and a desktop adds more: what is not ours is none of our business. */
export function parseArguments(args: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      home: { type: 'string' },
      demo: { type: 'boolean' },
      nodes: { type: 'string' },
      host: { type: 'string' },
      'remote-home': { type: 'string' },
    },
    strict: false,
    allowPositionals: true,
  })
  const home = textOf(values.home)
  const name = textOf(values.host)
  // A switch in the place of the name is a switch.
  const remote =
    name === undefined || name.startsWith('-') ? null : { name, home: textOf(values['remote-home']) ?? null }
  return { home, remote, demoNodes: values.demo === true ? demoSize(values.nodes) : null }
}

const textOf = (given: string | boolean | undefined): string | undefined =>
  typeof given === 'string' && given !== '' ? given : undefined

function demoSize(given: string | boolean | undefined): number {
  const nodes = Number(given ?? defaultDemoNodes)
  return Number.isInteger(nodes) && nodes >= 1 && nodes <= mostDemoNodes ? nodes : defaultDemoNodes
}
