import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

/*
 * Entities are kept as JSON documents beside the columns they are looked up by: the model in `src/shared/model` is the
 * one description of their shape. Ids are text, times epoch milliseconds.
 */
const statements = [
  sql`CREATE TABLE nodes (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL
  ) STRICT`,

  sql`CREATE TABLE plans (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL
  ) STRICT`,

  // Runs name their node and plan without referring to them: history outlives both.
  sql`CREATE TABLE runs (
    id TEXT NOT NULL PRIMARY KEY,
    idempotency_key TEXT NOT NULL UNIQUE,
    batch_id TEXT NOT NULL,
    plan_id TEXT NOT NULL,
    node_id TEXT NOT NULL,
    status TEXT NOT NULL,
    body TEXT NOT NULL
  ) STRICT`,
  sql`CREATE INDEX runs_by_node ON runs (node_id, id)`,
  sql`CREATE INDEX runs_by_plan_and_node ON runs (plan_id, node_id, status, id)`,
  sql`CREATE INDEX runs_by_batch ON runs (batch_id, id)`,
  sql`CREATE INDEX runs_by_status ON runs (status, id)`,

  sql`CREATE TABLE locks (
    node_id TEXT NOT NULL,
    target TEXT NOT NULL,
    run_id TEXT NOT NULL,
    acquired_at INTEGER NOT NULL,
    PRIMARY KEY (node_id, target)
  ) STRICT`,
  sql`CREATE INDEX locks_by_run ON locks (run_id)`,

  // Serials are unsigned 64-bit: decimal text, so that no reader rounds them.
  sql`CREATE TABLE certificates (
    id TEXT NOT NULL PRIMARY KEY,
    serial TEXT NOT NULL UNIQUE,
    node_id TEXT,
    body TEXT NOT NULL
  ) STRICT`,
  sql`CREATE INDEX certificates_by_node ON certificates (node_id, id)`,

  sql`CREATE TABLE audit (
    seq INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    previous_hash TEXT NOT NULL,
    hash TEXT NOT NULL
  ) STRICT`,
  sql`CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END`,
  sql`CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END`,

  sql`CREATE TABLE events (
    seq INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    change TEXT NOT NULL
  ) STRICT`,

  // What only ever grows: event_seq, audit_seq, serial (the last one given), oldest_event_seq (0: none trimmed).
  sql`CREATE TABLE counters (
    name TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
  ) STRICT`,
  sql`INSERT INTO counters (name, value) VALUES
    ('event_seq', 0), ('audit_seq', 0), ('serial', 0), ('oldest_event_seq', 0)`,

  sql`CREATE TABLE settings (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT`,
]

/** The first shape: nodes, plans, runs, locks, certificates, audit log, event log. */
export const initial: Migration = {
  async up(database: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(database)
  },
}
