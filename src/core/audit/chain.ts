import type { AuditEntry, AuditVerification } from '../../shared/model/audit.ts'
import { canonicalJson } from '../canonicalJson.ts'

/** What is known of a row before it is chained. */
export type UnchainedAuditEntry = Pick<AuditEntry, 'at' | 'actor' | 'action' | 'subject' | 'detail'>

/** SHA-256 of the UTF-8 bytes of a text, in lower-case hexadecimal. Given by the runtime: this module computes no hash. */
export type Sha256Hex = (text: string) => string

/** Where a chain stands: its last row. */
export interface ChainHead {
  readonly seq: number
  readonly hash: string
}

/** Before the first row. */
export const emptyChain: ChainHead = { seq: 0, hash: '0'.repeat(64) }

/** The text a row's hash is taken of: a JSON array in this order, the detail as canonical JSON inside. */
function hashedText(entry: UnchainedAuditEntry, seq: number, previousHash: string): string {
  const { at, actor, action, subject, detail } = entry
  return `${JSON.stringify([seq, at, actor, action, subject]).slice(0, -1)},${canonicalJson(detail)},"${previousHash}"]`
}

/** Appends rows to a chain. Pure: the caller stores the result, all of it or nothing. */
export function chainEntries(
  entries: readonly UnchainedAuditEntry[],
  head: ChainHead,
  sha256: Sha256Hex,
): AuditEntry[] {
  let { seq, hash } = head
  return entries.map((entry) => {
    const previousHash = hash
    seq += 1
    hash = sha256(hashedText(entry, seq, previousHash))
    const { at, actor, action, subject, detail } = entry
    return { seq, at, actor, action, subject, detail, previousHash, hash }
  })
}

/** Checks a chain row by row, in pieces of any size. */
export interface ChainVerifier {
  add(entry: AuditEntry): void
  /** @param expectedSeq how many rows there should be, where that is known: rows cut off at the end leave no other trace */
  result(expectedSeq?: number): AuditVerification
}

export function createChainVerifier(sha256: Sha256Hex): ChainVerifier {
  let head = emptyChain
  let firstBrokenSeq: number | null = null
  let entries = 0
  return {
    add(entry) {
      entries += 1
      const expectedSeq = head.seq + 1
      const follows =
        entry.seq === expectedSeq &&
        entry.previousHash === head.hash &&
        entry.hash === sha256(hashedText(entry, entry.seq, entry.previousHash))
      // A missing row is named by its own number, not by that of the row after it.
      if (!follows) firstBrokenSeq ??= Math.min(expectedSeq, entry.seq)
      head = { seq: entry.seq, hash: entry.hash }
    },
    result(expectedSeq) {
      const cutOff = expectedSeq !== undefined && head.seq < expectedSeq ? head.seq + 1 : null
      const broken = firstBrokenSeq ?? cutOff
      return { entries, intact: broken === null, firstBrokenSeq: broken, headHash: head.hash }
    },
  }
}

/** One line of an export. */
export function toAuditLine(entry: AuditEntry): string {
  return canonicalJson(entry)
}

/**
 * Verifies an export (one entry a line) without anything of ours at hand.
 *
 * @param parseEntry checks the shape of one parsed line; throws on a wrong one
 */
export function verifyAuditLines(
  lines: Iterable<string>,
  sha256: Sha256Hex,
  parseEntry: (value: unknown) => AuditEntry,
): AuditVerification {
  const verifier = createChainVerifier(sha256)
  for (const line of lines) if (line.trim() !== '') verifier.add(parseEntry(JSON.parse(line)))
  return verifier.result()
}
