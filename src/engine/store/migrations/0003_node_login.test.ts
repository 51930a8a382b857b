import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { aNode } from '../../../../test/fakes/aNode.ts'
import { FleetNode } from '../../../shared/model/node.ts'
import { openDatabase } from '../openDatabase.ts'
import { migrations } from './index.ts'

describe('migration 0003', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'lockstep-0003-'))
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  const open = (last: string) =>
    openDatabase({
      databaseFile: join(directory, 'lockstep.db'),
      backupsDirectory: join(directory, 'backups'),
      nowMs: 0,
      migrations: Object.fromEntries(Object.entries(migrations).filter(([name]) => name <= last)),
    })

  it('D9 nodes from before log in with certificates, and clients load a snapshot', async () => {
    const before = await open('0002_trust_and_agents')
    const { login: _login, ...old } = aNode({ labels: { stage: 'live' } })
    before.prepare('INSERT INTO nodes (id, name, body) VALUES (?, ?, ?)').run(old.id, old.name, JSON.stringify(old))
    before.exec(`INSERT INTO events (seq, at, change) VALUES (7, 0, '{"kind":"node.saved"}')`)
    before.exec(`UPDATE counters SET value = 7 WHERE name = 'event_seq'`)
    before.close()

    const after = await open('0003_node_login')
    const body = JSON.parse(String(after.prepare('SELECT body FROM nodes').pluck().get())) as unknown
    expect(body).toMatchObject({ login: { kind: 'certificate' } })
    expect(FleetNode.parse(body)).toEqual(FleetNode.parse({ ...old, login: { kind: 'certificate' } }))
    expect(after.prepare('SELECT count(*) FROM events').pluck().get()).toBe(0)
    expect(after.prepare(`SELECT value FROM counters WHERE name = 'oldest_event_seq'`).pluck().get()).toBe(8)
    after.close()
  })
})
