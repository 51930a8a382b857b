import { z } from 'zod'
import { rememberedDurations } from '../../core/agent/duration.ts'
import { readJson, writeFileAtomic } from '../../platform/atomicFile.ts'

const Durations = z.array(z.number().nonnegative()).max(1000)

/** How long the last successful runs took, in milliseconds; a file that cannot be read counts as none. */
export async function readDurations(path: string): Promise<number[]> {
  return (await readJson(path, Durations).catch(() => undefined)) ?? []
}

export async function rememberDuration(path: string, durationMs: number): Promise<void> {
  const durations = [...(await readDurations(path)), durationMs].slice(-rememberedDurations)
  await writeFileAtomic(path, JSON.stringify(durations))
}
