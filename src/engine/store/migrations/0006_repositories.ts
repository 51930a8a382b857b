import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const statements = [
  sql`CREATE TABLE repositories (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL
  ) STRICT`,

  // One report for each commit; findings in it are salted hashes, never values.
  sql`CREATE TABLE scan_reports (
    repository_id TEXT NOT NULL,
    commit_hash TEXT NOT NULL,
    scanned_at INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (repository_id, commit_hash)
  ) STRICT`,
  sql`CREATE INDEX scan_reports_newest ON scan_reports (repository_id, scanned_at)`,

  sql`CREATE TABLE allowed_findings (
    repository_id TEXT NOT NULL,
    hash TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (repository_id, hash)
  ) STRICT`,
]

/** Sources of truth that are distributed, what was found in them, and what a person allowed of that. */
export const repositories: Migration = {
  async up(database: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(database)
  },
}
