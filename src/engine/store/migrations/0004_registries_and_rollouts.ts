import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const statements = [
  // The content stands apart from the revision: a history is read without it. Sensitive values in it are sealed.
  sql`CREATE TABLE registry_revisions (
    registry TEXT NOT NULL,
    number INTEGER NOT NULL,
    body TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (registry, number)
  ) STRICT`,

  sql`CREATE TABLE registry_sources (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL
  ) STRICT`,

  sql`CREATE TABLE rollouts (
    id TEXT NOT NULL PRIMARY KEY,
    open INTEGER NOT NULL,
    body TEXT NOT NULL
  ) STRICT`,
  sql`CREATE INDEX rollouts_open ON rollouts (id) WHERE open = 1`,

  sql`ALTER TABLE runs ADD COLUMN rollout_id TEXT`,
  sql`CREATE INDEX runs_by_rollout ON runs (rollout_id, id) WHERE rollout_id IS NOT NULL`,
]

/** Registries with their revisions and sources, and changes that go through the fleet as one. */
export const registriesAndRollouts: Migration = {
  async up(database: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(database)
  },
}
