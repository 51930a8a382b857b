import { newRun } from '../../../core/run/newRun.ts'
import { assertNever } from '../../../shared/errors.ts'
import type { BatchId, IdempotencyKey, RunId } from '../../../shared/model/ids.ts'
import type { FleetNode } from '../../../shared/model/node.ts'
import type { Plan } from '../../../shared/model/plan.ts'
import type { Attempt, Run, RunProof, RunState, StateVisit } from '../../../shared/model/run.ts'
import { hostAuthority, userAuthority } from './fakeCertificates.ts'
import { fakeCommitHash, fakeDiagnosis, fakeDigest } from './fakeFleet.ts'
import { contentStates, type FakeOutcome } from './fakeStates.ts'

export interface FakeRunRequest {
  readonly id: RunId
  readonly batchId: BatchId
  readonly key: IdempotencyKey
  readonly plan: Plan
  readonly node: FleetNode
  readonly atMs: number
  readonly seq: number
}

export function queuedRun({ id, batchId, key, plan, node, atMs, seq }: FakeRunRequest): Run {
  const run = newRun({
    id,
    idempotencyKey: key,
    batchId,
    planId: plan.id,
    planName: plan.name,
    planKind: plan.kind,
    planRevision: plan.revision,
    nodeId: node.id,
    nodeName: node.name,
    trigger: 'operator',
    requestedBy: 'ana@desk',
    createdAt: atMs,
  })
  return { ...run, seq }
}

/** Goes into a state, closing the visit before it. */
export function enter(run: Run, state: RunState, atMs: number): Run {
  const closed = run.visits.map<StateVisit>((visit) =>
    visit.leftAt === null ? { ...visit, leftAt: atMs, outcome: 'done' } : visit,
  )
  const attempts: Attempt[] =
    run.attempts.length > 0
      ? run.attempts
      : [{ number: 1, status: 'running', startedAt: atMs, finishedAt: null, diagnosis: null }]
  return {
    ...run,
    status: 'running',
    state,
    tries: 1,
    startedAt: run.startedAt ?? atMs,
    attempts,
    visits: [...closed, { state, attempt: 1, enteredAt: atMs, leftAt: null, outcome: 'active' }],
    certificateSerial: run.certificateSerial ?? '4711',
  }
}

function endVisits(run: Run, atMs: number, outcome: StateVisit['outcome']): StateVisit[] {
  return run.visits.map((visit) => (visit.leftAt === null ? { ...visit, leftAt: atMs, outcome } : visit))
}

function provenBy(
  { planKind, planRevision }: Run,
  atMs: number,
  krlVersion: number,
): Pick<RunProof, 'filesVerified' | 'verify'> {
  switch (planKind) {
    case 'tree':
      return { filesVerified: 200, verify: { mode: 'sample', files: 200 } }
    case 'krl':
      return { filesVerified: 1, verify: { mode: 'krl', krlVersion, refusedSerial: krlVersion === 0 ? null : '4002' } }
    case 'trust':
      return {
        filesVerified: 1,
        verify: { mode: 'trust', authorities: [userAuthority], loggedInWith: [userAuthority] },
      }
    case 'host-certificate':
      return {
        filesVerified: 1,
        verify: {
          mode: 'host-certificate',
          serial: '312',
          validAfter: atMs - 60_000,
          validBefore: atMs + 30 * 86_400_000,
          authorityFingerprint: hostAuthority,
        },
      }
    case 'routes':
      return { filesVerified: 1, verify: { mode: 'routes', traefik: 'running', routers: null } }
    case 'hosts':
      return { filesVerified: 1, verify: { mode: 'hosts', entries: 12 } }
    case 'repository':
      return {
        filesVerified: 200,
        verify: { mode: 'repository', commit: fakeCommitHash(planRevision), compared: 'sample', release: null },
      }
    case 'agent':
      return { filesVerified: 3010, verify: { mode: 'agent', compared: 'checksum' } }
    default:
      return assertNever(planKind)
  }
}

/** The end of a run: with the proof that makes its node green, or with a cause. */
export function finish(run: Run, outcome: FakeOutcome, atMs: number, krlVersion = 0): Run {
  const status = outcome
  const failure =
    outcome === 'failed'
      ? fakeDiagnosis(
          'TRANSFER_FAILED',
          `The push to ${run.nodeName} broke off: the connection was lost after 12 MiB. It is tried again with the next cycle.`,
          'connection lost',
          ['rsync error: unexplained error (code 255)'],
          ['resync', 'Resync'],
          true,
        )
      : null
  const ended = endVisits(run, atMs, outcome === 'succeeded' ? 'done' : outcome)
  return {
    ...run,
    status,
    state: outcome === 'failed' ? 'FAILED' : run.state,
    visits:
      outcome === 'failed'
        ? [...ended, { state: 'FAILED', attempt: 1, enteredAt: atMs, leftAt: atMs, outcome: 'failed' }]
        : ended,
    attempts: run.attempts.map((attempt) => ({ ...attempt, status, finishedAt: atMs, diagnosis: failure })),
    failure,
    finishedAt: atMs,
    summary: {
      filesTotal: 3010,
      filesTransferred: 42,
      filesDeleted: 2,
      bytesTotal: 84_000_000,
      bytesTransferred: 1_204_000,
      durationMs: atMs - (run.startedAt ?? atMs),
    },
    proof:
      outcome === 'succeeded'
        ? {
            digest: fakeDigest(run.planRevision),
            ...provenBy(run, atMs, krlVersion),
            verifiedAt: atMs,
            certificateSerial: '4711',
          }
        : null,
  }
}

/** A finished run from the past, for the history. */
export function pastRun(request: FakeRunRequest, outcome: FakeOutcome): Run {
  let run = queuedRun(request)
  let atMs = request.atMs
  for (const state of outcome === 'failed' ? contentStates.slice(0, 6) : contentStates) {
    atMs += 120 + (request.seq % 7) * 90
    run = enter(run, state, atMs)
  }
  return { ...finish(run, outcome, atMs + 400), logBytes: fakeLogOf(run).length }
}

/** Output as rsync writes it; long enough to scroll. */
export function fakeLogOf(run: Run): string {
  const lines = Array.from({ length: 400 }, (_, index) =>
    index % 97 === 41
      ? `rsync: [sender] link_stat "/srv/edge/cache/${index}.tmp" failed: No such file or directory (2)`
      : `>f.st...... site/assets/part-${index}.js`,
  )
  return `run ${run.id}\nsending incremental file list\n${lines.join('\n')}\nsent 1,204,113 bytes  received 8,210 bytes  804,882.00 bytes/sec\n`
}
