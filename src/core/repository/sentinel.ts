import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { CommitHash, SentinelReading } from '../../shared/model/repository.ts'
import { printable } from '../printable.ts'
import { runCause } from '../run/causes.ts'
import { shortCommit } from './resolveRef.ts'

/** What a sentinel holds: the commit and a line break. More than this is something else. */
export const mostSentinelBytes = 4096

const longestShown = 200

/** What the file said, bounded and without control characters; the commit alone where it is one. */
export function sentinelText(bytes: Uint8Array): string {
  const text = printable(new TextDecoder().decode(bytes.subarray(0, mostSentinelBytes))).trim()
  return text.length > longestShown ? `${text.slice(0, longestShown)}…` : text
}

/** @param found null: there is no sentinel */
export function compareSentinel(
  found: string | null,
  expected: CommitHash | null,
): Extract<SentinelReading['status'], 'matches' | 'differs' | 'absent'> {
  if (found === null) return 'absent'
  return found === expected ? 'matches' : 'differs'
}

/** Why what was proven on a node does not hold any more. */
export function sentinelRefutes(
  node: { readonly name: string },
  facts: { readonly file: string; readonly verified: CommitHash; readonly found: string | null },
): Diagnosis {
  const { file, verified, found } = facts
  const says = found === null ? 'is gone' : `says ${found === '' ? 'nothing' : `"${found}"`}`
  return runCause('SENTINEL_MISMATCH', {
    sentence: `${file} on ${node.name} ${says}, and commit ${shortCommit(verified)} was verified there. Sync it again.`,
    short: found === null ? 'sentinel is gone' : 'another commit there',
    evidence: [`verified ${verified}`, found === null ? 'no sentinel' : `found ${found}`],
  })
}
