import type { Migration } from 'kysely/migration'
import { initial } from './0001_initial.ts'
import { trustAndAgents } from './0002_trust_and_agents.ts'
import { nodeLogin } from './0003_node_login.ts'
import { registriesAndRollouts } from './0004_registries_and_rollouts.ts'
import { openRuns } from './0005_open_runs.ts'
import { repositories } from './0006_repositories.ts'

/** All migrations by name, in order. A released one is never changed; the next change is a new file. */
export const migrations: Readonly<Record<string, Migration>> = {
  '0001_initial': initial,
  '0002_trust_and_agents': trustAndAgents,
  '0003_node_login': nodeLogin,
  '0004_registries_and_rollouts': registriesAndRollouts,
  '0005_open_runs': openRuns,
  '0006_repositories': repositories,
}
