import { createHash } from 'node:crypto'
import type { SshPool } from '../../src/engine/ports.ts'
import type { ExpressStep, PlanExecutor, StepContext } from '../../src/engine/runs/executor.ts'
import type { PlanOf } from '../../src/shared/model/plan.ts'

export type NoteContext = StepContext<PlanOf<'hosts'>>

export interface NoteOptions {
  readonly pool: SshPool
  /** Called where a real executor would send its orders, before anything is sent. */
  readonly beforeSending?: (context: NoteContext) => Promise<void> | void
  /** Changes what the round trip answers. */
  readonly answer?: (steps: readonly ExpressStep[], context: NoteContext) => readonly ExpressStep[]
  readonly onStop?: () => void
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const noteOf = ({ plan }: Pick<NoteContext, 'plan'>): string => `revision ${plan.revision}\n`

/**
 * Delivers a line to a file of the node and reads it back, in one command over SSH: the least that is a whole delivery.
 * For what is tested about runs of one round trip, whatever is delivered.
 */
export function noteExecutor(options: NoteOptions): PlanExecutor<null, PlanOf<'hosts'>> {
  const deliver = async (context: NoteContext): Promise<ExpressStep[]> => {
    const { node, plan, run, signal } = context
    await options.beforeSending?.(context)
    const file = plan.spec.file
    const command = `printf '%s' ${quote(noteOf(context))} > ${quote(file)}.$$ && mv ${quote(file)}.$$ ${quote(file)} && sha256sum < ${quote(file)}`
    const result = await options.pool.exec(node, command, { timeoutMs: 10_000, signal })
    const digest = Buffer.from(result.stdout).toString('utf8').slice(0, 64)
    context.log(`read back ${digest}`)
    if (digest !== sha256(noteOf(context))) throw new Error(`not what was sent: ${Buffer.from(result.stderr)}`)
    return [
      { state: 'PRE_FLIGHT_CHECK', outcome: { kind: 'done' } },
      {
        state: 'PUSH_SYNC',
        outcome: {
          kind: 'done',
          patch: {
            summary: {
              filesTotal: 1,
              filesTransferred: 1,
              filesDeleted: 0,
              bytesTotal: noteOf(context).length,
              bytesTransferred: noteOf(context).length,
              durationMs: 0,
            },
          },
        },
      },
      { state: 'PULL_SYNC', outcome: { kind: 'skipped' } },
      {
        state: 'VERIFY',
        outcome: {
          kind: 'done',
          patch: {
            proof: {
              digest,
              filesVerified: 1,
              verify: { mode: 'hosts', entries: 0 },
              verifiedAt: Date.now(),
              certificateSerial: run.certificateSerial,
            },
          },
        },
      },
    ]
  }
  const one = async (context: NoteContext, state: ExpressStep['state']) =>
    (await deliver(context)).find((step) => step.state === state)?.outcome ?? { kind: 'done' as const }
  return {
    createMemory: () => null,
    lockTargets: async (plan) => [{ where: 'node', directory: plan.spec.file }],
    express: async (context) => {
      const steps = await deliver(context)
      return options.answer?.(steps, context) ?? steps
    },
    preflight: async () => ({ kind: 'done' }),
    push: (context) => one(context, 'PUSH_SYNC'),
    pull: async () => ({ kind: 'skipped' }),
    verify: (context) => one(context, 'VERIFY'),
    cleanUp: async () => undefined,
    stop: async () => {
      options.onStop?.()
      return null
    },
  }
}

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
