import type { ErrorCode } from '../../../shared/errors.ts'
import type { Diagnosis, NextActionKind } from '../../../shared/model/diagnosis.ts'
import type { Digest, NodeId, PlanId, RunId } from '../../../shared/model/ids.ts'
import type { FleetNode, NodeKind, PinnedHostKey } from '../../../shared/model/node.ts'
import { FleetNode as FleetNodeModel } from '../../../shared/model/node.ts'
import type { TreePlan } from '../../../shared/model/plan.ts'
import type { CommitHash } from '../../../shared/model/repository.ts'

/** Numbers in [0, 1) that are the same for the same seed. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** A UUID v7 that is the same for the same number; ids of one `family` sort by number. */
export function fakeId<Id extends string>(family: number, number: number): Id {
  const high = (0x0190_0000_0000 + number).toString(16).padStart(12, '0')
  return `${high.slice(0, 8)}-${high.slice(8)}-7${family.toString(16).padStart(3, '0')}-8000-${number.toString(16).padStart(12, '0')}` as Id
}

export const fakeDigest = (number: number): Digest => number.toString(16).padStart(64, 'a') as Digest

/** The same number always gives the same commit. */
export const fakeCommitHash = (number: number): CommitHash =>
  Array.from({ length: 5 }, (_, part) =>
    Math.floor(randomOf(number * 5 + part + 1)() * 0x1_0000_0000)
      .toString(16)
      .padStart(8, '0'),
  ).join('')

export function fakeDiagnosis(
  code: ErrorCode,
  sentence: string,
  short: string,
  evidence: readonly string[],
  next: readonly [NextActionKind, string],
  transient = false,
): Diagnosis {
  return { code, sentence, short, evidence: [...evidence], nextAction: { kind: next[0], label: next[1] }, transient }
}

const hourMs = 3_600_000

export const fakeAuthorityFingerprint = `SHA256:${'A'.repeat(43)}`

export const fakePlan: TreePlan = {
  id: fakeId<PlanId>(2, 1),
  name: 'edge config',
  kind: 'tree',
  selector: '*',
  spec: {
    push: { source: '/srv/edge', target: '~/edge' },
    pull: null,
    delete: true,
    excludes: ['.git', '*.tmp'],
    verify: { mode: 'sample', files: 200 },
    deleteLimits: { maxShare: 0.25, freeFiles: 10 },
    bandwidthKiBps: null,
  },
  revision: 7,
  digest: fakeDigest(7),
  createdAt: 0,
  updatedAt: 0,
} as TreePlan

type Condition =
  | 'in-step'
  | 'pending'
  | 'drift'
  | 'error'
  | 'unreachable'
  | 'never-synced'
  | 'maintenance'
  | 'halted'
  | 'host-key'

const kinds: readonly NodeKind[] = ['laptop', 'vps', 'worker', 'worker', 'worker', 'storage', 'vm']
const sites = ['fra', 'ams', 'nyc', 'home'] as const

function conditionAt(index: number, share: number): Condition {
  if (index % 97 === 13) return 'host-key'
  if (share < 0.9) return 'in-step'
  const rest: readonly Condition[] = [
    'pending',
    'pending',
    'drift',
    'error',
    'unreachable',
    'unreachable',
    'never-synced',
    'maintenance',
    'halted',
  ]
  return rest[Math.floor(((share - 0.9) / 0.1) * rest.length)] ?? 'pending'
}

function hostKey(number: number, nowMs: number): PinnedHostKey {
  return {
    keyType: 'ssh-ed25519',
    publicKey: btoa(`fake host key ${number}`),
    fingerprint: `SHA256:${btoa(`pinned ${number} ${'k'.repeat(24)}`).slice(0, 43)}`,
    pinnedAt: nowMs - 90 * 24 * hourMs,
    pinnedBy: 'ana@desk',
  }
}

function reasonOf(condition: Condition, name: string): Diagnosis | null {
  if (condition === 'error')
    return fakeDiagnosis(
      'PRINCIPAL_NOT_LISTED',
      `${name} refused our certificate: principal sync-agent is not allowed to log in as sync. Add it to the principals file, or log in as sync-agent.`,
      'principal not listed',
      ['sshd: Certificate invalid: name is not a listed principal', 'Permission denied (publickey).'],
      ['run-doctor', 'Run doctor'],
    )
  if (condition === 'halted')
    return fakeDiagnosis(
      'PRECONDITION_FAILED',
      `Held back: this push would delete 1,204 of 3,010 files on ${name} (usually 0.2 %). Nothing was changed.`,
      'would delete 1,204 files',
      ['dry run: 1,204 deletions', 'files on the node: 3,010'],
      ['approve-deletes', 'See the list'],
    )
  if (condition === 'host-key')
    return fakeDiagnosis(
      'HOST_KEY_CHANGED',
      `${name} shows another host key than the one that was accepted. Nothing was sent. If the machine was installed again, accept the new key; otherwise find out who answers at this address.`,
      'host key changed',
      ['pinned  ssh-ed25519 SHA256:cGlubmVk', 'offered ssh-ed25519 SHA256:b2ZmZXJlZA'],
      ['accept-host-key', 'Compare the keys'],
    )
  if (condition === 'pending')
    return fakeDiagnosis(
      'TRANSFER_FAILED',
      `${name} is one revision behind: the last push broke off. It is tried again with the next cycle.`,
      'one revision behind',
      ['rsync: connection unexpectedly closed'],
      ['resync', 'Resync'],
      true,
    )
  if (condition === 'drift')
    return fakeDiagnosis(
      'VERIFY_MISMATCH',
      `${name} no longer has what was verified: 3 files differ. Resync puts them back.`,
      '3 files differ',
      ['~/edge/routes.yml', '~/edge/tls/ca.pem', '~/edge/README'],
      ['resync', 'Resync'],
      true,
    )
  return null
}

/** One invented node; the same number always gives the same node. */
export function fakeNode(index: number, nowMs: number, forced?: Condition): FleetNode {
  const random = randomOf(index + 1)
  const kind = kinds[Math.floor(random() * kinds.length)] as NodeKind
  const site = sites[Math.floor(random() * sites.length)] as string
  const name = `${kind}-${String(index).padStart(4, '0')}`
  const condition = forced ?? conditionAt(index, random())
  const never = condition === 'never-synced'
  const reason = reasonOf(condition, name)
  const verifiedAt = nowMs - Math.floor(random() * hourMs)
  const validBefore =
    nowMs + (random() < 0.03 ? 8 * 60_000 : random() < 0.06 ? 40 * 60_000 : Math.floor((1 + random() * 15) * hourMs))
  const failing = condition === 'error' || condition === 'host-key'
  const lookedAt = nowMs - Math.floor(random() * 60_000)
  const since = nowMs - Math.floor(random() * 9 * hourMs)
  return FleetNodeModel.parse({
    id: fakeId<NodeId>(1, index + 1),
    name,
    kind,
    address: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
    port: 22,
    user: 'sync',
    principal: 'sync-agent',
    transport: 'push',
    labels: { site, stage: random() < 0.2 ? 'test' : 'live' },
    maintenance: condition === 'maintenance',
    hostKeys: [hostKey(index, nowMs)],
    createdAt: nowMs - 1000 * hourMs,
    updatedAt: nowMs,
    status: failing
      ? 'error'
      : condition === 'in-step' || condition === 'maintenance' || never
        ? 'active'
        : 'pending_sync',
    statusReason: reason,
    consecutiveFailures: failing ? 3 : 0,
    lastSyncAt: never ? null : verifiedAt,
    lastAttemptAt: never ? null : nowMs - Math.floor(random() * 600_000),
    reachability:
      condition === 'unreachable'
        ? {
            status: 'unreachable',
            since,
            checkedAt: lookedAt,
            diagnosis: fakeDiagnosis(
              'CONNECTION_TIMED_OUT',
              `${name} has not answered on port 22. It will catch up by itself when it is back.`,
              'no answer, port 22',
              [`connect 10.0.0.${index & 255}:22: timed out after 10 s`],
              ['wait', 'Check again'],
              true,
            ),
          }
        : { status: 'reachable', since, checkedAt: lookedAt, clockSkewMs: Math.floor(random() * 400 - 200) },
    certificate: never
      ? null
      : {
          serial: String(4000 + index),
          authorityFingerprint: fakeAuthorityFingerprint,
          validAfter: validBefore - 16 * hourMs,
          validBefore,
          acceptedAt: verifiedAt,
        },
    plans: [
      {
        planId: fakePlan.id,
        planName: fakePlan.name,
        desiredRevision: fakePlan.revision,
        observed: never
          ? null
          : {
              revision: condition === 'pending' ? 6 : 7,
              digest: fakeDigest(condition === 'pending' ? 6 : 7),
              verifiedAt,
              runId: fakeId<RunId>(3, index + 1),
            },
        driftSince: condition === 'drift' ? nowMs - 20 * 60_000 : null,
        lastRunId: never ? null : fakeId<RunId>(3, index + 1),
      },
    ],
    activeRunId: null,
    haltedRunId: condition === 'halted' ? fakeId<RunId>(3, index + 1) : null,
    locked: random() < 0.02,
    hostCertificate: null,
    krl: null,
    storage: null,
  })
}

export const fakeNodes = (count: number, nowMs: number): readonly FleetNode[] =>
  Array.from({ length: count }, (_, index) => fakeNode(index, nowMs))
