import { existsSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { isSameProcessAlive, type ProcessIdentity } from '../platform/processIdentity.ts'
import { spawnDetached } from '../platform/spawnDetached.ts'
import { AppError } from '../shared/errors.ts'
import { findFreeEndpoint } from './addresses.ts'
import type { NodeRecord } from './fleetFile.ts'
import type { FleetLayout } from './layout.ts'
import { accepts } from './nodeProcess.ts'
import { nodeMarker } from './nodeTemplates.ts'
import { replaceFile } from './replaceFile.ts'

const address = '127.0.0.1'
const startDeadlineMs = 20_000
const pollMs = 15

const TraefikFile = z.object({
  port: z.number().int(),
  process: z.object({ pid: z.number().int().positive(), startTime: z.string() }),
})
type TraefikFile = z.infer<typeof TraefikFile>

async function readTraefikFile(fleet: FleetLayout): Promise<TraefikFile | null> {
  try {
    return TraefikFile.parse(JSON.parse(await readFile(fleet.traefikFile, 'utf8')))
  } catch {
    return null
  }
}

/** Who was started, if anybody was. */
export async function recordedTraefik(fleet: FleetLayout): Promise<readonly ProcessIdentity[]> {
  const file = await readTraefikFile(fleet)
  return file === null ? [] : [file.process]
}

/** The API as every VPS of the fleet reaches it; null without a VPS. */
export async function traefikApi(fleet: FleetLayout): Promise<string | null> {
  const file = await readTraefikFile(fleet)
  return file === null ? null : `http://${address}:${file.port}`
}

/** One process for all VPS nodes, which run it unless theirs is stopped. Safe to repeat. */
export async function ensureTraefik(fleet: FleetLayout, nodes: readonly NodeRecord[]): Promise<void> {
  const edges = nodes.filter(({ kind }) => kind === 'vps')
  if (edges.length === 0) return
  const before = await readTraefikFile(fleet)
  const { process } = before !== null && isSameProcessAlive(before.process) ? before : await start(fleet, before?.port)
  for (const { name, fault } of edges) {
    const { traefikPid } = fleet.node(name)
    if (fault === 'traefik-stopped') await rm(traefikPid, { force: true })
    else await replaceFile(traefikPid, `${process.pid}\n`, 0o600)
  }
}

/** @param usualPort where it listened before: plans name it */
async function start(fleet: FleetLayout, usualPort: number | undefined): Promise<TraefikFile> {
  const preferred = usualPort === undefined ? { address } : { address, port: usualPort }
  const { port } = await findFreeEndpoint(preferred, new Set())
  const started = await spawnDetached({
    command: process.execPath,
    args: [traefikProgram(), dirname(fleet.traefikMark), address, String(port)],
    env: { ELECTRON_RUN_AS_NODE: '1', [nodeMarker]: fleet.traefikMark },
  })
  const file: TraefikFile = { port, process: { ...started } }
  await replaceFile(fleet.traefikFile, JSON.stringify(file), 0o600)
  const deadlineMs = performance.now() + startDeadlineMs
  while (!(await accepts(address, port))) {
    if (!isSameProcessAlive(started) || performance.now() > deadlineMs)
      throw new AppError('PROGRAM_FAILED', `The Traefik of the demo fleet did not start on ${address}:${port}.`)
    await delay(pollMs)
  }
  return file
}

/** Beside this module as source, beside or above it as a bundle. */
function traefikProgram(): string {
  const candidates = ['./traefik.ts', './traefik.js', '../traefik.js'].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  )
  const found = candidates.find((path) => existsSync(path))
  if (found !== undefined) return found
  throw new AppError('UNSUPPORTED', 'This build has no Traefik for the demo fleet; use the command line.')
}
