import { z } from 'zod'
import { readYamlDocuments, type YamlDocument } from '../../core/parse/yamlDocuments.ts'
import { NodeInput, type NodeKind } from '../../shared/model/node.ts'
import type { FieldProblem } from '../errors.ts'
import { placeOf, refuseProblems } from './documents.ts'

/** A node as the lists of the node registry give it (S1.15-21). What was once reported is not taken over as true. */
const ListedNode = z.strictObject({
  ip: z.string(),
  name: z.string(),
  ssh_user: z.string(),
  status: z.string().nullish(),
  last_sync: z.string().nullish(),
  last_attempt: z.string().nullish(),
})

const kindOfList: Readonly<Record<string, NodeKind>> = {
  management_laptops: 'laptop',
  vps_nodes: 'vps',
  worker_nodes: 'worker',
}

type Listed =
  | { readonly ok: true; readonly node: NodeInput }
  | { readonly ok: false; readonly issues: readonly z.core.$ZodIssue[] }

/** Messages speak of the fields that the file has. */
const registryNames: Readonly<Record<string, string>> = { address: 'ip', user: 'ssh_user' }

function fromRegistry(value: unknown, kind: NodeKind): Listed {
  const listed = ListedNode.safeParse(value)
  if (!listed.success) return { ok: false, issues: listed.error.issues }
  const { ip, name, ssh_user } = listed.data
  const node = NodeInput.safeParse({ name, kind, address: ip, user: ssh_user })
  if (node.success) return { ok: true, node: node.data }
  const renamed = node.error.issues.map((issue) => ({
    ...issue,
    path: issue.path.map((part) => registryNames[String(part)] ?? part),
  }))
  return { ok: false, issues: renamed }
}

function fromInput(value: unknown): Listed {
  const node = NodeInput.safeParse(value)
  return node.success ? { ok: true, node: node.data } : { ok: false, issues: node.error.issues }
}

interface Entry {
  readonly path: readonly PropertyKey[]
  readonly read: Listed
}

function entriesOf(value: unknown): Entry[] | string {
  if (Array.isArray(value)) return value.map((item, index) => ({ path: [index], read: fromInput(item) }))
  if (value === null || typeof value !== 'object') return 'expected a list of nodes, or the three lists of a registry'
  const unknown = Object.keys(value).filter((key) => !Object.hasOwn(kindOfList, key))
  if (unknown.length > 0) {
    return `unknown list "${unknown[0]}"; a registry has ${Object.keys(kindOfList).join(', ')}`
  }
  return Object.entries(value).flatMap(([list, items]) => registryList(list, items))
}

function registryList(list: string, items: unknown): Entry[] {
  const kind = kindOfList[list] as NodeKind
  const checked = z.array(z.unknown()).nullable().safeParse(items)
  if (!checked.success) return [{ path: [list], read: { ok: false, issues: checked.error.issues } }]
  return (checked.data ?? []).map((item, index) => ({ path: [list, index], read: fromRegistry(item, kind) }))
}

/**
 * JSON or YAML: a list of nodes, or the registry form with `management_laptops`, `vps_nodes`, `worker_nodes` (S1.15).
 *
 * @throws AppError INVALID_INPUT naming document, line and field of every mistake
 */
export function readNodes(text: string, what: string): NodeInput[] {
  const read = readYamlDocuments(text)
  const nodes: NodeInput[] = []
  const problems: FieldProblem[] = read.problems.map((problem) => ({
    field: placeOf(problem),
    message: problem.message,
  }))
  const seen = new Set<string>()
  for (const document of read.documents) {
    const entries = entriesOf(document.value)
    if (typeof entries === 'string') {
      problems.push({ field: `document ${document.number}`, message: entries })
      continue
    }
    for (const entry of entries) {
      if (!entry.read.ok) problems.push(...problemsOf(document, entry.path, entry.read.issues))
      else if (seen.has(entry.read.node.name)) problems.push(doubleName(document, entry.path))
      else {
        seen.add(entry.read.node.name)
        nodes.push(entry.read.node)
      }
    }
  }
  if (problems.length > 0) return refuseProblems(what, problems)
  if (nodes.length === 0) return refuseProblems(what, [{ field: '', message: 'there is no node in it' }])
  return nodes
}

function problemsOf(
  document: YamlDocument,
  base: readonly PropertyKey[],
  issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
): FieldProblem[] {
  return issues.map((issue) => {
    const path = [...base, ...issue.path]
    return {
      field: placeOf({ document: document.number, line: document.lineOf(path), path }),
      message: issue.message,
    }
  })
}

const doubleName = (document: YamlDocument, path: readonly PropertyKey[]): FieldProblem => ({
  field: placeOf({ document: document.number, line: document.lineOf(path), path: [...path, 'name'] }),
  message: 'another node here has the same name',
})
