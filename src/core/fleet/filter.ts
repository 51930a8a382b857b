import type { FleetNode } from '../../shared/model/node.ts'
import { computeTile } from './health.ts'

/*
 * The filter language of the map, of plan selectors and of the CLI:
 *
 *   expression = term { "or" term }
 *   term       = factor { ["and"] factor }
 *   factor     = "not" factor | "(" expression ")" | condition
 *   condition  = field ":" value | value
 *
 * A value may hold `*` and may be quoted. A bare value matches the name. Fields: name, kind, address, user, login
 * (`certificate`, `static-key`, or the file of the key), status, tile, plan and label.<key>. An empty text and `*` mean
 * every node.
 */

export type Filter =
  | { readonly kind: 'all' }
  | { readonly kind: 'condition'; readonly field: string; readonly value: string }
  | { readonly kind: 'not'; readonly operand: Filter }
  | { readonly kind: 'and' | 'or'; readonly left: Filter; readonly right: Filter }

export type FilterResult =
  | { readonly ok: true; readonly filter: Filter }
  /** `position` is the index of the offending character. */
  | { readonly ok: false; readonly position: number; readonly message: string }

type Token =
  | {
      readonly kind: 'word'
      readonly text: string
      readonly quoted: boolean
      readonly colon: number
      readonly position: number
    }
  | { readonly kind: '(' | ')'; readonly position: number }

const knownFields = ['name', 'kind', 'address', 'user', 'login', 'status', 'tile', 'plan'] as const

class FilterError extends Error {
  readonly position: number
  constructor(position: number, message: string) {
    super(message)
    this.position = position
  }
}

function readQuoted(text: string, start: number): { readonly value: string; readonly end: number } {
  const end = text.indexOf('"', start + 1)
  if (end < 0) throw new FilterError(start, 'this quote is never closed')
  return { value: text.slice(start + 1, end), end: end + 1 }
}

function readWord(text: string, start: number): { readonly token: Token; readonly end: number } {
  let value = ''
  let quoted = false
  let colon = -1
  let at = start
  while (at < text.length && !/[\s()]/.test(text[at] as string)) {
    if (text[at] === '"') {
      const part = readQuoted(text, at)
      value += part.value
      quoted = true
      at = part.end
    } else {
      if (text[at] === ':' && colon < 0) colon = value.length
      value += text[at]
      at += 1
    }
  }
  return { token: { kind: 'word', text: value, quoted, colon, position: start }, end: at }
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  while (at < text.length) {
    const character = text[at] as string
    if (/\s/.test(character)) at += 1
    else if (character === '(' || character === ')') {
      tokens.push({ kind: character, position: at })
      at += 1
    } else {
      const { token, end } = readWord(text, at)
      tokens.push(token)
      at = end
    }
  }
  return tokens
}

function toCondition(token: Extract<Token, { kind: 'word' }>): Filter {
  // A colon inside quotes belongs to the value.
  const colon = token.colon
  if (colon <= 0) return token.text === '*' ? { kind: 'all' } : { kind: 'condition', field: 'name', value: token.text }
  const field = token.text.slice(0, colon)
  const value = token.text.slice(colon + 1)
  const known = (knownFields as readonly string[]).includes(field) || /^label\.[A-Za-z][A-Za-z0-9_.-]*$/.test(field)
  if (!known) {
    throw new FilterError(token.position, `unknown field "${field}"; use ${knownFields.join(', ')} or label.<key>`)
  }
  if (value === '') throw new FilterError(token.position + colon, `${field}: needs a value, for example ${field}:*`)
  return { kind: 'condition', field, value }
}

class Parser {
  readonly #tokens: readonly Token[]
  readonly #length: number
  #at = 0

  constructor(text: string) {
    this.#tokens = tokenize(text)
    this.#length = text.length
  }

  parse(): Filter {
    if (this.#tokens.length === 0) return { kind: 'all' }
    const filter = this.#expression()
    const rest = this.#tokens[this.#at]
    if (rest !== undefined) throw new FilterError(rest.position, 'unexpected closing parenthesis')
    return filter
  }

  #isOperator(name: string): boolean {
    const token = this.#tokens[this.#at]
    return token?.kind === 'word' && !token.quoted && token.text.toLowerCase() === name
  }

  #expression(): Filter {
    let left = this.#term()
    while (this.#isOperator('or')) {
      this.#at += 1
      left = { kind: 'or', left, right: this.#term() }
    }
    return left
  }

  #term(): Filter {
    let left = this.#factor()
    for (;;) {
      if (this.#isOperator('and')) this.#at += 1
      else {
        const next = this.#tokens[this.#at]
        if (next === undefined || next.kind === ')' || this.#isOperator('or')) return left
      }
      left = { kind: 'and', left, right: this.#factor() }
    }
  }

  #factor(): Filter {
    if (this.#isOperator('not')) {
      this.#at += 1
      return { kind: 'not', operand: this.#factor() }
    }
    const token = this.#tokens[this.#at]
    if (token === undefined) throw new FilterError(this.#length, 'something is missing at the end')
    this.#at += 1
    if (token.kind === 'word') {
      if (!token.quoted && /^(and|or)$/i.test(token.text))
        throw new FilterError(token.position, `nothing stands before "${token.text}"`)
      return toCondition(token)
    }
    if (token.kind === ')') throw new FilterError(token.position, 'nothing stands before this parenthesis')
    const inner = this.#expression()
    if (this.#tokens[this.#at]?.kind !== ')') throw new FilterError(token.position, 'this parenthesis is never closed')
    this.#at += 1
    return inner
  }
}

/** Parses a filter; a mistake comes back with its position and what is allowed. */
export function parseFilter(text: string): FilterResult {
  try {
    return { ok: true, filter: new Parser(text).parse() }
  } catch (error) {
    if (error instanceof FilterError) return { ok: false, position: error.position, message: error.message }
    throw error
  }
}

function matchesPattern(pattern: string, text: string): boolean {
  const expression = pattern
    .split('*')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*')
  return new RegExp(`^${expression}$`, 'isu').test(text)
}

function valuesOf(node: FleetNode, field: string, nowMs: number): readonly string[] {
  if (field.startsWith('label.')) {
    const value = node.labels[field.slice('label.'.length)]
    return value === undefined ? [] : [value]
  }
  if (field === 'plan') return node.plans.map((plan) => plan.planName)
  if (field === 'login') return node.login.kind === 'certificate' ? ['certificate'] : ['static-key', node.login.keyFile]
  if (field === 'tile') return [computeTile(node, nowMs).fill]
  const value = node[field as 'name' | 'kind' | 'address' | 'user' | 'status']
  return [value]
}

/** @param nowMs wall clock, needed by `tile:` conditions only. */
export function matchesFilter(filter: Filter, node: FleetNode, nowMs: number): boolean {
  switch (filter.kind) {
    case 'all':
      return true
    case 'not':
      return !matchesFilter(filter.operand, node, nowMs)
    case 'and':
      return matchesFilter(filter.left, node, nowMs) && matchesFilter(filter.right, node, nowMs)
    case 'or':
      return matchesFilter(filter.left, node, nowMs) || matchesFilter(filter.right, node, nowMs)
    case 'condition':
      return valuesOf(node, filter.field, nowMs).some((value) => matchesPattern(filter.value, value))
  }
}
