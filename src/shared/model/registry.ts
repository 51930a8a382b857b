import { z } from 'zod'
import { Digest, EpochMs } from './ids.ts'
import { NodeStatus } from './node.ts'
import { DisplayName, LoginUser } from './text.ts'

/** The word for "not there" comes from whoever knows the place; what is there and wrong is named here. */
const wanted =
  (what: string) =>
  ({ input }: { readonly input?: unknown }): string =>
    input === undefined ? `is missing: ${what}` : `is ${shown(input)}, but must be ${what}`

function shown(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  const short = text.length > 60 ? `${text.slice(0, 57)}...` : text
  return typeof value === 'string' ? `the text ${short}` : short
}

/** What is wrong with one label of a DNS name (RFC 1035 2.3.1, RFC 5891 4.2.3.1); null when nothing is. */
function labelFlaw(label: string): string | null {
  if (label.length > 63) return `has ${label.length} characters; a DNS label has at most 63`
  if (/[^\u0020-\u007e]/.test(label)) return 'has letters that DNS does not know; write its xn-- form'
  if (/[A-Z]/.test(label)) return `has capital letters; write ${JSON.stringify(label.toLowerCase())}`
  if (!/^[a-z0-9-]*$/.test(label)) return 'may hold the letters a to z, digits and dashes only'
  if (label.startsWith('-') || label.endsWith('-')) return 'starts or ends with a dash'
  if (label.slice(2, 4) === '--' && !/^xn--[a-z0-9]/.test(label))
    return 'has dashes as its third and fourth character, which only xn-- names have'
  return null
}

const checked = (what: string, flawOf: (text: string) => string | null) =>
  z.string({ error: wanted(what) }).superRefine((text, context) => {
    const flaw = flawOf(text)
    if (flaw !== null) context.addIssue({ code: 'custom', message: `${JSON.stringify(text)} ${flaw}` })
  })

/** What stands before the domain: one DNS label in small letters, or nothing for the domain itself. */
export const Subdomain = checked('a DNS label such as demo', labelFlaw)

function domainFlaw(domain: string): string | null {
  // So that a longest subdomain and its dot still fit into the 253 characters of a name.
  if (domain.length > 189) return `has ${domain.length} characters; at most 189 leave room for a subdomain`
  const labels = domain.split('.')
  if (labels.includes('')) return 'has an empty label'
  for (const label of labels) {
    const flaw = labelFlaw(label)
    if (flaw !== null) return flaw
  }
  return /^[0-9]+$/.test(labels.at(-1) ?? '') ? 'ends in a number, as an address would' : null
}

/** The domain that subdomains stand before. */
export const Domain = checked('a domain such as example.com', domainFlaw)

const hexGroups = (text: string): readonly string[] | null => {
  if (text === '') return []
  const groups = text.split(':')
  return groups.every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group)) ? groups : null
}

/** RFC 4291 2.2: eight groups, `::` at most once, the last two groups also as IPv4. */
function isIpv6(text: string): boolean {
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text)
  if (tail !== null && ipv4Flaw(tail[2] ?? '') !== null) return false
  const halves = (tail === null ? text : `${tail[1]}0:0`).split('::')
  const groups = halves.map(hexGroups)
  if (halves.length > 2 || groups.includes(null)) return false
  const count = groups.reduce((sum, half) => sum + (half?.length ?? 0), 0)
  return halves.length === 2 ? count <= 7 : count === 8
}

function ipv4Flaw(text: string): string | null {
  const parts = text.split('.')
  if (parts.length !== 4) return 'is no IPv4 address of four numbers'
  if (parts.some((part) => /^0\d/.test(part)))
    return 'has a number with a leading zero, which some programs read as octal'
  return parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255)
    ? null
    : 'has a number that is not 0 to 255'
}

const noMachine = 'is the address of no single machine'

function ipFlaw(text: string): string | null {
  if (/^[0-9.]*[xX*][0-9.xX*]*$/.test(text)) return 'is a placeholder; write the real address'
  if (text.includes(':')) {
    if (!isIpv6(text)) return 'is no IPv6 address'
    return /^[0:.]+$/.test(text) || /^ff/i.test(text) ? noMachine : null
  }
  if (!/^[0-9.]+$/.test(text)) return 'is no IP address; write numbers, not a name'
  const flaw = ipv4Flaw(text)
  if (flaw !== null) return flaw
  const first = Number(text.split('.')[0])
  return first === 0 || first >= 224 ? noMachine : null
}

/** An IPv4 or IPv6 address of one machine: no zone, no leading zeros, not `100.x.x.x`. */
export const IpAddress = checked('an IP address such as 100.64.0.7', ipFlaw)

const portWords = wanted('a whole number from 1 to 65535')
const ServicePort = z.int({ error: portWords }).min(1, { error: portWords }).max(65_535, { error: portWords })

/**
 * One key of an object as it was read, in its place. `json` is null for a key that the model has a field for, else the
 * text of the value with nothing but spaces changed: numbers keep every digit.
 */
export const PreservedKey = z.strictObject({ key: z.string(), json: z.string().nullable() })
export type PreservedKey = z.infer<typeof PreservedKey>

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** The keys of an object in order; empty when there are no keys but the usual ones, in the usual order. */
const preservedBeside = (fields: ReadonlySet<string>) =>
  z
    .array(PreservedKey)
    .superRefine((keys, context) => {
      const seen = new Set<string>()
      for (const [index, { key, json }] of keys.entries()) {
        if (seen.has(key))
          context.addIssue({ code: 'custom', path: [index], message: `the key "${key}" is there twice` })
        seen.add(key)
        if (fields.has(key) ? json !== null : json === null || !isJson(json))
          context.addIssue({ code: 'custom', path: [index], message: `the key "${key}" has no JSON value of its own` })
      }
    })
    .default([])

/** Keys of a service entry in the sources' form, in the usual order (S1.23-26). */
export const serviceKeys = ['subdomain', 'ip', 'port', 'public'] as const

/** One service of the registry (S1.22-26). */
export const RegistryService = z.strictObject({
  name: DisplayName,
  subdomain: Subdomain,
  ip: IpAddress,
  port: ServicePort,
  /** True: it gets a route on every VPS (S1.26). */
  public: z.boolean({ error: wanted('true or false') }),
  preserved: preservedBeside(new Set(serviceKeys)),
})
export type RegistryService = z.infer<typeof RegistryService>

/** The two registries: what is offered where, and which machines there are (S1.15, S1.22). */
export const RegistryKind = z.enum(['services', 'nodes'])
export type RegistryKind = z.infer<typeof RegistryKind>

/** Where a revision came from. */
export const RevisionSource = z.discriminatedUnion('kind', [
  /** A person, in the console or on the command line. */
  z.strictObject({ kind: z.literal('console') }),
  z.strictObject({ kind: z.literal('file'), path: z.string() }),
  z.strictObject({
    kind: z.literal('configMap'),
    cluster: z.string(),
    namespace: z.string(),
    name: z.string(),
    resourceVersion: z.string(),
  }),
  /** The content of an older revision again. */
  z.strictObject({ kind: z.literal('return'), toNumber: z.int().positive() }),
])
export type RevisionSource = z.infer<typeof RevisionSource>

/** Every save is one of these and never changes again. */
export const RegistryRevision = z.object({
  registry: RegistryKind,
  /** From 1, growing by one. */
  number: z.int().positive(),
  /** Of the canonical text of what is registered, sensitive values included. */
  digest: Digest,
  author: z.string(),
  at: EpochMs,
  comment: z.string().max(500),
  source: RevisionSource,
  /** How many services, or nodes. */
  entries: z.int().nonnegative(),
})
export type RegistryRevision = z.infer<typeof RegistryRevision>

/** The services in the order of their source, and the revision they are. */
export const Registry = z.object({ revision: RegistryRevision, services: z.array(RegistryService) })
export type Registry = z.infer<typeof Registry>

/** The lists of the node registry, in their usual order, and the kind of node each holds (S1.15). */
export const nodeLists = {
  management_laptops: 'laptop',
  vps_nodes: 'vps',
  worker_nodes: 'worker',
} as const
export type NodeList = keyof typeof nodeLists

/** Keys of a node entry in the sources' form, in the usual order (S1.16-21). */
export const nodeKeys = ['ip', 'name', 'ssh_user', 'status', 'last_sync', 'last_attempt'] as const

const timeWords = wanted('a time such as 2026-01-07T09:31:12Z, or null')

/** Kept as it was written; empty or null when it never happened. */
const SyncTime = z
  .union([z.literal(''), z.iso.datetime({ offset: true, error: timeWords })], { error: timeWords })
  .nullable()
  .default(null)

/** One node as the sources register it (S1.16-21). */
export const NodeRegistryEntry = z.strictObject({
  list: z.enum(Object.keys(nodeLists) as [NodeList, ...NodeList[]]),
  ip: IpAddress,
  name: DisplayName,
  ssh_user: LoginUser,
  status: z.enum(NodeStatus.options, { error: wanted('active, pending_sync or error') }),
  last_sync: SyncTime,
  last_attempt: SyncTime,
  preserved: preservedBeside(new Set(nodeKeys)),
})
export type NodeRegistryEntry = z.infer<typeof NodeRegistryEntry>

/** The node registry; nodes in the order of their lists. */
export const NodeRegistry = z.strictObject({
  nodes: z.array(NodeRegistryEntry),
  preserved: preservedBeside(new Set(Object.keys(nodeLists))),
})
export type NodeRegistry = z.infer<typeof NodeRegistry>

/** How public services become routes of Traefik. */
export const RoutesSettings = z.strictObject({
  domain: Domain,
  entryPoints: z
    .array(z.string().regex(/^[A-Za-z0-9_-]{1,64}$/))
    .min(1)
    .max(16)
    .default(['websecure']),
  /** False: plain HTTP. True without a resolver: with the certificates Traefik already has. */
  tls: z.boolean().default(true),
  certResolver: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, 'a certificate resolver is 1 to 64 letters, digits, _ and -')
    .nullable()
    .default(null),
})
export type RoutesSettings = z.infer<typeof RoutesSettings>

/** How services become lines of a hosts file. */
export const HostsSettings = z.strictObject({
  domain: Domain,
  /** Also the name of the service without a domain, where it can be a host name. */
  shortNames: z.boolean().default(false),
})
export type HostsSettings = z.infer<typeof HostsSettings>
