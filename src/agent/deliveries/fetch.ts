import { hash } from 'node:crypto'
import { z } from 'zod'
import { pulledKinds } from '../../core/agent/config.ts'
import { readJson, writeFileAtomic } from '../../platform/atomicFile.ts'
import type { Delivery, DeliveryReport } from '../../shared/agentApi/index.ts'
import { toAppError } from '../../shared/errors.ts'
import type { PulledKind } from '../../shared/model/node.ts'
import type { OpenAgent } from '../agent.ts'
import { placeDelivery } from './place.ts'

/** What is known of earlier deliveries, by plan: the next number for a report, and what was told last. */
const Memory = z.record(
  z.string(),
  z.object({ sequence: z.number().int(), revision: z.number().int(), digest: z.string(), toldAt: z.number().int() }),
)
type Memory = z.infer<typeof Memory>

/** That nothing has changed is told this often, so that the console knows it from a silence. */
const tellAgainMs = 3_600_000

export interface FetchedDelivery {
  readonly planName: string
  readonly kind: PulledKind
  readonly file: string
  readonly report: DeliveryReport
}

/**
 * Fetches what the registry has for this machine, puts it into place and says what was read back (S1F.5). Only kinds that
 * `agent.yaml` names a file for: what the control plane wants never decides where something is written.
 *
 * @returns what was looked at, each with how it went; a failure of one does not keep the others
 * @throws AppError when the control plane cannot be asked
 */
export async function fetchDeliveries(agent: OpenAgent): Promise<FetchedDelivery[]> {
  const { setup, session } = agent
  const files = setup.config.deliveries
  if (pulledKinds(files).length === 0) return []
  const memory = (await readJson(setup.state.deliveries, Memory).catch(() => undefined)) ?? {}
  const { deliveries } = await session.controlPlane.deliveries()
  const fetched: FetchedDelivery[] = []
  for (const delivery of deliveries) {
    const file = files[delivery.kind]
    if (file === null) continue
    const report = await carryOut(agent, delivery, file)
    fetched.push({ planName: delivery.planName, kind: delivery.kind, file, report })
    if (isNews(memory[delivery.planId], report, agent.clock.nowMs())) await tell(agent, memory, report)
  }
  return fetched
}

async function carryOut({ clock, logging }: OpenAgent, delivery: Delivery, file: string): Promise<DeliveryReport> {
  const startedAt = clock.nowMs()
  const { planId, planName, revision } = delivery
  const about = (outcome: DeliveryReport['outcome']): DeliveryReport => ({
    planId,
    revision,
    startedAt,
    finishedAt: clock.nowMs(),
    outcome,
  })
  try {
    const placed = await placeDelivery(delivery, file)
    if (placed.written) logging.logger.info({ file, revision }, `${planName}: written and read back`)
    return about({ status: 'verified', ...placed })
  } catch (error) {
    const { code, message } = toAppError(error)
    logging.logger.warn({ file, code }, `${planName}: ${message}`)
    return about({ status: 'failed', code, message: message.slice(0, 1_000) })
  }
}

const digestOf = ({ outcome }: DeliveryReport): string =>
  outcome.status === 'verified' ? outcome.digest : `failed: ${outcome.code}`

function isNews(told: Memory[string] | undefined, report: DeliveryReport, nowMs: number): boolean {
  if (told === undefined || told.revision !== report.revision || told.digest !== digestOf(report)) return true
  return (report.outcome.status === 'verified' && report.outcome.written) || nowMs - told.toldAt >= tellAgainMs
}

/** The number is on disk before it is used: a report that was sent and not remembered is sent again as the same one. */
async function tell({ setup, session, clock }: OpenAgent, memory: Memory, report: DeliveryReport): Promise<void> {
  const { planId, revision } = report
  const sequence = memory[planId]?.sequence ?? 1
  const identity = [session.enrollment.agentId, planId, revision, sequence, setup.layout.configDirectory].join('\n')
  await session.controlPlane.reportDelivery(`fetch.${hash('sha256', identity, 'hex').slice(0, 40)}`, report)
  memory[planId] = { sequence: sequence + 1, revision, digest: digestOf(report), toldAt: clock.nowMs() }
  await writeFileAtomic(setup.state.deliveries, JSON.stringify(memory))
}
