import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from '@playwright/test'
import { build } from 'vite'
import { type WebSocket, WebSocketServer } from 'ws'
import { startPty, type TerminalCommand } from '../src/engine/terminals/ptyProcess.ts'
import { createTerminalService, type TerminalService } from '../src/engine/terminals/terminalService.ts'
import { systemClock } from '../src/platform/clock.ts'
import { createIdSource } from '../src/platform/ids.ts'
import type { FleetNode } from '../src/shared/model/node.ts'
import { thisMachine } from './machine.ts'
import { type BenchOptions, type BenchReport, type Samples, toRow } from './report.ts'

const rounds = 3
const defaultLines = 2_000_000
const deadlineMs = 180_000
const browserPath = '/usr/bin/chromium'
const size = { columns: 120, rows: 36 } as const
const renderer = fileURLToPath(new URL('../src/renderer', import.meta.url))
const browserArguments = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

interface Result {
  readonly megabytesPerSecond: number
  /** Largest resident size of the page's process. */
  readonly peakBytes: number
  readonly waitingBytes: number
}

/**
 * `seq 1 2000000` on a pseudo-terminal, through the engine's terminal service, a WebSocket and the product's own
 * terminal in a real browser, with acknowledgements, complete to the last line. Against the same pty, socket and
 * terminal without flow control: what a terminal in a page does when nobody has thought about floods.
 */
export async function run({ args }: BenchOptions): Promise<BenchReport> {
  if (!existsSync(browserPath)) throw new Error(`${browserPath} is not installed (Debian: chromium)`)
  const lines = Number(args.find((word) => /^\d+$/.test(word)) ?? defaultLines)
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-bench-terminal-'))
  await buildPage(directory)
  const host = await startHost(directory, lines)
  try {
    const ours: Result[] = []
    const plain: Result[] = []
    for (let round = 0; round < rounds; round += 1) {
      ours.push(await measure(host.url, { way: 'ours', lines }))
      plain.push(await measure(host.url, { way: 'plain', lines }))
    }
    return { bench: 'terminal', machine: thisMachine(), rows: toSamples(lines, ours, plain).map(toRow) }
  } finally {
    await host.stop()
    await rm(directory, { recursive: true, force: true })
  }
}

function toSamples(lines: number, ours: readonly Result[], plain: readonly Result[]): Samples[] {
  const label = `seq 1 ${lines}, shown to the last line`
  const row = (metric: string, unit: string, pick: (result: Result) => number): Samples => ({
    case: label,
    metric,
    unit,
    ours: ours.map(pick),
    peer: { name: 'same without acknowledgements', samples: plain.map(pick) },
  })
  return [
    row('throughput', 'MB/s', (result) => result.megabytesPerSecond),
    row('peak memory of the page', 'MiB', (result) => result.peakBytes / 1_048_576),
    row('most output waiting in the page', 'KiB', (result) => result.waitingBytes / 1024),
  ]
}

async function buildPage(outDir: string): Promise<void> {
  await build({
    root: renderer,
    configFile: false,
    logLevel: 'error',
    build: { outDir, emptyOutDir: true, rolldownOptions: { input: join(renderer, 'dev/terminalBench.html') } },
  })
}

interface Host {
  readonly url: string
  stop(): Promise<void>
}

/** Waits for a key first, so that the page is ready when the flood begins. */
const flood = (lines: number): TerminalCommand => ({
  file: '/bin/sh',
  args: ['-c', `stty -echo; read line; seq 1 ${lines}`],
  environment: { PATH: process.env.PATH ?? '/usr/bin:/bin', TERM: 'xterm-256color' },
})

async function startHost(directory: string, lines: number): Promise<Host> {
  const service = floodService(lines)
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname
    readFile(join(directory, path.replaceAll('..', ''))).then(
      (body) => response.setHeader('content-type', contentTypes[extname(path)] ?? 'application/octet-stream').end(body),
      () => response.writeHead(404).end(),
    )
  })
  const sockets = new WebSocketServer({ server, maxPayload: 1024 * 1024 })
  sockets.on('connection', (socket, request) => {
    if (request.url === '/ours') void serveOurs(service, socket)
    else servePlain(socket, lines)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/dev/terminalBench.html`, stop: () => stopHost(service, sockets, server) }
}

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
}

async function stopHost(service: TerminalService, sockets: WebSocketServer, server: Server): Promise<void> {
  await service.stop()
  for (const socket of sockets.clients) socket.terminate()
  sockets.close()
  await new Promise((resolve) => server.close(resolve))
}

function floodService(lines: number): TerminalService {
  const unused = (): never => {
    throw new Error('the bench logs in nowhere')
  }
  return createTerminalService({
    openSsh: { prepare: unused },
    identities: { ensure: unused },
    clock: systemClock,
    ids: createIdSource(systemClock),
    logger: { warn: () => {} },
    command: async () => flood(lines),
  })
}

async function serveOurs(service: TerminalService, socket: WebSocket): Promise<void> {
  const node = { id: '019abcde-0000-7000-8000-000000000001', name: 'bench' } as unknown as FleetNode
  const terminal = await service.open({ node, size, caller: { operator: 'bench', via: 'embedded' } })
  service.attach(terminal.id, {
    send: (bytes) => socket.send(bytes),
    onMessage: (listener) => socket.on('message', (data: Buffer) => listener(data)),
    onClose: (listener) => socket.on('close', listener),
    close: () => socket.close(),
  })
}

/** The pty's output as it comes, into a socket that takes everything. */
function servePlain(socket: WebSocket, lines: number): void {
  const pty = startPty(flood(lines), size, {
    clock: systemClock,
    onOutput: (bytes) => socket.send(bytes),
    onExit: () => socket.close(),
  })
  socket.on('message', (data: Buffer) => pty.write(data))
}

interface Measured {
  readonly wallMs: number
  readonly receivedBytes: number
  readonly mostWaitingBytes: number
  readonly tail: string
}

/** A browser of its own for each measurement, because memory that was once used is not given back. */
async function measure(
  url: string,
  { way, lines }: { readonly way: 'ours' | 'plain'; readonly lines: number },
): Promise<Result> {
  const browser = await chromium.launch({ executablePath: browserPath, args: browserArguments })
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
    page.setDefaultTimeout(deadlineMs)
    await page.goto(url)
    await page.waitForFunction('window.measure !== undefined')
    const measured = (await page.evaluate(`window.measure(${JSON.stringify(way)})`)) as Measured
    if (!measured.tail.includes(String(lines))) throw new Error(`the last line is missing (${way}): ${measured.tail}`)
    const session = await browser.newBrowserCDPSession()
    const { processInfo } = await session.send('SystemInfo.getProcessInfo')
    const peaks = await Promise.all(
      processInfo.filter((each) => each.type === 'renderer').map((each) => peakResidentBytes(each.id)),
    )
    return {
      megabytesPerSecond: measured.receivedBytes / 1000 / measured.wallMs,
      peakBytes: Math.max(...peaks),
      waitingBytes: measured.mostWaitingBytes,
    }
  } finally {
    await browser.close()
  }
}

async function peakResidentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024
}
