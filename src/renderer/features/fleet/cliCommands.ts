import { shellQuote } from '../../components/CliEquivalent.tsx'

const names = (nodes: readonly string[]): string => nodes.map(shellQuote).join(' ')

/** A long list of names is better said as a filter, where one describes it. */
const mostNames = 12

/** The commands that do the same as the buttons of the fleet view. */
export const cli = {
  push: (nodes: readonly string[], options: { readonly filter?: string; readonly all?: boolean } = {}): string => {
    const { filter = '', all = false } = options
    if (nodes.length > mostNames && all) return 'lockstep push --all --wait'
    if (nodes.length > mostNames && filter !== '') return `lockstep push --filter ${shellQuote(filter)} --wait`
    return `lockstep push ${names(nodes)} --wait`
  },
  renew: (nodes: readonly string[]): string => `lockstep certs renew ${names(nodes)}`,
  doctor: (node: string): string => `lockstep doctor ${shellQuote(node)}`,
  check: (node: string): string => `lockstep nodes check ${shellQuote(node)}`,
  acceptHostKey: (node: string, fingerprint: string): string =>
    `lockstep nodes accept-host-key ${shellQuote(node)} ${shellQuote(fingerprint)}`,
  maintenance: (node: string, on: boolean): string =>
    `lockstep nodes update ${shellQuote(node)} --maintenance ${on ? 'on' : 'off'}`,
} as const
