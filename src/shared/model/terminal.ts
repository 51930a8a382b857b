import { z } from 'zod'
import { EpochMs, NodeId, TerminalId } from './ids.ts'

export const TerminalSize = z.object({
  columns: z.number().int().min(2).max(1000),
  rows: z.number().int().min(1).max(1000),
})
export type TerminalSize = z.infer<typeof TerminalSize>

export const Terminal = z.object({
  id: TerminalId,
  nodeId: NodeId,
  nodeName: z.string(),
  openedAt: EpochMs,
  status: z.enum(['open', 'exited']),
  exitCode: z.number().int().nullable(),
})
export type Terminal = z.infer<typeof Terminal>

/** Flow control of the raw channel: the pty is paused above `high` unacknowledged bytes and resumed below `low`. */
export const terminalWindow = { highBytes: 256 * 1024, lowBytes: 64 * 1024 } as const
