import type { ByteName } from '../../../../core/parse/rsync.ts'
import { sentinelMismatch } from '../../../../core/run/repositoryCauses.ts'
import { shellRemoteDirectory } from '../../../../core/transfer/paths.ts'
import { scriptsByChannel } from '../../../transfer/scripts.ts'
import type { StepOutcome } from '../../executor.ts'
import { compareSides, contentDiffers } from '../transfer/compare.ts'
import { type Delivery, onceMore } from './memory.ts'
import { runOnNode } from './script.ts'
import { sentinelFingerprint, takeSentinelAway } from './sentinel.ts'

/** So much is hashed before anybody notices that the shell was busy. */
const mostSoon = 1_000
const mostSoonBytes = 128 * 1024 * 1024

/** What the node said of its files, or why that proves nothing. */
export type ContentCheck =
  | { readonly outcome: null; readonly said: string; readonly sample: ReadonlyMap<ByteName, string> }
  | { readonly outcome: StepOutcome; readonly said: string }

/**
 * Hashes read back from a directory of the node, and its sentinel with them (S2.7).
 *
 * @param more script of `sh`, run in that directory in the same round trip; `said` is what it prints
 */
export async function checkContent(delivery: Delivery, directory: string, more = ''): Promise<ContentCheck> {
  const { dependencies, context, shared, memory, commit, source } = delivery
  const { sentinel, verify } = context.plan.spec
  const isSoon =
    more === '' && verify.mode === 'sample' && verify.files <= mostSoon && source.manifest.totalBytes <= mostSoonBytes
  const { remote, wrong } = await compareSides(dependencies, context, {
    local: source.manifest.directory,
    remote: directory,
    entries: source.manifest.entries,
    transferred: memory.sent,
    totalBytes: source.manifest.totalBytes,
    verify,
    fingerprints: shared.fingerprints,
    also: [{ type: 'file', name: sentinel }],
    counts: false,
    more,
    ...(isSoon ? { runScript: scriptsByChannel(dependencies.channels) } : {}),
  })
  const { said } = remote
  if (wrong.length > 0) return { outcome: await distrust(delivery, directory, contentDiffers(context, wrong)), said }
  if (remote.fingerprints.get(sentinel) !== sentinelFingerprint(commit)) {
    const found = await readSentinel(delivery, directory)
    context.log(`${sentinel} says ${JSON.stringify(found)}`)
    return { outcome: onceMore(memory, sentinelMismatch(context.node.name, sentinel, commit, found)), said }
  }
  const sample = new Map(remote.fingerprints)
  sample.delete(sentinel)
  return { outcome: null, said, sample }
}

/** A tree that does not hold what it should is put right once; then at least nothing shall say that it is whole. */
export async function distrust(delivery: Delivery, directory: string, found: StepOutcome): Promise<StepOutcome> {
  if (!('diagnosis' in found)) return found
  const outcome = onceMore(delivery.memory, found.diagnosis, found)
  if (outcome.kind === 'fatal') await takeSentinelAway(delivery, directory)
  return outcome
}

/** For a person: what the proof rests on is the hash. Null: there is none, or nobody can say. */
async function readSentinel({ dependencies, context }: Delivery, directory: string): Promise<string | null> {
  const { sentinel } = context.plan.spec
  const script = `cd ${shellRemoteDirectory(directory)} || exit 3\n[ ! -f ./${sentinel} ] || { printf 'x'; head -c 200 ./${sentinel}; }`
  const text = await runOnNode(dependencies, context, `${script}\necho`).catch(() => '')
  return text.startsWith('x') ? text.slice(1).trim() : null
}
