import { type ByteName, displayName } from '../../../../core/parse/rsync.ts'
import { verifyMismatch } from '../../../../core/run/causes.ts'
import type { TreeVerify } from '../../../../shared/model/plan.ts'
import { type FingerprintCache, fingerprintAllLocal } from '../../../transfer/manifest.ts'
import { fingerprintRemote, type RemoteAnswer } from '../../../transfer/remoteVerify.ts'
import { chooseSample, type SampledEntry } from '../../../transfer/sample.ts'
import { type RunScript, scriptsBySession } from '../../../transfer/scripts.ts'
import type { StepContext, StepOutcome } from '../../executor.ts'
import { commandTimeoutMs, type TransferDependencies } from './step.ts'

/** Hashing speed below which a node is given up: 10 MB/s. */
const slowestHashBytesPerMs = 10_000

/** Two directories that should hold the same. */
export interface ComparedSides {
  readonly local: string
  readonly remote: string
  readonly entries: readonly SampledEntry[]
  readonly transferred: ReadonlySet<ByteName>
  readonly totalBytes: number
  readonly verify: TreeVerify
  /** Asked for besides, whatever the sample; not compared here. */
  readonly also?: readonly SampledEntry[]
  /** Off: nobody asks how many entries the node holds. */
  readonly counts?: boolean
  /** As in the request of `fingerprintRemote`. */
  readonly more?: string
  /** Default: a session for each question. */
  readonly runScript?: RunScript
}

/** What the node said, and what of it is not as it is here. */
export interface Checked {
  readonly remote: RemoteAnswer
  readonly wrong: readonly ByteName[]
}

/**
 * Both sides hash the same sample at the same time, each on its own machine. All nodes of one push are asked for the same
 * files, so that they are hashed here once; the next push asks for others.
 */
export async function compareSides(
  { sshPool }: Pick<TransferDependencies, 'sshPool'>,
  { run, node, signal, log }: StepContext,
  {
    fingerprints,
    also = [],
    counts = true,
    more = '',
    runScript = scriptsBySession(sshPool),
    ...sides
  }: ComparedSides & { readonly fingerprints: FingerprintCache },
): Promise<Checked> {
  const { verify, transferred } = sides
  const sample = chooseSample(sides.entries, { verify, seed: run.batchId, transferred })
  log(`reading ${sample.length} hashes back from ${node.name}`)
  const timeoutMs = commandTimeoutMs + Math.ceil(sides.totalBytes / slowestHashBytesPerMs)
  const [local, remote] = await Promise.all([
    fingerprintAllLocal(sides.local, sample, { cache: fingerprints, signal }),
    fingerprintRemote(runScript, node, {
      directory: sides.remote,
      entries: [...sample, ...also],
      counts,
      more,
      timeoutMs,
      signal,
    }),
  ])
  const wrong = sample
    .map((entry) => entry.name)
    .filter((name) => local.get(name) === undefined || local.get(name) !== remote.fingerprints.get(name))
  return { remote, wrong }
}

/** The next try has to look at the node again, and to compare content: size and time of these files lie. */
export function contentDiffers({ node, log }: StepContext, wrong: readonly ByteName[]): StepOutcome {
  const names = wrong.map(displayName)
  for (const name of names.slice(0, 20)) log(`differs on ${node.name}: ${name}`)
  return {
    kind: 'retry',
    from: 'PRE_FLIGHT_CHECK',
    diagnosis: verifyMismatch(node.name, names),
    patch: {
      warnings: [
        {
          code: 'CONTENT_DIFFERED',
          message: `${names.length} files on ${node.name} differed although rsync called them equal.`,
          evidence: names.slice(0, 20),
        },
      ],
    },
  }
}
