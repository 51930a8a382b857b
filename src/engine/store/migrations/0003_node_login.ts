import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const statements = [
  sql`UPDATE nodes SET body = json_set(body, '$.login', json('{"kind":"certificate"}'))`,

  // Old events carry old shapes: who asks for them loads a snapshot instead.
  sql`DELETE FROM events`,
  sql`UPDATE counters SET value = (SELECT value + 1 FROM counters WHERE name = 'event_seq') WHERE name = 'oldest_event_seq' AND (SELECT value FROM counters WHERE name = 'event_seq') > 0`,
]

/** What a node is logged in to with; all of before used certificates (D9). */
export const nodeLogin: Migration = {
  async up(database: Kysely<unknown>) {
    for (const statement of statements) await statement.execute(database)
  },
}
