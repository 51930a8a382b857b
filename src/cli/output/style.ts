import { styleText } from 'node:util'
import type { NodeStatus } from '../../shared/model/node.ts'
import type { RunStatus } from '../../shared/model/run.ts'

export type Paint = (text: string) => string

/** Colours only where standard output is a terminal and NO_COLOR is not set; a status is always a word as well. */
const painter =
  (format: Parameters<typeof styleText>[0]): Paint =>
  (text) =>
    styleText(format, text, { stream: process.stdout })

export const good = painter('green')
export const waiting = painter('yellow')
export const bad = painter('red')
export const faint = painter('dim')

const nodeStatusPaint: Record<NodeStatus, Paint> = { active: good, pending_sync: waiting, error: bad }
export const paintNodeStatus = (status: NodeStatus): Paint => nodeStatusPaint[status]

const runStatusPaint: Record<RunStatus, Paint> = {
  queued: faint,
  running: waiting,
  succeeded: good,
  failed: bad,
  canceled: waiting,
  halted: bad,
}
export const paintRunStatus = (status: RunStatus): Paint => runStatusPaint[status]
