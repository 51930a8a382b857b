import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const statements = [
  // A serial is unique for its authority: another authority, or a step-ca, counts by itself.
  sql`CREATE TABLE certificates_2 (
    id TEXT NOT NULL PRIMARY KEY,
    authority_fingerprint TEXT NOT NULL,
    serial TEXT NOT NULL,
    node_id TEXT,
    purpose TEXT NOT NULL,
    valid_before INTEGER NOT NULL,
    revoked_at INTEGER,
    search_text TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (authority_fingerprint, serial)
  ) STRICT`,
  sql`INSERT INTO certificates_2 (id, authority_fingerprint, serial, node_id, purpose, valid_before, search_text, body)
    SELECT id, json_extract(body, '$.authorityFingerprint'), serial, node_id, json_extract(body, '$.purpose'),
      json_extract(body, '$.validBefore'),
      lower(serial || ' ' || json_extract(body, '$.keyId') || ' ' || json_extract(body, '$.principals') || ' '
        || coalesce(json_extract(body, '$.nodeName'), '') || ' ' || json_extract(body, '$.requestedBy') || ' '
        || json_extract(body, '$.reason')),
      json_set(body, '$.issuer', 'embedded', '$.revocation', NULL)
    FROM certificates`,
  sql`DROP TABLE certificates`,
  sql`ALTER TABLE certificates_2 RENAME TO certificates`,
  sql`CREATE INDEX certificates_by_node ON certificates (node_id, id)`,
  sql`CREATE INDEX certificates_by_end ON certificates (valid_before)`,
  sql`CREATE INDEX certificates_revoked ON certificates (revoked_at) WHERE revoked_at IS NOT NULL`,

  sql`CREATE TABLE agents (
    id TEXT NOT NULL PRIMARY KEY,
    node_id TEXT NOT NULL,
    body TEXT NOT NULL
  ) STRICT`,

  // The secret of a token is not kept, only its hash.
  sql`CREATE TABLE join_tokens (
    id TEXT NOT NULL PRIMARY KEY,
    secret_hash TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL
  ) STRICT`,

  sql`CREATE TABLE agent_runs (
    run_id TEXT NOT NULL PRIMARY KEY,
    agent_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    last_report_at INTEGER NOT NULL
  ) STRICT`,

  // What a grouped operation has done for a node, so that asking again does not do it twice.
  sql`CREATE TABLE operations (
    key TEXT NOT NULL,
    node_id TEXT NOT NULL,
    result TEXT NOT NULL,
    PRIMARY KEY (key, node_id)
  ) STRICT`,

  sql`UPDATE nodes SET body = json_set(body,
    '$.sshd', json('{"configFile":"/etc/ssh/sshd_config","program":"/usr/sbin/sshd","reload":{"kind":"systemd"},"sudo":"auto"}'),
    '$.hostCertificate', NULL, '$.krl', NULL, '$.storage', NULL)`,
  sql`UPDATE nodes SET body = json_set(body, '$.certificate.authorityFingerprint', NULL)
    WHERE json_type(body, '$.certificate') = 'object'`,

  // Old events carry old shapes: who asks for them loads a snapshot instead.
  sql`DELETE FROM events`,
  sql`UPDATE counters SET value = (SELECT value + 1 FROM counters WHERE name = 'event_seq') WHERE name = 'oldest_event_seq' AND (SELECT value FROM counters WHERE name = 'event_seq') > 0`,
  sql`INSERT INTO counters (name, value) VALUES ('krl_version', 0)`,
]

/** Several authorities, revocation, agents and their runs. */
export const trustAndAgents: Migration = {
  async up(database: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(database)
  },
}
