import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createManualClock } from '../../../test/fakes/manualClock.ts'
import { waitFor } from '../../../test/support/waitFor.ts'
import { createLogging } from '../../platform/logger.ts'
import { SourceId } from '../../shared/model/ids.ts'
import type { SourceListener, StoredSource } from '../ports.ts'
import { fileFollowers } from './fileFollower.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ls-follow-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

it('S1.33 reads a file when nobody writes it any more: half of it would be a registry with half of its services', async () => {
  const file = join(directory, 'services.yaml')
  const clock = createManualClock()
  const startMs = clock.nowMs()
  const writtenAt = async (text: string, atMs: number): Promise<void> => {
    await writeFile(file, text)
    await utimes(file, atMs / 1000, atMs / 1000)
  }
  const source: StoredSource = {
    id: SourceId.parse('01900000-0000-7000-8000-000000000001'),
    name: 'file',
    registry: 'services',
    place: { kind: 'file', path: file },
    createdAt: startMs,
  }
  const texts: string[] = []
  const listener: SourceListener = {
    read: async (text) => void texts.push(text),
    state: (state) => void texts.push(state.status),
  }
  const { logger } = createLogging({ level: 'debug', sinks: [] })
  const follower = fileFollowers({ clock, logger, pollIntervalMs: 3_600_000 })(source, listener)
  await writtenAt('a: half\n', startMs - 10)
  const started = follower.start()
  // The poll, and the wait for the file to settle.
  await waitFor('the wait', () => clock.pendingTimerCount === 2)
  expect(texts).toEqual([])
  await writtenAt('a: half\nb: whole\n', startMs + 100)
  await waitFor('the whole file', () => {
    clock.advance(50)
    return texts.length > 0
  })
  await started
  await follower.stop()
  expect(texts[0]).toBe('a: half\nb: whole\n')
  expect(clock.nowMs()).toBeGreaterThanOrEqual(startMs + 100)
})
