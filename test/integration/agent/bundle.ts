import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const repository = join(import.meta.dirname, '../../..')

export interface AgentBundle {
  /** `lockstep-agent.mjs`, as it is shipped. */
  readonly entry: string
  readonly directory: string
  remove(): Promise<void>
}

/** Builds the agent as `npm run build` does, into a directory of its own. */
export async function buildBundle(): Promise<AgentBundle> {
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-agent-bundle-'))
  const vite = join(repository, 'node_modules/vite/bin/vite.js')
  const args = [vite, 'build', '--config', 'vite.agent.config.ts', '--outDir', directory, '--emptyOutDir']
  await run(process.execPath, args, { cwd: repository })
  return {
    entry: join(directory, 'lockstep-agent.mjs'),
    directory,
    remove: () => rm(directory, { recursive: true, force: true }),
  }
}
