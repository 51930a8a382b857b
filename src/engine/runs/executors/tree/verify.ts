import { displayName } from '../../../../core/parse/rsync.ts'
import { countDiffers, sourceChanged, transferIncomplete, verifyMismatch } from '../../../../core/run/causes.ts'
import { changedSince, type FingerprintCache } from '../../../transfer/manifest.ts'
import { localDirectory } from '../../../transfer/paths.ts'
import type { RemoteAnswer } from '../../../transfer/remoteVerify.ts'
import { digestOf } from '../../../transfer/sample.ts'
import type { StepOutcome } from '../../executor.ts'
import { provenWith } from '../login.ts'
import { type Checked, type ComparedSides, compareSides, contentDiffers } from '../transfer/compare.ts'
import type { TreeContext, TreeDependencies, TreeMemory } from './memory.ts'
import { leftToDo } from './transfer.ts'

interface Side extends ComparedSides {
  /** Files and links the node must hold; null where it may hold others as well. */
  readonly expected: number | null
}

/** VERIFY: what the node says of its files must be what we have of them; only that makes a tile green (S0.73-75). */
export async function verify(
  dependencies: TreeDependencies & { readonly fingerprints: FingerprintCache },
  context: TreeContext,
  memory: TreeMemory,
): Promise<StepOutcome> {
  const { plan } = context
  const { push, pull } = plan.spec
  const proven: Proven = { facts: new Map(), files: 0 }
  for (const [direction, leg] of [
    ['push', push],
    ['pull', pull],
  ] as const) {
    if (leg === null) continue
    const changed = direction === 'push' ? await changesOf(memory) : null
    if (changed !== null) return changed
    const side = sideOf(direction, context, memory)
    const checked = await compareSides(dependencies, context, { ...side, fingerprints: dependencies.fingerprints })
    const problem =
      (direction === 'push' ? await changesOf(memory) : null) ??
      mismatch(context, memory, checked) ??
      miscount(context, side, checked)
    if (problem !== null) return problem
    const unfinished = mustLookOnceMore(direction, context, memory)
      ? await sanityCheck(direction, dependencies, context, memory)
      : null
    if (unfinished !== null) return unfinished
    take(proven, direction, checked.remote)
  }
  return prove(dependencies, context, proven)
}

/** What goes into the digest: all of it said by the node. */
interface Proven {
  readonly facts: Map<string, string>
  files: number
}

function take(proven: Proven, direction: 'push' | 'pull', { fingerprints, entries }: RemoteAnswer): void {
  // No file has this key: theirs hold a slash.
  proven.facts.set(direction, `holds ${entries}`)
  for (const [name, fingerprint] of fingerprints) proven.facts.set(`${direction}/${name}`, fingerprint)
  proven.files += fingerprints.size
}

function sideOf(direction: 'push' | 'pull', { plan, node }: TreeContext, memory: TreeMemory): Side {
  const leg = plan.spec[direction]
  if (leg === null) throw new Error(`the plan has no ${direction}`)
  const { verify } = plan.spec
  if (direction === 'pull') {
    return {
      verify,
      local: localDirectory(leg.target, node.name),
      remote: leg.source,
      entries: memory.pullEntries,
      transferred: memory.received,
      totalBytes: 0,
      expected: null,
    }
  }
  const { manifest } = memory
  if (manifest === null) throw new Error('PRE_FLIGHT_CHECK left no manifest')
  return {
    verify,
    local: manifest.directory,
    remote: leg.target,
    entries: manifest.entries,
    transferred: memory.sent,
    totalBytes: manifest.totalBytes,
    // Without deletes, or with excludes, what else lies there is none of our business.
    expected: plan.spec.delete && plan.spec.excludes.length === 0 && !manifest.holdsSpecials ? manifest.files : null,
  }
}

/** A source that is not what it was when its files were listed proves nothing, whatever the node has. */
async function changesOf({ manifest }: TreeMemory): Promise<StepOutcome | null> {
  const changed = manifest === null ? [] : await changedSince(manifest)
  return changed.length === 0
    ? null
    : { kind: 'retry', from: 'PRE_FLIGHT_CHECK', diagnosis: sourceChanged(changed.map(displayName)) }
}

/**
 * A sample says nothing of files that should be gone: after a push that deletes, a last dry run does (S0.75). What a
 * node writes into the source of a pull meanwhile is no fault, so there only `full` asks.
 */
function mustLookOnceMore(direction: 'push' | 'pull', { plan }: TreeContext, { nothingToDo }: TreeMemory): boolean {
  if (nothingToDo[direction]) return false
  return plan.spec.verify.mode === 'full' || (direction === 'push' && plan.spec.delete)
}

/** Everything verified also means: nothing missing, and nothing there that should be gone (S0.75). */
async function sanityCheck(
  direction: 'push' | 'pull',
  dependencies: TreeDependencies,
  context: TreeContext,
  memory: TreeMemory,
): Promise<StepOutcome | null> {
  const left = await leftToDo(direction, { dependencies, context, memory })
  if (left === null) return { kind: 'retry', diagnosis: transferIncomplete([], ['a last dry run did not end well']) }
  if (left.length === 0) return null
  return { kind: 'retry', from: 'PRE_FLIGHT_CHECK', diagnosis: verifyMismatch(context.node.name, left.slice(0, 100)) }
}

/** The next try compares content, so that a file whose size and time lie is sent after all. */
function mismatch(context: TreeContext, memory: TreeMemory, { wrong }: Checked): StepOutcome | null {
  if (wrong.length === 0) return null
  memory.compareContent = true
  return contentDiffers(context, wrong)
}

/** With deletes the node holds what was sent and nothing else, as far as a count can tell. */
function miscount({ node, log }: TreeContext, { expected }: Side, { remote }: Checked): StepOutcome | null {
  if (expected === null || expected === remote.entries) return null
  log(`${node.name} holds ${remote.entries} files and links, not ${expected}`)
  return {
    kind: 'retry',
    from: 'PRE_FLIGHT_CHECK',
    diagnosis: countDiffers(node.name, { expected, found: remote.entries }),
  }
}

function prove({ clock }: TreeDependencies, { run, plan, log }: TreeContext, proven: Proven): StepOutcome {
  const digest = digestOf(proven.facts)
  log(`verified ${proven.files} files, digest ${digest}`)
  const proof = {
    digest,
    filesVerified: proven.files,
    verify: plan.spec.verify,
    verifiedAt: clock.nowMs(),
    ...provenWith(run),
  }
  return { kind: 'done', patch: { proof } }
}
