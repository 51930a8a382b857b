import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from '@playwright/test'
import { build } from 'vite'
import type { MapBench, MapBenchResult } from '../src/renderer/dev/mapBench.ts'
import { thisMachine } from './machine.ts'
import { type BenchOptions, type BenchReport, type Samples, toRow } from './report.ts'

const rounds = 3
const defaultTiles = 10_000
const browserPath = '/usr/bin/chromium'
const renderer = fileURLToPath(new URL('../src/renderer', import.meta.url))
const browserArguments = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Frames follow each other as fast as they are made: the distance between two is what one costs.
  '--disable-frame-rate-limit',
  '--disable-gpu-vsync',
]

/**
 * The fleet map with 10,000 tiles in a real browser without a GPU: a redraw of all, a frame of a pan, and a hundred
 * changes. Against the same tiles as one element each, the way most consoles draw them.
 */
export async function run({ args }: BenchOptions): Promise<BenchReport> {
  if (!existsSync(browserPath)) throw new Error(`${browserPath} is not installed (Debian: chromium)`)
  const tiles = Number(args.find((word) => /^\d+$/.test(word)) ?? defaultTiles)
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-bench-map-'))
  await buildPage(directory)
  const server = await serve(directory)
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/dev/mapBench.html`
    const ours: MapBenchResult[] = []
    const elements: MapBenchResult[] = []
    for (let round = 0; round < rounds; round += 1) {
      ours.push(await measure(url, 'ours', tiles))
      elements.push(await measure(url, 'elements', tiles))
    }
    return { bench: 'map', machine: thisMachine(), rows: toSamples(tiles, ours, elements).map(toRow) }
  } finally {
    await new Promise((resolve) => server.close(resolve))
    await rm(directory, { recursive: true, force: true })
  }
}

async function buildPage(outDir: string): Promise<void> {
  await build({
    root: renderer,
    configFile: false,
    logLevel: 'error',
    build: { outDir, emptyOutDir: true, rolldownOptions: { input: join(renderer, 'dev/mapBench.html') } },
  })
}

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
}

async function serve(directory: string): Promise<Server> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname
    readFile(join(directory, path.replaceAll('..', ''))).then(
      (body) => response.setHeader('content-type', contentTypes[extname(path)] ?? 'application/octet-stream').end(body),
      () => response.writeHead(404).end(),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

/** A browser of its own for each measurement, so that none inherits the memory of the one before. */
async function measure(url: string, way: keyof MapBench, tiles: number): Promise<MapBenchResult> {
  const browser = await chromium.launch({ executablePath: browserPath, args: browserArguments })
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
    await page.goto(url)
    return await page.evaluate(
      ({ name, count }) => {
        const bench = window.mapBench
        if (bench === undefined) throw new Error('the page of the bench did not start')
        return bench[name](count)
      },
      { name: way, count: tiles },
    )
  } finally {
    await browser.close()
  }
}

function percentile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
  if (value === undefined) throw new Error('percentile of no samples')
  return value
}

function toSamples(tiles: number, ours: readonly MapBenchResult[], elements: readonly MapBenchResult[]): Samples[] {
  const row = (metric: string, pick: (result: MapBenchResult) => number): Samples => ({
    case: `${tiles} tiles`,
    metric,
    unit: 'ms',
    ours: ours.map(pick),
    peer: { name: 'one element a tile', samples: elements.map(pick) },
  })
  return [
    row('full redraw frame, median', (result) => percentile(result.fullRedrawMs, 0.5)),
    row('pan frame, p50', (result) => percentile(result.panFrameMs, 0.5)),
    row('pan frame, p95', (result) => percentile(result.panFrameMs, 0.95)),
    row('frame with 100 changes, median', (result) => percentile(result.hundredChangesMs, 0.5)),
  ]
}
