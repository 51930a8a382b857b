import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { binOf, inRoot, requireNode, run } from './project.mjs'

const stampFile = inRoot('out', '.stamp')
const inputs = [
  'src',
  'resources',
  'electron.vite.config.ts',
  'vite.agent.config.ts',
  'package.json',
  'package-lock.json',
  'tsconfig',
]
const outputs = ['main/index.js', 'main/cli.js', 'preload/index.cjs', 'renderer/index.html', 'agent/lockstep-agent.mjs']

/** True if `out/` was not built from the sources as they are now. Tests beside the sources do not count. */
export function isBuildStale() {
  if (!outputs.every((file) => existsSync(inRoot('out', file)))) return true
  return !existsSync(stampFile) || readFileSync(stampFile, 'utf8') !== sourceDigest()
}

/** Builds everything; returns `{ status, output }` as `run` does. The stamp is of the sources from before the build. */
export function build({ capture = false } = {}) {
  const digest = sourceDigest()
  const args = [binOf('electron-vite'), 'build', '--logLevel', 'warn']
  const result = run(requireNode(), args, { capture })
  if (result.status !== 0) return result
  const agent = buildAgent({ capture })
  if (agent.status === 0) writeStamp(digest)
  return agent
}

/** Builds `out/agent/lockstep-agent.mjs` alone; returns as `run` does. */
export function buildAgent({ capture = false } = {}) {
  const result = run(requireNode(), [binOf('vite'), 'build', '--config', 'vite.agent.config.ts'], { capture })
  if (result.status === 0) chmodSync(inRoot('out', 'agent', 'lockstep-agent.mjs'), 0o755)
  return result
}

function writeStamp(digest) {
  mkdirSync(dirname(stampFile), { recursive: true })
  writeFileSync(stampFile, digest)
}

function sourceDigest() {
  const hash = createHash('sha256')
  for (const input of inputs)
    for (const file of filesOf(input)) hash.update(`${file}\0`).update(readFileSync(inRoot(file)))
  return hash.digest('hex')
}

function filesOf(path) {
  if (!existsSync(inRoot(path))) return []
  if (!statSync(inRoot(path)).isDirectory()) return [path]
  return readdirSync(inRoot(path), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .filter((entry) => !/\.test\.tsx?$/.test(entry.name))
    .flatMap((entry) => filesOf(join(path, entry.name)))
}
