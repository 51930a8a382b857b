import { printable } from '../../../../core/printable.ts'
import type { PlanState } from '../../../../shared/model/node.ts'
import type { Run } from '../../../../shared/model/run.ts'
import type { DeliveryContext } from './session.ts'

type Warning = Run['warnings'][number]

/** What was last read back from the node for this plan; null: never anything. */
export function observedOf({ node, plan }: Pick<DeliveryContext, 'node' | 'plan'>): ObservedState | null {
  const state = node.plans.find(({ planId }) => planId === plan.id)
  return state?.observed == null ? null : { ...state.observed, driftSince: state.driftSince }
}

type ObservedState = NonNullable<PlanState['observed']> & { readonly driftSince: number | null }

/** The first try of a run on a node whose last proof nothing has put in doubt since. */
export function isProvenYet({ run }: Pick<DeliveryContext, 'run'>, observed: ObservedState | null): boolean {
  return observed !== null && observed.driftSince === null && run.attempts.length === 1
}

/** Lines of a difference that are kept with the run. */
const mostLines = 40
/** Of one line: the file may be anything by now, and the run is kept. */
const longestLine = 300

/** What was there (`-`) and should have been there (`+`), in the order of the file. */
export function lineDifferences(found: string, wanted: string): string[] {
  const [theirs, ours] = [found.split(/\r?\n/), wanted.split(/\r?\n/)]
  const [inFound, inWanted] = [new Set(theirs), new Set(ours)]
  const lines = [
    ...theirs.filter((line) => !inWanted.has(line)).map((line) => `- ${shown(line)}`),
    ...ours.filter((line) => !inFound.has(line)).map((line) => `+ ${shown(line)}`),
  ]
  return lines.length <= mostLines
    ? lines
    : [...lines.slice(0, mostLines), `and ${lines.length - mostLines} lines more`]
}

const shown = (line: string): string =>
  printable(line.length <= longestLine ? line : `${line.slice(0, longestLine)}... (${line.length} characters)`)

/** Somebody else changed what was proven: it is put right, and does not pass in silence. */
export function driftWarning(
  { node, plan, log }: DeliveryContext,
  { verifiedAt }: { readonly verifiedAt: number },
  { how, evidence }: { readonly how: 'changed' | 'removed'; readonly evidence: readonly string[] },
): Warning {
  const { file } = plan.spec
  const what = plan.kind === 'hosts' ? `Our lines in ${file} on ${node.name} were` : `${file} on ${node.name} was`
  const message = `${what} ${how} by somebody else since ${time(verifiedAt)}, when that was read back last. It is put right now.`
  log(message)
  for (const line of evidence) log(`  ${line}`)
  return { code: 'REMOTE_FILE_CHANGED', message, evidence: [...evidence] }
}

const time = (epochMs: number): string => new Date(epochMs).toISOString().replace(/\.\d{3}Z$/, 'Z')
