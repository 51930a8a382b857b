import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { IssuedCertificate } from '../../../shared/model/certificate.ts'
import { FleetNode } from '../../../shared/model/node.ts'
import { openDatabase } from '../openDatabase.ts'
import { migrations } from './index.ts'

const certificate = {
  id: '01900000-0000-7000-8000-00000000000a',
  serial: '18446744073709551615',
  keyId: 'Lockstep/automation',
  principals: ['sync-agent'],
  purpose: 'automation',
  nodeId: null,
  nodeName: 'Edge',
  requestedBy: 'engine',
  reason: 'reconcile',
  subjectFingerprint: 'SHA256:subject',
  authorityFingerprint: 'SHA256:authority',
  validAfter: 0,
  validBefore: 57_600_000,
  extensions: [],
  criticalOptions: {},
  issuedAt: 0,
  certificate: 'ssh-ed25519-cert-v01@openssh.com AAAA',
}

const node = {
  id: '01900000-0000-7000-8000-000000000001',
  name: 'edge',
  kind: 'vps',
  address: '10.0.0.1',
  port: 22,
  user: 'sync',
  principal: 'sync-agent',
  transport: 'push',
  labels: { stage: 'live' },
  maintenance: false,
  hostKeys: [],
  createdAt: 0,
  updatedAt: 0,
  status: 'active',
  statusReason: null,
  consecutiveFailures: 0,
  lastSyncAt: 5,
  lastAttemptAt: 5,
  reachability: { status: 'unknown' },
  certificate: { serial: '7', validAfter: 0, validBefore: 9, acceptedAt: 3 },
  plans: [],
  activeRunId: null,
  haltedRunId: null,
  locked: false,
}

describe('migration 0002', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'lockstep-0002-'))
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  const open = (names: readonly string[]) =>
    openDatabase({
      databaseFile: join(directory, 'lockstep.db'),
      backupsDirectory: join(directory, 'backups'),
      nowMs: 0,
      migrations: Object.fromEntries(Object.entries(migrations).filter(([name]) => names.includes(name))),
    })

  it('brings rows from before to the new shape and makes clients load a snapshot', async () => {
    const before = await open(['0001_initial'])
    const insert = before.prepare('INSERT INTO certificates (id, serial, node_id, body) VALUES (?, ?, NULL, ?)')
    insert.run(certificate.id, certificate.serial, JSON.stringify(certificate))
    const bare = { ...node, id: '01900000-0000-7000-8000-000000000002', name: 'new', certificate: null }
    for (const one of [node, bare])
      before.prepare('INSERT INTO nodes (id, name, body) VALUES (?, ?, ?)').run(one.id, one.name, JSON.stringify(one))
    before.exec(`INSERT INTO events (seq, at, change) VALUES (1, 0, '{"kind":"node.saved"}')`)
    before.exec(`UPDATE counters SET value = 1 WHERE name = 'event_seq'`)
    before.close()

    const after = await open(['0001_initial', '0002_trust_and_agents'])
    const [row] = after.prepare('SELECT * FROM certificates').all() as Record<string, unknown>[]
    expect(row).toMatchObject({
      authority_fingerprint: 'SHA256:authority',
      serial: certificate.serial,
      purpose: 'automation',
      valid_before: 57_600_000,
      revoked_at: null,
    })
    expect(row?.search_text).toContain('lockstep/automation')
    expect(IssuedCertificate.parse(JSON.parse(String(row?.body)))).toEqual({
      ...certificate,
      issuer: 'embedded',
      revocation: null,
    })
    const bodies = after.prepare('SELECT body FROM nodes ORDER BY name').pluck().all() as string[]
    const [edge, fresh] = bodies.map((body) => FleetNode.parse(JSON.parse(body)))
    expect(edge).toMatchObject({
      labels: { stage: 'live' },
      sshd: { configFile: '/etc/ssh/sshd_config', reload: { kind: 'systemd' }, sudo: 'auto' },
      certificate: { serial: '7', authorityFingerprint: null, acceptedAt: 3 },
      hostCertificate: null,
      krl: null,
      storage: null,
    })
    expect(fresh?.certificate).toBeNull()
    expect(after.prepare('SELECT count(*) FROM events').pluck().get()).toBe(0)
    expect(after.prepare(`SELECT value FROM counters WHERE name = 'oldest_event_seq'`).pluck().get()).toBe(2)
    after.close()
  })
})
