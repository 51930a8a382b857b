import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type OpenStoreOptions, openStore, type SqliteStore } from '../../../src/engine/store/index.ts'
import { createIdSource } from '../../../src/platform/ids.ts'
import { Agent, JoinToken } from '../../../src/shared/model/agent.ts'
import { IssuedCertificate } from '../../../src/shared/model/certificate.ts'
import { Plan } from '../../../src/shared/model/plan.ts'
import type { Run } from '../../../src/shared/model/run.ts'
import { aRun as blankRun } from '../../fakes/aRun.ts'
import { createManualClock } from '../../fakes/manualClock.ts'

export const clock = createManualClock()
export const newId = createIdSource(clock)

/** A home of one test; `dispose` closes every store it opened. */
export class StoreFixture {
  readonly directory = mkdtempSync(join(tmpdir(), 'lockstep-store-'))
  readonly databaseFile = join(this.directory, 'lockstep.db')
  readonly backupsDirectory = join(this.directory, 'backups')
  readonly #opened: SqliteStore[] = []

  async open(options: Partial<OpenStoreOptions> = {}): Promise<SqliteStore> {
    const { databaseFile, backupsDirectory } = this
    const store = await openStore({ databaseFile, backupsDirectory, clock, ...options })
    this.#opened.push(store)
    return store
  }

  async dispose(): Promise<void> {
    for (const store of this.#opened) await store.close()
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** A queued run with ids and a key of its own. */
export function aRun(overrides: Parameters<typeof blankRun>[0] = {}): Run {
  const id = newId()
  const ids = { id, idempotencyKey: `key-${id}`, batchId: newId(), planId: newId(), nodeId: newId() }
  return blankRun({ ...ids, ...overrides })
}

export function aPlan(overrides: Partial<Record<keyof Plan, unknown>> = {}): Plan {
  return Plan.parse({
    id: newId(),
    name: 'site',
    kind: 'tree',
    selector: 'kind:vps',
    spec: { push: { source: '/srv/site', target: '/var/www' } },
    revision: 1,
    digest: 'a'.repeat(64),
    createdAt: 1,
    updatedAt: 1,
    ...overrides,
  })
}

export function aCertificate(
  serial: bigint,
  overrides: Partial<Record<keyof IssuedCertificate, unknown>> = {},
): IssuedCertificate {
  return IssuedCertificate.parse({
    id: newId(),
    serial: serial.toString(),
    issuer: 'embedded',
    revocation: null,
    keyId: 'lockstep node-01',
    principals: ['sync-agent'],
    purpose: 'automation',
    nodeId: null,
    nodeName: null,
    requestedBy: 'ann@desk',
    reason: 'test',
    subjectFingerprint: 'SHA256:subject',
    authorityFingerprint: 'SHA256:authority',
    validAfter: 0,
    validBefore: 57_600_000,
    extensions: [],
    criticalOptions: {},
    issuedAt: 0,
    certificate: `ssh-ed25519-cert-v01@openssh.com ${'A'.repeat(600)}`,
    ...overrides,
  })
}

export const anAuditEntry = (index: number) => ({
  at: clock.nowMs(),
  actor: 'ann@desk',
  action: 'certificate.issue',
  subject: `node-${index}`,
  detail: { serial: String(index), principals: ['sync-agent'] },
})

export const anAgent = (overrides: Partial<Record<keyof Agent, unknown>> = {}): Agent =>
  Agent.parse({
    id: newId(),
    nodeId: newId(),
    name: 'agent-01',
    status: 'active',
    hostname: 'agent-01',
    platform: 'linux x64',
    version: '0.1.0',
    enrolledAt: 0,
    enrolledBy: 'ann@desk',
    lastSeenAt: null,
    lastSeenFrom: null,
    clockSkewMs: null,
    certificate: { serial: '01', authorityFingerprint: 'a'.repeat(64), validAfter: 0, validBefore: 1 },
    trustedRoots: [],
    sshCertificate: null,
    activity: { status: 'idle', nextRunAt: null },
    lock: null,
    spooledReports: 0,
    lastRun: null,
    ...overrides,
  })

export const aJoinToken = (): JoinToken =>
  JoinToken.parse({
    id: newId(),
    nodeName: null,
    createdAt: 0,
    createdBy: 'ann@desk',
    expiresAt: 1,
    usedAt: null,
    usedBy: null,
    revokedAt: null,
  })
