import { readJsonSource } from './jsonSource.ts'
import type { SourceNode } from './sourceTree.ts'

/** Texts that every version of YAML reads as themselves without quotes; whatever is in doubt gets quotes. */
const plain = /^(?:[A-Za-z_][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*|\d{1,3}(?:\.\d{1,3}){3})$/
const words = new Set(['true', 'false', 'null', 'yes', 'no', 'on', 'off', 'y', 'n'])

/** JSON written as YAML 1.2 in blocks: the same keys in the same order, every digit of a number. */
export function formatYaml(json: string): string {
  const { root } = readJsonSource(json)
  return root === null ? json : `${blockOf(root, '')}\n`
}

/** The node behind nothing: lines that begin at `indent`, without a line break at the end. */
function blockOf(node: SourceNode, indent: string): string {
  if (node.kind === 'object' && node.members.length > 0)
    return node.members.map(({ key, node: value }) => `${indent}${text(key)}:${behind(value, indent)}`).join('\n')
  if (node.kind === 'array' && node.items.length > 0)
    return node.items.map((item) => `${indent}-${itemOf(item, indent)}`).join('\n')
  return `${indent}${leaf(node)}`
}

/** The value behind `key:`. */
function behind(node: SourceNode, indent: string): string {
  return isBlock(node) ? `\n${blockOf(node, `${indent}  `)}` : ` ${leaf(node)}`
}

/** The value behind a dash: a block begins on the same line. */
function itemOf(node: SourceNode, indent: string): string {
  return isBlock(node) ? ` ${blockOf(node, `${indent}  `).trimStart()}` : ` ${leaf(node)}`
}

const isBlock = (node: SourceNode): boolean =>
  node.kind === 'object' ? node.members.length > 0 : node.kind === 'array' && node.items.length > 0

function leaf(node: SourceNode): string {
  if (node.kind === 'object') return '{}'
  if (node.kind === 'array') return '[]'
  return typeof node.value === 'string' ? text(node.value) : (node.json ?? JSON.stringify(node.value))
}

/** JSON's quoted texts are YAML's, but for the line separators, which YAML 1.1 takes for line breaks. */
function text(value: string): string {
  if (plain.test(value) && !words.has(value.toLowerCase())) return value
  return JSON.stringify(value).replace(/[\u007f-\u009f\u2028\u2029\ufeff]/g, (letter) => {
    return `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
