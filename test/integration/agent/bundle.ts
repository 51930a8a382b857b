import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const repository = join(import.meta.dirname, '../../..')

/** Builds the agent as `npm run build` does, into a directory of its own. @returns `lockstep-agent.mjs` */
export async function buildBundle(directory: string): Promise<string> {
  const vite = join(repository, 'node_modules/vite/bin/vite.js')
  const args = [vite, 'build', '--config', 'vite.agent.config.ts', '--outDir', directory, '--emptyOutDir']
  await run(process.execPath, args, { cwd: repository })
  return join(directory, 'lockstep-agent.mjs')
}
