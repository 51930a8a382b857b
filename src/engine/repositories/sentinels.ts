import PQueue from 'p-queue'
import { sentinelOn } from '../../core/repository/places.ts'
import { resolveRef } from '../../core/repository/resolveRef.ts'
import { compareSentinel, mostSentinelBytes, sentinelRefutes, sentinelText } from '../../core/repository/sentinel.ts'
import { runCause } from '../../core/run/causes.ts'
import { diagnosisOf } from '../../core/run/thrown.ts'
import { shellRemoteDirectory } from '../../core/transfer/paths.ts'
import { remoteScript } from '../../core/transfer/remoteShell.ts'
import { AppError } from '../../shared/errors.ts'
import type { NodeId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { CommitHash, SentinelReading } from '../../shared/model/repository.ts'
import { recordRefutation } from '../fleet/refutation.ts'
import { resolveNode } from '../fleet/resolve.ts'
import type { SshPool, Store } from '../ports.ts'
import { chosenPlans } from './chosen.ts'
import { type RepositoryParts, type RepositoryPlan, resolveRepository } from './parts.ts'

/** Reads sentinels back from nodes (S2.7, S2.15, S2.16, S2.27). */
export interface Sentinels {
  /** Changes nothing on any node. What is not as it was verified becomes drift of the plan there. */
  verify(order: VerifyOrder, signal?: AbortSignal): Promise<SentinelReading[]>
}

export interface VerifyOrder {
  readonly repository: string
  /** In the place of what each plan wants. */
  readonly expected?: CommitHash | undefined
  readonly plans: readonly string[]
  readonly nodes: readonly string[]
}

export interface SentinelsDependencies extends Pick<RepositoryParts, 'clock'> {
  readonly store: Store
  readonly sshPool: Pick<SshPool, 'exec'>
}

const readsAtOnce = 32
const readTimeoutMs = 20_000
const absentExitCode = 9

interface Target {
  readonly plan: RepositoryPlan
  readonly node: FleetNode
  readonly expected: CommitHash | null
}

export function createSentinels({ store, sshPool, clock }: SentinelsDependencies): Sentinels {
  async function targetsOf(order: VerifyOrder): Promise<Target[]> {
    const repository = await resolveRepository(store, order.repository)
    const plans = await chosenPlans(store, repository, order.plans)
    const named = await Promise.all(order.nodes.map((reference) => resolveNode(store, reference)))
    const all = named.length > 0 ? named : await store.listNodes()
    const nodes = [...new Map<NodeId, FleetNode>(all.map((node) => [node.id, node])).values()]
    return plans.flatMap((plan) => {
      const expected = order.expected ?? resolveRef(repository, plan.spec.ref)
      return nodes
        .filter((node) => node.transport === 'push' && node.plans.some(({ planId }) => planId === plan.id))
        .map((node) => ({ plan, node, expected }))
    })
  }

  async function readOne({ plan, node, expected }: Target, signal?: AbortSignal): Promise<SentinelReading> {
    const reading = { planId: plan.id, nodeId: node.id, expected }
    const file = sentinelOn(plan.spec, node.name)
    try {
      const found = await readSentinel(sshPool, { node, file, ...(signal === undefined ? {} : { signal }) })
      const readAt = clock.nowMs()
      await refuteProof({ plan, node, file, found })
      return { ...reading, readAt, status: compareSentinel(found, expected), found, diagnosis: null }
    } catch (error) {
      if (signal?.aborted === true) throw new AppError('CANCELED', 'Canceled.', { cause: error })
      const diagnosis = diagnosisOf(error)
      return { ...reading, readAt: clock.nowMs(), status: 'unreadable', found: null, diagnosis }
    }
  }

  /** Against what was verified, not against what is wanted: a node that is behind has not drifted. */
  async function refuteProof(seen: {
    readonly plan: RepositoryPlan
    readonly node: FleetNode
    readonly file: string
    readonly found: string | null
  }): Promise<void> {
    const { plan, node, file, found } = seen
    const verified = node.plans.find(({ planId }) => planId === plan.id)?.observed?.commit
    if (verified === undefined || found === verified) return
    await recordRefutation(
      { store, clock },
      { node, plan, refutation: sentinelRefutes(node, { file, verified, found }) },
    )
  }

  return {
    verify: async (order, signal) => {
      const queue = new PQueue({ concurrency: readsAtOnce })
      const targets = await targetsOf(order)
      return Promise.all(targets.map((target) => queue.add(() => readOne(target, signal))))
    },
  }
}

interface SentinelFile {
  readonly node: FleetNode
  readonly file: string
  readonly signal?: AbortSignal
}

/** Cut over there: a node may say as much as it likes. That it is absent is said only where the system says so. */
const readScript = (path: string): string => `
export LC_ALL=C
if [ -f ${path} ] && [ -r ${path} ]; then cat ${path} | head -c ${mostSentinelBytes}; exit 0; fi
why=$(ls -d ${path} 2>&1 >/dev/null) && why='is no file that can be read'
case $why in *'No such file'*) exit ${absentExitCode} ;; esac
printf '%s\\n' "$why" >&2
exit 1`

/** Null: there is none. @throws what the pool throws; REMOTE_PERMISSION_DENIED where it is there and cannot be read */
export async function readSentinel(
  sshPool: Pick<SshPool, 'exec'>,
  { node, file, signal }: SentinelFile,
): Promise<string | null> {
  const path = shellRemoteDirectory(file)
  const { command, stdin } = remoteScript(readScript(path))
  const result = await sshPool.exec(node, command, {
    stdin,
    timeoutMs: readTimeoutMs,
    maxOutputBytes: 64 * 1024,
    ...(signal === undefined ? {} : { signal }),
  })
  if (result.exitCode === absentExitCode) return null
  if (result.exitCode === 0) return sentinelText(result.stdout)
  const evidence = [...sentinelText(result.stderr).split('\n'), `exit code ${result.exitCode}`]
  const diagnosis = runCause('REMOTE_PERMISSION_DENIED', {
    sentence: `${file} on ${node.name} cannot be read. Correct its permissions there.`,
    short: 'sentinel not readable',
    evidence,
    nextAction: { kind: 'open-terminal', label: 'Open a terminal' },
  })
  throw new AppError(diagnosis.code, diagnosis.sentence, { data: { diagnosis } })
}
