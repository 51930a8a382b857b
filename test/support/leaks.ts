import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll } from 'vitest'

/**
 * Vitest set-up file: a test file that leaves a program running or a socket listening behind fails.
 *
 * Programs are recognised by a mark in their environment, so that one that has detached itself is found too. Found
 * ones are killed after they were reported, or they would disturb the next file.
 */
const MARK = 'LOCKSTEP_TEST_FILE'
const SETTLE_MS = 5_000
const ACCEPTS_CONNECTIONS = '00010000'

interface Leftover {
  readonly pid?: number
  readonly what: string
}

const mark = `${MARK}=${randomUUID()}`
process.env[MARK] = mark.slice(MARK.length + 1)
const listenersBefore = listenerCount()

afterAll(async () => {
  const deadline = performance.now() + SETTLE_MS
  let left = leftovers()
  while (left.length > 0 && performance.now() < deadline) {
    await sleep(50)
    left = leftovers()
  }
  if (left.length === 0) return
  for (const { pid } of left) if (pid !== undefined) endProcess(pid)
  throw new Error(`this test file left behind: ${left.map(({ what }) => what).join('; ')}`)
}, SETTLE_MS * 3)

function leftovers(): Leftover[] {
  const listening = listenerCount() - listenersBefore
  const sockets = listening > 0 ? [{ what: `${listening} listening socket(s)` }] : []
  return [...sockets, ...markedProcesses()]
}

function listenerCount(): number {
  const tcp = process.getActiveResourcesInfo().filter((name) => name === 'TCPServerWrap').length
  return tcp + listeningUnixSockets()
}

/** Node does not tell a listening Unix socket from a connected one; the kernel does (columns: ..., flags, ..., inode). */
function listeningUnixSockets(): number {
  const own = new Set(ownSocketInodes())
  return readProc('net', 'unix')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , , flags, , , inode]) => flags === ACCEPTS_CONNECTIONS && inode !== undefined && own.has(inode)).length
}

function ownSocketInodes(): string[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${descriptor}`))?.[1] ?? []
    } catch {
      return []
    }
  })
}

/** Linux only: elsewhere there is no /proc and programs are not checked. */
function markedProcesses(): Leftover[] {
  return processIds().flatMap((pid) => {
    const environment = readProc(pid, 'environ')
    if (pid === process.pid || !environment.split('\0').includes(mark)) return []
    return [{ pid, what: `process ${pid} (${readProc(pid, 'cmdline').replaceAll('\0', ' ').trim().slice(0, 160)})` }]
  })
}

function processIds(): number[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

/** Empty when the process has ended meanwhile or belongs to somebody else. */
function readProc(pid: number | string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // it ended between the report and here
  }
}
