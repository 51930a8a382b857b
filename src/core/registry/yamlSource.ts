import { type Document, isAlias, isMap, isPair, isScalar, isSeq, parseAllDocuments, type Scalar } from 'yaml'
import {
  duplicateKeys,
  type Mistake,
  maxDepth,
  type SourceMember,
  type SourceNode,
  type SourceTree,
} from './sourceTree.ts'
import { readPlainYaml } from './yamlPlain.ts'

/** More uses of anchors than this are no registry but an attack on memory; as in `readYamlDocuments`. */
const maxAliasCount = 100

class Unreadable extends Error {
  readonly offset: number

  constructor(offset: number, message: string) {
    super(message)
    this.offset = offset
  }
}

/** Reads one YAML document into the tree that JSON gives. Never throws. */
export function readYamlSource(text: string): SourceTree {
  const plain = readPlainYaml(text)
  return plain === null ? readAnyYaml(text) : { root: plain, mistakes: duplicateKeys(plain) }
}

/** With everything that YAML knows; slow, see {@link readPlainYaml}. */
export function readAnyYaml(text: string): SourceTree {
  const parsed = parseAllDocuments(text, { prettyErrors: false, uniqueKeys: false })
  const documents = Array.isArray(parsed) ? parsed : []
  const mistakes: Mistake[] = documents.flatMap(({ errors }) =>
    errors.map(({ pos, message }) => ({ path: [], offset: pos[0], message: `is no YAML: ${withoutContent(message)}` })),
  )
  const [document, second] = documents
  if (second !== undefined)
    mistakes.push({ path: [], offset: second.range[0], message: 'is a second document; a registry is one' })
  // No document at all, or one without content: a file cut to nothing must not pass for a registry without services.
  if (document === undefined || (mistakes.length === 0 && document.contents === null))
    mistakes.push({ path: [], offset: 0, message: 'is empty; write {} for a registry without services' })
  if (document === undefined || mistakes.length > 0) return { root: null, mistakes }
  return asTree(document)
}

/** What stands in the text may be sensitive; the place of the mistake says where to look. */
function withoutContent(message: string): string {
  return message.includes('!')
    ? 'a tag that means nothing here'
    : message.replace(/(?:: |(?<=escape) sequence ).*/s, '')
}

function asTree(document: Document): SourceTree {
  try {
    const root = new Converter(document).convert(document.contents, 0, 0)
    return { root, mistakes: duplicateKeys(root) }
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    return { root: null, mistakes: [{ path: [], offset: error.offset, message: error.message }] }
  }
}

class Converter {
  readonly #document: Document
  #aliases = 0

  constructor(document: Document) {
    this.#document = document
  }

  /** @param near where to point for a node that is nowhere, such as the nothing behind `key:`. */
  convert(node: unknown, near: number, depth: number): SourceNode {
    if (depth > maxDepth) throw new Unreadable(near, `is nested more than ${maxDepth} levels deep`)
    if (isAlias(node)) {
      this.#aliases += 1
      const start = node.range?.[0] ?? near
      const target = node.resolve(this.#document)
      if (target === undefined) throw new Unreadable(start, `there is no anchor of this name before this`)
      if (this.#aliases > maxAliasCount) throw new Unreadable(start, `more than ${maxAliasCount} aliases`)
      return this.convert(target, start, depth + 1)
    }
    if (isMap(node)) {
      const start = node.range?.[0] ?? near
      return { kind: 'object', start, members: node.items.map((pair) => this.#member(pair, start, depth)) }
    }
    if (isSeq(node)) {
      const start = node.range?.[0] ?? near
      return { kind: 'array', start, items: node.items.map((item) => this.convert(item, start, depth + 1)) }
    }
    return scalar(isScalar(node) ? node : null, near)
  }

  #member(pair: unknown, near: number, depth: number): SourceMember {
    if (!isPair(pair) || !isScalar(pair.key)) throw new Unreadable(near, 'has a key that is not a plain text')
    const keyStart = pair.key.range?.[0] ?? near
    return { key: keyText(pair.key), keyStart, node: this.convert(pair.value, keyStart, depth + 1) }
  }
}

/** As it was written: a service may be called 007. */
function keyText(key: Scalar): string {
  return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value))
}

const jsonNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

function scalar(node: Scalar | null, near: number): SourceNode {
  const start = node?.range?.[0] ?? near
  const value = node?.value ?? null
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new Unreadable(start, `is ${node?.source ?? value}, which JSON has no word for`)
  if (value !== null && typeof value === 'object') throw new Unreadable(start, 'is of a kind that JSON does not have')
  const plain = typeof value === 'bigint' ? Number(value) : (value as string | number | boolean | null)
  const written = typeof value === 'number' && jsonNumber.test(node?.source ?? '') ? node?.source : undefined
  return { kind: 'scalar', start, value: plain, json: written ?? null }
}
