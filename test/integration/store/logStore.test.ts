import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type FileLogStore, type LogStoreOptions, openLogStore } from '../../../src/engine/store/index.ts'
import { RunId } from '../../../src/shared/model/ids.ts'
import { newId } from './fixtures.ts'

let directory: string
let opened: FileLogStore[]
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lockstep-logs-'))
  opened = []
})
afterEach(async () => {
  for (const store of opened) await store.close()
  rmSync(directory, { recursive: true, force: true })
})

async function openLogs(options: Partial<LogStoreOptions> = {}): Promise<FileLogStore> {
  const logs = await openLogStore({ directory, ...options })
  opened.push(logs)
  return logs
}
const aRunId = () => RunId.parse(newId())
const bytes = (text: string) => Buffer.from(text)
const text = async (logs: FileLogStore, runId: RunId, offset = 0, maxBytes = 1_000_000) =>
  Buffer.from(await logs.read(runId, offset, maxBytes)).toString()

it('appends in order and reads any part; a run without output is empty', async () => {
  const logs = await openLogs()
  const run = aRunId()
  expect(await logs.sizeBytes(run)).toBe(0)
  expect(await text(logs, run)).toBe('')
  const sizes = await Promise.all(['one ', 'two ', 'three'].map((part) => logs.append(run, bytes(part))))
  expect(sizes).toEqual([4, 8, 13])
  expect(await text(logs, run)).toBe('one two three')
  expect(await text(logs, run, 4, 3)).toBe('two')
  expect(await text(logs, run, 8, 100)).toBe('three')
  expect(await text(logs, run, 13)).toBe('')
  expect(await text(logs, run, 999)).toBe('')
})

it('keeps bytes as they are, private on disk, and goes on after a restart', async () => {
  const run = aRunId()
  const all = Uint8Array.from({ length: 256 }, (_, index) => index)
  const first = await openLogs()
  await first.append(run, all)
  await first.close()
  const second = await openLogs()
  expect(await second.sizeBytes(run)).toBe(256)
  expect(await second.append(run, all)).toBe(512)
  expect(new Uint8Array(await second.read(run, 256, 256))).toEqual(all)
  expect(statSync(join(directory, `${run}.log`)).mode & 0o777).toBe(0o600)
})

it('writes many runs at once with few open files', async () => {
  const logs = await openLogs({ maxOpenFiles: 3 })
  const runs = Array.from({ length: 20 }, aRunId)
  for (let round = 0; round < 5; round += 1) {
    await Promise.all(runs.map((run, index) => logs.append(run, bytes(`${round}:${index} `))))
  }
  for (const [index, run] of runs.entries()) {
    expect(await text(logs, run)).toBe([0, 1, 2, 3, 4].map((round) => `${round}:${index} `).join(''))
  }
  if (process.platform === 'linux') expect(openLogsBelow(directory)).toBeLessThanOrEqual(3)
})

function openLogsBelow(path: string): number {
  const targets = readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      return [readlinkSync(`/proc/self/fd/${descriptor}`)]
    } catch {
      return []
    }
  })
  return targets.filter((target) => target.startsWith(`${path}/`) && target.endsWith('.log')).length
}

it('tells who listens to this run, until they stop, whatever other listeners do', async () => {
  const errors: string[] = []
  const logs = await openLogs({ logger: { error: (_fields, message) => errors.push(message) } })
  const [run, other] = [aRunId(), aRunId()]
  const heard: number[] = []
  logs.onAppended(run, () => {
    throw new Error('broken listener')
  })
  const stop = logs.onAppended(run, (size) => heard.push(size))
  await logs.append(run, bytes('abc'))
  await logs.append(other, bytes('x'))
  await logs.append(run, bytes('d'))
  stop()
  await logs.append(run, bytes('e'))
  expect(heard).toEqual([3, 4])
  expect(errors).toHaveLength(3)
})

it('stops at the limit, says so once, and stays stopped after a restart', async () => {
  const run = aRunId()
  const logs = await openLogs({ maxRunBytes: 10 })
  await logs.append(run, bytes('12345678'))
  await logs.append(run, bytes('90abc'))
  const size = await logs.append(run, bytes('never'))
  const kept = await text(logs, run)
  expect(kept).toMatch(/^1234567890\n\[lockstep: the output is larger than 10 bytes/)
  expect(size).toBe(Buffer.byteLength(kept))
  await logs.close()
  const again = await openLogs({ maxRunBytes: 10 })
  expect(await again.append(run, bytes('never'))).toBe(size)
})

it('lists and removes for retention, and takes nothing but a run id for a file name', async () => {
  const logs = await openLogs()
  const [run, other] = [aRunId(), aRunId()]
  await logs.append(run, bytes('abc'))
  await logs.append(other, bytes('x'))
  expect((await logs.list()).map(({ runId, sizeBytes }) => [runId, sizeBytes]).sort()).toEqual(
    [
      [run, 3],
      [other, 1],
    ].sort(),
  )
  await logs.remove(run)
  await logs.remove(run)
  expect(await logs.sizeBytes(run)).toBe(0)
  expect((await logs.list()).map(({ runId }) => runId)).toEqual([other])
  await expect(logs.append('../../escape' as RunId, bytes('x'))).rejects.toThrow()
  await expect(logs.read('../../etc/passwd' as RunId, 0, 10)).rejects.toThrow()
})

it('has everything that was acknowledged after kill -9', async () => {
  const run = aRunId()
  const script = `
    const { openLogStore } = await import(${JSON.stringify(new URL('../../../src/engine/store/index.ts', import.meta.url).href)})
    const logs = await openLogStore({ directory: ${JSON.stringify(directory)} })
    for (let index = 0; ; index += 1) {
      const size = await logs.append(${JSON.stringify(run)}, Buffer.from('line ' + index + '\\n'))
      await new Promise((resolve) => process.stdout.write(size + '\\n', resolve))
    }`
  const child = spawn(process.execPath, ['--input-type=module', '--no-warnings', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
    if (output.split('\n').length > 500) child.kill('SIGKILL')
  })
  await once(child, 'close')
  const acknowledged = Number(output.slice(0, output.lastIndexOf('\n')).split('\n').at(-1))
  const logs = await openLogs()
  expect(await logs.sizeBytes(run)).toBeGreaterThanOrEqual(acknowledged)
  const lines = (await text(logs, run)).split('\n')
  expect(lines.slice(0, -1)).toEqual(lines.slice(0, -1).map((_, index) => `line ${index}`))
})

it('F33 keeps the logs of many short runs without a file for each, and finds them after a restart', async () => {
  const first = await openLogs()
  const runs = Array.from({ length: 200 }, aRunId)
  const entries = runs.map((runId, index) => ({ runId, bytes: bytes(`run ${index}\n`) }))
  const sizes: number[] = []
  const stop = first.onAppended(runs[7] as RunId, (size) => sizes.push(size))
  expect(await first.appendAll(entries)).toEqual(entries.map((entry) => entry.bytes.length))
  expect(await first.appendAll(entries.slice(0, 8))).toEqual(entries.slice(0, 8).map(({ bytes }) => 2 * bytes.length))
  stop()
  expect(sizes).toEqual([6, 12])
  expect(readdirSync(directory).filter((name) => name.endsWith('.log'))).toEqual([])
  await first.close()
  const second = await openLogs()
  expect(await text(second, runs[7] as RunId)).toBe('run 7\nrun 7\n')
  expect(await text(second, runs[7] as RunId, 6, 3)).toBe('run')
  expect(await second.sizeBytes(runs[199] as RunId)).toBe(8)
  expect((await second.list()).filter(({ runId }) => runId === runs[3])).toMatchObject([{ sizeBytes: 12 }])
  await second.remove(runs[7] as RunId)
  expect(await text(second, runs[7] as RunId)).toBe('')
})

it('a log that turns out longer moves to a file of its own, whole and in order', async () => {
  const logs = await openLogs()
  const run = aRunId()
  await logs.appendAll([{ runId: run, bytes: bytes('short ') }])
  expect(await logs.append(run, bytes('then more '))).toBe(16)
  expect(await logs.appendAll([{ runId: run, bytes: bytes('and more') }])).toEqual([24])
  expect(await text(logs, run)).toBe('short then more and more')
  expect(await logs.list()).toMatchObject([{ runId: run, sizeBytes: 24 }])
  const long = aRunId()
  expect(await logs.appendAll([{ runId: long, bytes: new Uint8Array(100_000) }])).toEqual([100_000])
  expect(statSync(join(directory, `${long}.log`)).size).toBe(100_000)
})

it('short logs that cannot be read any more keep nobody from starting', async () => {
  const first = await openLogs()
  await first.appendAll([{ runId: aRunId(), bytes: bytes('x') }])
  await first.close()
  writeFileSync(join(directory, 'short.sqlite'), 'not a database, and long enough to be looked at as one '.repeat(20))
  const second = await openLogs()
  const run = aRunId()
  expect(await second.appendAll([{ runId: run, bytes: bytes('new') }])).toEqual([3])
  expect(readdirSync(directory)).toContain('short.sqlite.damaged')
})
