import { randomBytes } from 'node:crypto'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { adviceFor, fitting, shortened } from '../../core/agent/delivery.ts'
import { reportsToDrop } from '../../core/agent/spool.ts'
import { readJson, writeFileAtomic } from '../../platform/atomicFile.ts'
import type { Logger } from '../../platform/logger.ts'
import { AgentRunState, agentApiLimits, RegisterRequest } from '../../shared/agentApi/index.ts'
import { toAppError } from '../../shared/errors.ts'
import { IdempotencyKey, RunId } from '../../shared/model/ids.ts'
import { isFinal } from '../../shared/model/run.ts'
import type { ControlPlane } from '../control/controlPlane.ts'
import { codeOf } from '../control/request.ts'
import { readLogFile } from './runLog.ts'

/** The end of a run that the control plane does not know yet (D8). */
export const SpooledReport = z.object({
  format: z.literal(1),
  key: IdempotencyKey,
  /** Null: not even registered; the registration is sent first, under the same key. */
  runId: RunId.nullable(),
  register: RegisterRequest,
  sequence: z.number().int().positive(),
  run: AgentRunState,
  logPath: z.string(),
  writtenAtMs: z.number().int(),
})
export type SpooledReport = z.infer<typeof SpooledReport>

/** Keeps a report until it can be sent; the oldest go when there are too many. */
export async function spoolReport(directory: string, report: SpooledReport): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const name = `${String(report.writtenAtMs).padStart(15, '0')}-${randomBytes(4).toString('hex')}.json`
  await writeFileAtomic(join(directory, name), `${JSON.stringify(report)}\n`)
  const files = (await namesIn(directory)).map((file) => ({ name: file, writtenAtMs: writtenAt(file) }))
  for (const old of reportsToDrop(files, report.writtenAtMs)) await rm(join(directory, old), { force: true })
}

export async function spooledReports(directory: string): Promise<number> {
  return (await namesIn(directory)).length
}

/** Oldest first. */
async function namesIn(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => [])
  return names.filter((name) => /^\d+-[0-9a-f]+\.json$/.test(name)).sort()
}

const writtenAt = (name: string): number => Number(name.slice(0, name.indexOf('-')))

/**
 * Sends what waits, oldest first. Stops when the control plane is away or does not want to talk to us; what it refuses
 * for its own reasons stays until it is too old, and is not in the way of the next.
 *
 * @returns how many still wait
 */
export async function sendSpooled(directory: string, controlPlane: ControlPlane, logger: Logger): Promise<number> {
  for (const name of await namesIn(directory)) {
    const path = join(directory, name)
    try {
      const report = await readJson(path, SpooledReport)
      if (report !== undefined) await deliver(controlPlane, report)
      await rm(path, { force: true })
    } catch (error) {
      const { code, message } = toAppError(error)
      logger.warn({ code, report: name }, `a spooled report was not sent: ${message}`)
      if (['again', 'enroll', 'upgrade'].includes(adviceFor(codeOf(error)))) break
    }
  }
  return spooledReports(directory)
}

/** Registers it if need be, then the log, then the end: whoever sees the end sees the whole log. */
async function deliver(controlPlane: ControlPlane, report: SpooledReport): Promise<void> {
  const { run, logBytes } = await controlPlane.register(report.key, report.register)
  if (isFinal(run.status)) return
  await deliverLog(controlPlane, run.id, report.logPath, logBytes)
  await deliverState(controlPlane, run.id, report)
}

async function deliverLog(controlPlane: ControlPlane, runId: string, path: string, from: number): Promise<void> {
  let [offset, chunkBytes]: [number, number] = [from, agentApiLimits.logChunkBytes]
  for (;;) {
    const chunk = readLogFile(path, offset, chunkBytes)
    if (chunk.length === 0) return
    try {
      const { sizeBytes } = await controlPlane.putLog(runId, offset, chunk)
      if (sizeBytes <= offset) return
      offset = sizeBytes
    } catch (error) {
      if (adviceFor(codeOf(error)) !== 'shorter' || chunkBytes <= 4096) throw error
      chunkBytes >>= 2
    }
  }
}

async function deliverState(controlPlane: ControlPlane, runId: string, report: SpooledReport): Promise<void> {
  let run = fitting(report.run)
  let sequence = report.sequence
  for (let tries = 1; ; tries += 1) {
    try {
      const answer = await controlPlane.putState(runId, { sequence, run })
      if (answer.sequence <= sequence || tries >= 3) return
      sequence = answer.sequence + 1
    } catch (error) {
      if (adviceFor(codeOf(error)) !== 'shorter' || tries >= 3) throw error
      run = shortened(run)
    }
  }
}
