import type { StorageSettings } from '../../../shared/model/storage.ts'
import { shellQuote } from '../../components/CliEquivalent.tsx'

const names = (nodes: readonly string[]): string => nodes.map(shellQuote).join(' ')

/** A long list of names is better said as a filter, where one describes it. */
const mostNames = 12

function storageOptions({ user, principals, breakGlass }: StorageSettings): string {
  const names = principals.map((principal) => ` --principal ${shellQuote(principal)}`).join('')
  const way =
    breakGlass.kind === 'console' ? ` --console ${shellQuote(breakGlass.note)}` : ' --second-authority break-glass.pub'
  return ` --user ${shellQuote(user)}${names}${way}`
}

/** The commands that do the same as the buttons of the fleet view. */
export const cli = {
  /** @param options.everyShown they are all that the filter means and a push may reach; else only names are true */
  push: (
    nodes: readonly string[],
    options: { readonly filter?: string; readonly everyShown?: boolean } = {},
  ): string => {
    const { filter = '', everyShown = false } = options
    if (nodes.length <= mostNames || !everyShown) return `lockstep push ${names(nodes)} --wait`
    return `lockstep push ${filter === '' ? '--all' : `--filter ${shellQuote(filter)}`} --wait`
  },
  renew: (nodes: readonly string[]): string => `lockstep certs renew ${names(nodes)}`,
  storagePreview: (node: string, settings: StorageSettings): string =>
    `lockstep storage preview ${shellQuote(node)}${storageOptions(settings)}`,
  storageApply: (node: string, settings: StorageSettings): string =>
    `lockstep storage apply ${shellQuote(node)}${storageOptions(settings)}`,
  storageUndo: (node: string): string => `lockstep storage undo ${shellQuote(node)}`,
  exportUserAuthority: 'lockstep ca export',
  toCertificate: (node: string): string => `lockstep nodes update ${shellQuote(node)} --certificate`,
  doctor: (node: string): string => `lockstep doctor ${shellQuote(node)}`,
  check: (node: string): string => `lockstep nodes check ${shellQuote(node)}`,
  acceptHostKey: (node: string, fingerprint: string): string =>
    `lockstep nodes accept-host-key ${shellQuote(node)} ${shellQuote(fingerprint)}`,
  maintenance: (node: string, on: boolean): string =>
    `lockstep nodes update ${shellQuote(node)} --maintenance ${on ? 'on' : 'off'}`,
} as const
