import {
  duplicateKeys,
  type Mistake,
  maxDepth,
  type SourceMember,
  type SourceNode,
  type SourceTree,
} from './sourceTree.ts'

const [tab, lineFeed, carriageReturn, space] = [9, 10, 13, 32]
const [quote, comma, colon, backslash] = [34, 44, 58, 92]
const [openBracket, closeBracket, openBrace, closeBrace] = [91, 93, 123, 125]
const byteOrderMark = 0xfeff

const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const literals: readonly (readonly [string, boolean | null])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
]

class SyntaxProblem extends Error {
  readonly offset: number

  constructor(offset: number, message: string) {
    super(message)
    this.offset = offset
  }
}

/** Reads JSON (RFC 8259). Never throws: the first mistake of the syntax ends the reading, repeated keys do not. */
export function readJsonSource(text: string): SourceTree {
  const reader = new Reader(text)
  try {
    const root = reader.document()
    return { root, mistakes: duplicateKeys(root) }
  } catch (error) {
    if (!(error instanceof SyntaxProblem)) throw error
    const mistake: Mistake = { path: [], offset: error.offset, message: error.message }
    return { root: null, mistakes: [mistake] }
  }
}

class Reader {
  readonly #text: string
  #at: number

  constructor(text: string) {
    this.#text = text
    this.#at = text.charCodeAt(0) === byteOrderMark ? 1 : 0
  }

  document(): SourceNode {
    this.#skipSpace()
    const root = this.#value(0)
    this.#skipSpace()
    if (this.#at < this.#text.length) throw this.#problem('there is more text behind the end of the document')
    return root
  }

  #problem(message: string, offset = this.#at): SyntaxProblem {
    return new SyntaxProblem(offset, message)
  }

  #unexpected(wanted: string): SyntaxProblem {
    const found = this.#text.codePointAt(this.#at)
    const what = found === undefined ? 'the end of the text' : JSON.stringify(String.fromCodePoint(found))
    return this.#problem(`is no JSON: ${wanted} expected, found ${what}`)
  }

  #skipSpace(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at)
      if (code !== space && code !== lineFeed && code !== carriageReturn && code !== tab) return
      this.#at += 1
    }
  }

  #value(depth: number): SourceNode {
    if (depth > maxDepth) throw this.#problem(`is nested more than ${maxDepth} levels deep`)
    const start = this.#at
    switch (this.#text.charCodeAt(start)) {
      case openBrace:
        return { kind: 'object', start, members: this.#members(depth) }
      case openBracket:
        return { kind: 'array', start, items: this.#items(depth) }
      case quote: {
        const value = this.#string()
        const plain = this.#at - start === value.length + 2
        return { kind: 'scalar', start, value, json: plain ? null : this.#text.slice(start, this.#at) }
      }
      default:
        return this.#word(start)
    }
  }

  #members(depth: number): SourceMember[] {
    const members: SourceMember[] = []
    this.#at += 1
    this.#skipSpace()
    if (this.#text.charCodeAt(this.#at) === closeBrace) {
      this.#at += 1
      return members
    }
    for (;;) {
      const keyStart = this.#at
      if (this.#text.charCodeAt(keyStart) !== quote) throw this.#unexpected('a key in double quotes')
      const key = this.#string()
      this.#skipSpace()
      if (this.#text.charCodeAt(this.#at) !== colon) throw this.#unexpected('":"')
      this.#at += 1
      this.#skipSpace()
      members.push({ key, keyStart, node: this.#value(depth + 1) })
      if (this.#ends(closeBrace, '"," or "}"')) return members
    }
  }

  #items(depth: number): SourceNode[] {
    const items: SourceNode[] = []
    this.#at += 1
    this.#skipSpace()
    if (this.#text.charCodeAt(this.#at) === closeBracket) {
      this.#at += 1
      return items
    }
    for (;;) {
      items.push(this.#value(depth + 1))
      if (this.#ends(closeBracket, '"," or "]"')) return items
    }
  }

  /** Behind a value: true at the end of its list, false when another one follows. */
  #ends(close: number, wanted: string): boolean {
    this.#skipSpace()
    const code = this.#text.charCodeAt(this.#at)
    if (code !== close && code !== comma) throw this.#unexpected(wanted)
    this.#at += 1
    if (code === close) return true
    this.#skipSpace()
    return false
  }

  #string(): string {
    const start = this.#at
    let plain = true
    for (let at = start + 1; ; at += 1) {
      const code = this.#text.charCodeAt(at)
      if (code === quote) {
        this.#at = at + 1
        return plain ? this.#text.slice(start + 1, at) : this.#unescaped(start)
      }
      if (code === backslash) {
        plain = false
        at += 1
      } else if (Number.isNaN(code)) throw this.#problem('is no JSON: a text in quotes has no end', start)
      else if (code < space) throw this.#problem('is no JSON: a line break or control character in a text', at)
    }
  }

  #unescaped(start: number): string {
    try {
      return JSON.parse(this.#text.slice(start, this.#at)) as string
    } catch {
      throw this.#problem('is no JSON: a text holds a backslash that means nothing', start)
    }
  }

  #word(start: number): SourceNode {
    number.lastIndex = start
    const [digits] = number.exec(this.#text) ?? []
    if (digits !== undefined) {
      this.#at += digits.length
      return { kind: 'scalar', start, value: Number(digits), json: digits }
    }
    for (const [word, value] of literals) {
      if (!this.#text.startsWith(word, start)) continue
      this.#at += word.length
      return { kind: 'scalar', start, value, json: null }
    }
    throw this.#unexpected('a value')
  }
}
