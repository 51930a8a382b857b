import { RegistryService, serviceKeys } from '../../shared/model/registry.ts'
import { canonicalJson } from '../canonicalJson.ts'
import { entryNode, extraKeys, fieldNodes, memberOf, readEntry, readSource, wrongKind } from './entries.ts'
import {
  formatTree,
  locate,
  type Mistake,
  type SourceMember,
  type SourceNode,
  type SourceProblem,
} from './sourceTree.ts'

export type ServicesRead =
  | { readonly ok: true; readonly services: readonly RegistryService[] }
  | { readonly ok: false; readonly problems: readonly SourceProblem[] }

/**
 * Reads a service registry as its sources write it, JSON or YAML: an object keyed by service name (S1.22-26). Never
 * throws; all mistakes at once, in the order of the text.
 */
export function readServiceRegistry(text: string): ServicesRead {
  const { root, mistakes: found } = readSource(text)
  const mistakes = [...found]
  const services: RegistryService[] = []
  if (root?.kind === 'object') {
    for (const member of root.members) {
      const read = readService(member)
      mistakes.push(...read.mistakes)
      if (read.value !== null) services.push(read.value)
    }
    mistakes.push(...clashesIn(services, root.members))
  } else if (root !== null) mistakes.push(wrongKind(root, [], 'an object with a service under each name'))
  return mistakes.length === 0 ? { ok: true, services } : { ok: false, problems: locate(text, mistakes) }
}

function readService({ key, keyStart, node }: SourceMember) {
  return readEntry(node, {
    schema: RegistryService,
    keys: serviceKeys,
    path: [key],
    around: { name: key },
    aroundOffset: keyStart,
  })
}

function clashesIn(services: readonly RegistryService[], members: readonly SourceMember[]): Mistake[] {
  const clashes = serviceClashes(services).filter(({ field }) => field === 'subdomain')
  if (clashes.length === 0) return []
  const byName = new Map(members.map((member) => [member.key, member]))
  return clashes.flatMap(({ name, message }) => {
    const member = byName.get(name)
    if (member === undefined) return []
    const offset = memberOf(member.node, 'subdomain')?.node.start ?? member.node.start
    return [{ path: [name, 'subdomain'], offset, message }]
  })
}

/** Two services that cannot both be. */
export interface ServiceClash {
  /** Of the later one. */
  readonly name: string
  readonly field: 'name' | 'subdomain'
  readonly message: string
}

/**
 * What no look at a single service can find: a name that is taken, or a subdomain that would lead to two places (two
 * public services, or two addresses). One machine may have several services under one subdomain, at other ports.
 */
export function serviceClashes(services: readonly RegistryService[]): ServiceClash[] {
  const clashes: ServiceClash[] = []
  const names = new Set<string>()
  const first = new Map<string, RegistryService>()
  const firstPublic = new Map<string, RegistryService>()
  for (const service of services) {
    const { name, subdomain, ip } = service
    if (names.has(name)) clashes.push({ name, field: 'name', message: 'is the name of another service too' })
    names.add(name)
    const elsewhere = first.get(subdomain)
    const other =
      elsewhere !== undefined && elsewhere.ip !== ip ? elsewhere : service.public && firstPublic.get(subdomain)
    // The same name twice is one mistake, not two.
    if (other && other.name !== name) clashes.push({ name, field: 'subdomain', message: takenBy(other, subdomain) })
    if (elsewhere === undefined) first.set(subdomain, service)
    if (service.public && !firstPublic.has(subdomain)) firstPublic.set(subdomain, service)
  }
  return clashes
}

const takenBy = ({ name }: RegistryService, subdomain: string): string =>
  `${JSON.stringify(subdomain)} belongs to ${JSON.stringify(name)} already`

const serviceNode = (service: RegistryService): SourceNode =>
  entryNode(fieldNodes(serviceKeys, service), service.preserved)

/** One service on one line, without its name, as its sources write it. */
export function formatService(service: RegistryService): string {
  return formatTree(serviceNode(service), 0)
}

/** The form the sources read, with every key that was read: same services in, same object out. */
export function formatServiceRegistry(services: readonly RegistryService[], indent = 2): string {
  const members = services.map((service) => ({
    key: service.name,
    keyStart: 0,
    node: serviceNode(service),
  }))
  return formatTree({ kind: 'object', start: 0, members }, indent)
}

/**
 * The text whose SHA-256 is the digest of a revision. Equal for equal content: the order of services, and of keys in
 * them, does not count; every other byte of what the sources wrote does.
 */
export function registryDigestText(services: readonly RegistryService[]): string {
  const entries = services.map(({ name, preserved, ...fields }) => ({
    name,
    ...fields,
    extra: extraKeys(preserved),
  }))
  return canonicalJson(entries.sort((left, right) => (left.name < right.name ? -1 : 1)))
}
