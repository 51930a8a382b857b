import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

/** The open runs of a node, without reading through all it ever had: every commit of a run asks for them. */
export const openRuns: Migration = {
  async up(database: Kysely<unknown>) {
    await sql`CREATE INDEX runs_open ON runs (node_id, id) WHERE status IN ('queued', 'running', 'halted')`.execute(
      database,
    )
  },
}
