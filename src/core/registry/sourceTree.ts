/*
 * A document as a tree that forgets nothing: the order of keys, keys that are there twice, every digit of a number,
 * and where each of them stands. `JSON.parse` loses all four.
 */

/** `start` and `end` are offsets into the text. */
export type SourceNode =
  | { readonly kind: 'object'; readonly start: number; readonly members: readonly SourceMember[] }
  | { readonly kind: 'array'; readonly start: number; readonly items: readonly SourceNode[] }
  | {
      readonly kind: 'scalar'
      readonly start: number
      readonly value: string | number | boolean | null
      /** How the value was written, where `JSON.stringify` would write it another way: numbers, escapes. */
      readonly json: string | null
    }

export interface SourceMember {
  readonly key: string
  readonly keyStart: number
  readonly node: SourceNode
}

export type SourcePath = readonly (string | number)[]

/** A mistake, where a person can find it. */
export interface SourceProblem {
  /** E.g. `["demo", "port"]`; empty for the document itself. */
  readonly path: SourcePath
  /** From 1, as is `column`. */
  readonly line: number
  readonly column: number
  readonly message: string
}

/** A mistake before its place was looked up. */
export interface Mistake {
  readonly path: SourcePath
  readonly offset: number
  readonly message: string
}

export interface SourceTree {
  /** Null when the text is not a document at all; then there is a mistake. */
  readonly root: SourceNode | null
  readonly mistakes: readonly Mistake[]
}

/** Deeper nesting is no registry but an attack on the stack. */
export const maxDepth = 100

/** `$.demo.port`, `$["two words"].port`, `$.vps_nodes[3].ip` (RFC 9535). */
export function jsonPath(path: SourcePath): string {
  const steps = path.map((step) => {
    if (typeof step === 'number') return `[${step}]`
    return /^[A-Za-z_][A-Za-z0-9_]*$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`
  })
  return `$${steps.join('')}`
}

/** Looks up the places of mistakes, in the order of the text. */
export function locate(text: string, mistakes: readonly Mistake[]): SourceProblem[] {
  const problems: SourceProblem[] = []
  let [line, lineStart] = [1, 0]
  for (const { path, offset, message } of [...mistakes].sort((left, right) => left.offset - right.offset)) {
    for (let next = text.indexOf('\n', lineStart); next !== -1 && next < offset; next = text.indexOf('\n', lineStart)) {
      line += 1
      lineStart = next + 1
    }
    problems.push({ path, line, column: offset - lineStart + 1, message })
  }
  return problems
}

/** Every key that is in one object twice, wherever that object is. */
export function duplicateKeys(root: SourceNode): Mistake[] {
  const mistakes: Mistake[] = []
  const path: (string | number)[] = []
  const lookIn = (step: string | number, node: SourceNode): void => {
    if (node.kind === 'scalar') return
    path.push(step)
    look(node)
    path.pop()
  }
  const look = (node: SourceNode): void => {
    if (node.kind === 'array') for (const [index, item] of node.items.entries()) lookIn(index, item)
    if (node.kind !== 'object') return
    for (const { key, keyStart } of repeated(node.members))
      mistakes.push({
        path: [...path, key],
        offset: keyStart,
        message: 'is there twice; of two entries only one would count',
      })
    for (const { key, node: value } of node.members) lookIn(key, value)
  }
  look(root)
  return mistakes
}

const fewMembers = 8

function repeated(members: readonly SourceMember[]): SourceMember[] {
  if (members.length <= fewMembers) {
    return members.filter(({ key }, index) => {
      for (let before = 0; before < index; before += 1) if (members[before]?.key === key) return true
      return false
    })
  }
  const seen = new Set<string>()
  return members.filter(({ key }) => seen.size === seen.add(key).size)
}

/** @param indent spaces a level, 0 for one line without spaces. */
export function formatTree(node: SourceNode, indent: number, depth = 0): string {
  if (node.kind === 'scalar') return node.json ?? JSON.stringify(node.value)
  const [open, close] = node.kind === 'object' ? ['{', '}'] : ['[', ']']
  const colon = indent === 0 ? ':' : ': '
  const parts =
    node.kind === 'object'
      ? node.members.map(
          ({ key, node: value }) => `${JSON.stringify(key)}${colon}${formatTree(value, indent, depth + 1)}`,
        )
      : node.items.map((item) => formatTree(item, indent, depth + 1))
  if (parts.length === 0) return `${open}${close}`
  if (indent === 0) return `${open}${parts.join(',')}${close}`
  const [outer, inner] = [' '.repeat(indent * depth), ' '.repeat(indent * (depth + 1))]
  return `${open}\n${inner}${parts.join(`,\n${inner}`)}\n${outer}${close}`
}

/** A value of ours as a node, to be formatted with the rest. */
export function scalarNode(value: string | number | boolean | null): SourceNode {
  return { kind: 'scalar', start: 0, value, json: null }
}
