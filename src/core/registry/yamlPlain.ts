import { maxDepth, type SourceMember, type SourceNode } from './sourceTree.ts'

/*
 * YAML as registries are usually written: blocks of keys, lists with dashes, and values on one line. The library needs
 * seconds for ten thousand services; what is read here needs milliseconds, and whatever is not plain is left to it.
 */

/** `a b-c.d` or `"..."` without escapes, with its colon. */
const key = /(?:"([^"\\\p{Cc}]*)"|([\p{L}_][\p{L}\p{N}_.-]*(?: [\p{L}\p{N}_.-]+)*)):(?= |\n|$)/uy
/** Of a text that YAML takes for nothing else; a colon in it does not end a key. */
const word = String.raw`(?:[\p{L}\p{N}_./@+-]|:(?=[\p{L}\p{N}_./@+-]))`
const text = new RegExp(String.raw`^[\p{L}_/]${word}*(?: ${word}+)*$`, 'u')
const address = /^\d{1,3}(?:\.\d{1,3}){3}$/
const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/
const number = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/
const quoted = /^(?:"([^"\\\p{Cc}]*)"|'([^'\p{Cc}]*)')$/u
/** What YAML 1.2 takes for something else, in whatever letters (core schema, 10.3.2). */
const reserved = /^(?:true|false|null)$/i

interface Line {
  readonly indent: number
  /** Of the first character that is no space. */
  readonly start: number
  readonly end: number
}

/** Thrown and caught here: somebody else has to read it. */
const notPlain = new Error('not plain')

/** @returns null for everything that is not plain, mistakes too */
export function readPlainYaml(source: string): SourceNode | null {
  try {
    return new PlainReader(source).document()
  } catch (error) {
    if (error === notPlain) return null
    throw error
  }
}

class PlainReader {
  readonly #source: string
  #line: Line | null = null
  #next = 0

  constructor(source: string) {
    this.#source = source
    this.#advance()
  }

  document(): SourceNode {
    const first = this.#line
    if (first === null || first.indent > 0) throw notPlain
    const root = this.#block(0, 0)
    if (this.#line !== null) throw notPlain
    return root
  }

  /** To the next line that says something: not empty, not a comment. */
  #advance(): void {
    const source = this.#source
    while (this.#next < source.length) {
      const lineStart = this.#next
      const newline = source.indexOf('\n', lineStart)
      const end = newline === -1 ? source.length : newline
      this.#next = end + 1
      let start = lineStart
      while (start < end && source.charCodeAt(start) === 32) start += 1
      if (start === end || source.charCodeAt(start) === 35) continue
      this.#line = { indent: start - lineStart, start, end }
      return
    }
    this.#line = null
  }

  #isItem({ start }: Line): boolean {
    return this.#source.startsWith('- ', start)
  }

  #block(indent: number, depth: number): SourceNode {
    if (depth > maxDepth || this.#line === null) throw notPlain
    return this.#isItem(this.#line) ? this.#list(indent, depth) : this.#object(indent, depth)
  }

  #object(indent: number, depth: number): SourceNode {
    const members: SourceMember[] = []
    const start = this.#line?.start ?? 0
    for (let line = this.#line; line !== null && line.indent >= indent; line = this.#line) {
      if (line.indent > indent) throw notPlain
      if (this.#isItem(line)) break
      members.push(this.#member(line, depth))
    }
    if (members.length === 0) throw notPlain
    return { kind: 'object', start, members }
  }

  #member(line: Line, depth: number): SourceMember {
    key.lastIndex = line.start
    const match = key.exec(this.#source)
    if (match === null || key.lastIndex > line.end) throw notPlain
    const name = match[1] ?? match[2] ?? ''
    if (key.lastIndex < line.end) {
      const node = this.#scalar(key.lastIndex + 1, line.end)
      this.#advance()
      return { key: name, keyStart: line.start, node }
    }
    this.#advance()
    return { key: name, keyStart: line.start, node: this.#behindKey(line.indent, depth) }
  }

  /** A deeper block, or a list at the same depth; a key with nothing behind it is for others to read. */
  #behindKey(indent: number, depth: number): SourceNode {
    const line = this.#line
    if (line === null || line.indent < indent) throw notPlain
    if (line.indent > indent) return this.#block(line.indent, depth + 1)
    if (!this.#isItem(line)) throw notPlain
    return this.#list(indent, depth + 1)
  }

  #list(indent: number, depth: number): SourceNode {
    const items: SourceNode[] = []
    const start = this.#line?.start ?? 0
    for (let line = this.#line; line !== null && line.indent >= indent; line = this.#line) {
      if (line.indent > indent) throw notPlain
      if (!this.#isItem(line)) break
      items.push(this.#item(line, depth))
    }
    return { kind: 'array', start, items }
  }

  #item({ indent, start, end }: Line, depth: number): SourceNode {
    const inner: Line = { indent: indent + 2, start: start + 2, end }
    key.lastIndex = inner.start
    if (key.test(this.#source) && key.lastIndex <= end) {
      // The rest of the line begins an object that goes on below.
      this.#line = inner
      return this.#object(inner.indent, depth + 1)
    }
    const node = this.#scalar(inner.start, end)
    this.#advance()
    return node
  }

  #scalar(start: number, end: number): SourceNode {
    const written = this.#source.slice(start, end)
    const marks = quoted.exec(written)
    if (marks !== null) return { kind: 'scalar', start, value: marks[1] ?? marks[2] ?? '', json: null }
    if (number.test(written)) return { kind: 'scalar', start, value: Number(written), json: written }
    if (written === 'true' || written === 'false')
      return { kind: 'scalar', start, value: written === 'true', json: null }
    if (written === 'null') return { kind: 'scalar', start, value: null, json: null }
    const isText = text.test(written) && !reserved.test(written)
    if (isText || address.test(written) || instant.test(written))
      return { kind: 'scalar', start, value: written, json: null }
    throw notPlain
  }
}
