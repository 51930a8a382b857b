import { z } from 'zod'
import { ErrorCode } from '../errors.ts'

/** What the console can offer as the one button next to a cause. */
export const NextActionKind = z.enum([
  'resync',
  'renew-certificate',
  'accept-host-key',
  'open-terminal',
  'run-doctor',
  'edit-node',
  'edit-plan',
  'wait',
  'approve-deletes',
  'deliver-krl',
  'set-up-storage',
  'none',
])
export type NextActionKind = z.infer<typeof NextActionKind>

/** One cause, in words a tired person understands, with the evidence it was drawn from. */
export const Diagnosis = z.object({
  code: ErrorCode,
  /** Names the thing, the cause and the next step. */
  sentence: z.string(),
  /** At most four words; shown on a map card. */
  short: z.string(),
  /** Lines as they were seen (redacted), most telling first. */
  evidence: z.array(z.string()),
  nextAction: z.object({ kind: NextActionKind, label: z.string() }),
  /** True when trying again later can help without anybody acting. */
  transient: z.boolean(),
})
export type Diagnosis = z.infer<typeof Diagnosis>

/** One read-only check of `doctor`. */
export const DoctorStep = z.object({
  name: z.string(),
  status: z.enum(['ok', 'warning', 'failed', 'skipped']),
  detail: z.string(),
  evidence: z.array(z.string()),
  durationMs: z.number().nonnegative(),
})
export type DoctorStep = z.infer<typeof DoctorStep>

export const DoctorReport = z.object({
  nodeName: z.string(),
  steps: z.array(DoctorStep),
  /** Null when nothing is wrong. */
  diagnosis: Diagnosis.nullable(),
})
export type DoctorReport = z.infer<typeof DoctorReport>
