import { assertNever } from '../../../shared/errors.ts'
import type { RegistryKind, RegistryRevision } from '../../../shared/model/registry.ts'
import { plural } from '../../components/format.ts'

/** What each registry is called, and one entry of it. */
export const registryWords: Readonly<Record<RegistryKind, { readonly title: string; readonly entry: string }>> = {
  services: { title: 'service registry', entry: 'service' },
  nodes: { title: 'node registry', entry: 'node' },
}

export const entriesWords = (registry: RegistryKind, count: number): string =>
  plural(count, registryWords[registry].entry)

/** Where a revision came from. */
export function sourceWords({ source }: Pick<RegistryRevision, 'source'>): string {
  switch (source.kind) {
    case 'console':
      return 'by hand'
    case 'file':
      return `from ${source.path}`
    case 'configMap':
      return `from ConfigMap ${source.namespace}/${source.name} in ${source.cluster}`
    case 'return':
      return `revision ${source.toNumber} again`
    default:
      return assertNever(source)
  }
}

/** What a field is called for people; keys of a source keep their own name. */
const fieldNames: Readonly<Record<string, string>> = {
  name: 'name',
  subdomain: 'subdomain',
  ip: 'address',
  port: 'port',
  public: 'public',
  list: 'list',
  ssh_user: 'SSH user',
}
export const fieldWords = (field: string): string => fieldNames[field] ?? field

export const cli = {
  apply: (registry: RegistryKind, format: string): string =>
    `lockstep registry apply ${registry} ${registry}.${format === 'json' ? 'json' : 'yaml'}`,
  returnTo: (registry: RegistryKind, number: number): string => `lockstep registry return ${registry} ${number}`,
  diff: (registry: RegistryKind, from: number, to: number): string =>
    `lockstep registry diff ${registry} ${from} ${to}`,
} as const
