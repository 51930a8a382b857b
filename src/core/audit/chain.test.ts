import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AuditEntry } from '../../shared/model/audit.ts'
import { canonicalJson } from '../canonicalJson.ts'
import {
  chainEntries,
  createChainVerifier,
  emptyChain,
  toAuditLine,
  type UnchainedAuditEntry,
  verifyAuditLines,
} from './chain.ts'

const sha256 = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex')
const entry = (index: number): UnchainedAuditEntry => ({
  at: 1_000 + index,
  actor: 'ann@desk',
  action: 'certificate.issue',
  subject: `node ${index}`,
  detail: { b: index, a: [{ d: 1, c: null }] },
})
const chain = (count: number): AuditEntry[] =>
  chainEntries(
    Array.from({ length: count }, (_, index) => entry(index + 1)),
    emptyChain,
    sha256,
  )

function verify(entries: readonly AuditEntry[], expectedSeq?: number) {
  const verifier = createChainVerifier(sha256)
  for (const row of entries) verifier.add(row)
  return verifier.result(expectedSeq)
}

describe('canonical JSON', () => {
  it('does not depend on the order of keys, and is what JSON.parse reads back', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value)
        expect(canonicalJson(JSON.parse(text))).toBe(text)
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
    expect(canonicalJson({ b: 1, a: { d: undefined, c: 2 } })).toBe('{"a":{"c":2},"b":1}')
  })
})

describe('audit chain', () => {
  it('N14 is stable: this text gives this hash for ever', () => {
    const [first] = chain(1)
    const text = `[1,1001,"ann@desk","certificate.issue","node 1",{"a":[{"c":null,"d":1}],"b":1},"${'0'.repeat(64)}"]`
    expect(first?.hash).toBe(sha256(text))
    expect(first).toMatchObject({ seq: 1, previousHash: '0'.repeat(64) })
  })

  it('N14 verifies what it chained, in one piece or continued', () => {
    const whole = chain(5)
    const head = whole[2]
    const continued = [...whole.slice(0, 3), ...chainEntries([entry(4), entry(5)], head ?? emptyChain, sha256)]
    expect(continued).toEqual(whole)
    expect(verify(whole, 5)).toEqual({ entries: 5, intact: true, firstBrokenSeq: null, headHash: whole[4]?.hash })
    expect(verify([])).toEqual({ entries: 0, intact: true, firstBrokenSeq: null, headHash: '0'.repeat(64) })
  })

  it('N14 finds any changed field, and names the first row it breaks', () => {
    const rows = chain(6)
    const changes: Partial<AuditEntry>[] = [
      { at: 1 },
      { actor: 'eve@desk' },
      { action: 'node.remove' },
      { subject: 'other' },
      { detail: { b: 4, a: [] } },
      { hash: 'f'.repeat(64) },
      { previousHash: 'f'.repeat(64) },
      { seq: 9 },
    ]
    for (const change of changes) {
      const changed = rows.map((row) => (row.seq === 4 ? { ...row, ...change } : row))
      expect(verify(changed)).toMatchObject({ intact: false, firstBrokenSeq: 4 })
    }
  })

  it('N14 finds removed, repeated and swapped rows, and rows cut off at the end', () => {
    const rows = chain(6)
    expect(verify(rows.filter((row) => row.seq !== 3))).toMatchObject({ intact: false, firstBrokenSeq: 3 })
    expect(verify(rows.slice(1))).toMatchObject({ intact: false, firstBrokenSeq: 1 })
    expect(verify([...rows.slice(0, 2), ...rows.slice(1)])).toMatchObject({ intact: false, firstBrokenSeq: 2 })
    expect(verify(rows.slice(0, 4), 6)).toMatchObject({ entries: 4, intact: false, firstBrokenSeq: 5 })
  })

  it('N14 a row rewritten with a fitting hash breaks the row after it', () => {
    const rows = chain(4)
    const [forged] = chainEntries([{ ...entry(2), actor: 'eve@desk' }], rows[0] ?? emptyChain, sha256)
    expect(forged).toBeDefined()
    const changed = rows.map((row) => (row.seq === 2 && forged !== undefined ? forged : row))
    expect(verify(changed)).toMatchObject({ intact: false, firstBrokenSeq: 3 })
  })

  it('N14 an export is verified from its lines alone', () => {
    const lines = chain(3).map(toAuditLine)
    const parse = (value: unknown) => AuditEntry.parse(value)
    expect(verifyAuditLines([...lines, ''], sha256, parse)).toMatchObject({ entries: 3, intact: true })
    const changed = lines.map((line) => line.replace('"node 2"', '"node 7"'))
    expect(verifyAuditLines(changed, sha256, parse)).toMatchObject({ intact: false, firstBrokenSeq: 2 })
  })
})
