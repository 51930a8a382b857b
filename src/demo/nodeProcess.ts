import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { isSameProcessAlive, type ProcessIdentity } from '../platform/processIdentity.ts'
import { spawnDetached } from '../platform/spawnDetached.ts'
import { AppError } from '../shared/errors.ts'
import type { NodeRecord } from './fleetFile.ts'
import type { NodeLayout } from './layout.ts'
import { nodeMarker } from './nodeTemplates.ts'
import { fakeClockEnvironment } from './programs.ts'

/** Sshd alone, or with the slow link before it. */
const ProcessesFile = z.array(z.object({ pid: z.number().int().positive(), startTime: z.string() }))

const startDeadlineMs = 20_000
const pollMs = 15

/** One-way delay and rate of a `slow` node: a login takes seconds, a few megabytes most of a minute. */
const slowLinkArguments = ['80', String(256 * 1024)] as const

/** Who was started for the node and, as far as we know, not ended; nothing when the file is missing or broken. */
export function recordedProcesses(layout: NodeLayout): readonly ProcessIdentity[] {
  try {
    return ProcessesFile.parse(JSON.parse(readFileSync(layout.processes, 'utf8')))
  } catch {
    return []
  }
}

/** True when every process of the node runs. */
export function isRunning(layout: NodeLayout): boolean {
  const processes = recordedProcesses(layout)
  return processes.length > 0 && processes.every(isSameProcessAlive)
}

/** The last lines of the node's sshd log: why it would not start. */
async function logTail(layout: NodeLayout): Promise<string> {
  const text = await readFile(layout.log, 'utf8').catch(() => '')
  return text.trim().split('\n').slice(-3).join('; ')
}

async function startFailed(node: NodeRecord, layout: NodeLayout): Promise<AppError> {
  const reason = await logTail(layout)
  if (/Address already in use/.test(reason)) {
    return new AppError(
      'ADDRESS_IN_USE',
      `Demo node ${node.name} cannot listen on ${node.address}:${node.port}: another program does. Stop that program, or run "lockstep demo down" and up again.`,
      {
        data: { address: node.address, port: node.port },
      },
    )
  }
  return new AppError(
    'PROGRAM_FAILED',
    `The sshd of demo node ${node.name} did not start: ${reason || 'it wrote no reason'}`,
    { data: { node: node.name } },
  )
}

async function waitUntil(ready: () => Promise<boolean> | boolean, process: ProcessIdentity): Promise<boolean> {
  const deadlineMs = performance.now() + startDeadlineMs
  while (!(await ready())) {
    if (!isSameProcessAlive(process) || performance.now() > deadlineMs) return false
    await delay(pollMs)
  }
  return true
}

/** Does anybody listen there? */
export const accepts = (address: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: address, port })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })

async function startSshd(node: NodeRecord, layout: NodeLayout, sshd: string): Promise<ProcessIdentity> {
  await rm(layout.sshdPid, { force: true })
  const clock = node.fault === 'expired' ? await fakeClockEnvironment() : {}
  const identity = await spawnDetached({
    command: sshd,
    args: ['-D', '-f', layout.sshdConfig, '-E', layout.log],
    cwd: layout.directory,
    env: { ...clock, [nodeMarker]: layout.directory },
  })
  await writeFile(layout.processes, JSON.stringify([identity]))
  // sshd writes its pid file when it listens.
  if (await waitUntil(() => existsSync(layout.sshdPid), identity)) return identity
  throw await startFailed(node, layout)
}

/** Beside this module as source, beside or above it as a bundle. */
function slowLinkProgram(): string {
  const candidates = ['./slowLink.ts', './slowLink.js', '../slowLink.js'].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  )
  const found = candidates.find((path) => existsSync(path))
  if (found !== undefined) return found
  throw new AppError(
    'UNSUPPORTED',
    'This build has no slow link program; use the command line to make a demo node slow.',
  )
}

async function startSlowLink(node: NodeRecord, layout: NodeLayout, sshd: ProcessIdentity): Promise<void> {
  const link = await spawnDetached({
    command: process.execPath,
    args: [slowLinkProgram(), node.address, String(node.port), String(node.internalPort), ...slowLinkArguments],
    env: { ELECTRON_RUN_AS_NODE: '1', [nodeMarker]: layout.directory },
    logFile: layout.log,
  })
  await writeFile(layout.processes, JSON.stringify([sshd, link]))
  if (await waitUntil(() => accepts(node.address, node.port), link)) return
  throw await startFailed(node, layout)
}

/** Starts what the node's fault leaves of it; the caller has ended what ran before and written the files. */
export async function startNode(node: NodeRecord, layout: NodeLayout, sshd: string): Promise<void> {
  if (node.fault === 'offline') return
  const server = await startSshd(node, layout, sshd)
  if (node.fault === 'slow') await startSlowLink(node, layout, server)
}

/** sshd under root refuses to start without this directory, which lies on a file system that a reboot empties. */
export async function ensurePrivilegeSeparationDirectory(): Promise<void> {
  if (process.getuid?.() !== 0) return
  await mkdir('/run/sshd', { recursive: true, mode: 0o755 })
}
