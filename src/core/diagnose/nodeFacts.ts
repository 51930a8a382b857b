import type { Diagnosis } from '../../shared/model/diagnosis.ts'
import type { DiagnosedNode } from './evidence.ts'
import { cause } from './sentences.ts'

/** What the doctor reads on a node in one round trip. */
export interface NodeFacts {
  readonly home: string
  readonly homeWritable: boolean
  readonly readOnly: boolean
  /** Null when `df` said nothing usable. */
  readonly diskFreeBytes: number | null
  readonly rsync: string | null
  readonly clockSeconds: number | null
  /** Filled in by who knows our own clock. */
  readonly clockSkewMs: number | null
}

const marker = 'lockstep-facts'

/** Plain POSIX sh; reads only. Each line is `name value`, so that chatter of a login shell does no harm. */
export const nodeFactsCommand = [
  `echo "${marker} home $HOME"`,
  `echo "${marker} clock $(date +%s)"`,
  `if [ -w "$HOME" ]; then echo "${marker} writable yes"; fi`,
  `echo "${marker} free $(df -Pk "$HOME" 2>/dev/null | awk 'NR==2 {print $4}')"`,
  `if command -v rsync >/dev/null 2>&1; then echo "${marker} rsync $(rsync --version 2>/dev/null | head -n 1)"; fi`,
  `d=$HOME; m=$(df -P "$d" 2>/dev/null | awk 'NR==2 {print $6}'); if [ -r /proc/mounts ] && awk -v m="$m" '$2==m {o=$4} END {exit (o ~ /^ro(,|$)/) ? 0 : 1}' /proc/mounts; then echo "${marker} readonly yes"; fi`,
].join('\n')

/** Null when the node did not run the command (a refusing shell). */
export function parseNodeFacts(output: string): NodeFacts | null {
  const facts = new Map<string, string>()
  for (const line of output.split(/\r?\n/)) {
    const match = /^lockstep-facts (\w+) ?(.*)$/.exec(line)
    if (match !== null) facts.set(match[1] ?? '', (match[2] ?? '').trim())
  }
  const home = facts.get('home')
  if (home === undefined) return null
  const freeKibibytes = wholeNumber(facts.get('free'))
  return {
    home,
    homeWritable: facts.get('writable') === 'yes',
    readOnly: facts.get('readonly') === 'yes',
    diskFreeBytes: freeKibibytes === null ? null : freeKibibytes * 1024,
    rsync: facts.get('rsync') ?? null,
    clockSeconds: wholeNumber(facts.get('clock')),
    clockSkewMs: null,
  }
}

function wholeNumber(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null
}

/** What of it keeps work from being done; null when nothing does. */
export function diagnoseNodeFacts(node: DiagnosedNode, facts: NodeFacts): Diagnosis | null {
  if (facts.readOnly)
    return cause(
      'REMOTE_READ_ONLY',
      `The file system of ${facts.home} on ${node.name} is read-only. Remount it for writing.`,
      { evidence: [] },
    )
  if (facts.diskFreeBytes === 0)
    return cause('REMOTE_DISK_FULL', `The disk of ${node.name} is full where ${facts.home} lies. Make room there.`, {
      evidence: ['0 bytes free'],
    })
  if (!facts.homeWritable)
    return cause(
      'REMOTE_PERMISSION_DENIED',
      `${node.user} may not write in ${facts.home} on ${node.name}. Give it the permission.`,
      { evidence: [] },
    )
  if (facts.rsync === null)
    return cause('REMOTE_PROGRAM_MISSING', `${node.name} has no rsync, which directory trees need. Install it there.`, {
      evidence: [],
      short: 'no rsync',
    })
  return null
}
