import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import type { EngineConnection } from '../daemon/connect.ts'
import type { EngineClient } from '../shared/contract/index.ts'
import { AppError } from '../shared/errors.ts'
import { type BatchId, IdempotencyKey } from '../shared/model/ids.ts'
import type { Run } from '../shared/model/run.ts'
import type { CliContext } from './context.ts'
import { parseInput, toCallError } from './errors.ts'
import { type ExitCode, exitCodes } from './exitCodes.ts'
import { secondsAtLeast } from './input/options.ts'
import { printableLine } from './output/printable.ts'
import { outcomeOf } from './output/runs.ts'
import { paintRunStatus } from './output/style.ts'
import { plural } from './output/words.ts'
import { waitForRuns } from './waitForRuns.ts'

export interface StartOptions {
  readonly wait?: boolean
  readonly idempotencyKey?: string
  readonly timeoutSeconds?: number
}

/** The options of every command that begins runs. */
export const withStarting = (command: Command): Command =>
  command
    .option('--wait', 'until every run is final, or halted')
    .option('--idempotency-key <key>', 'the same key gives the same runs, however often it is sent')
    .option('--timeout-seconds <n>', 'give up waiting after this long; the runs go on', secondsAtLeast(1))

interface Started {
  readonly batchId: BatchId
  readonly runs: readonly Run[]
}

/** Begins runs under a key. Asked again with the same key after a lost connection, it has to give the same runs. */
type Begin<Answer extends Started> = (client: EngineClient, key: IdempotencyKey) => Promise<Answer>

interface Start<Answer extends Started> {
  readonly context: CliContext
  readonly key: IdempotencyKey
  readonly begin: Begin<Answer>
  readonly wait: boolean
  /** Aborts at an interruption, or when waiting has taken too long. */
  readonly signal: AbortSignal
}

type Result<Answer extends Started> = Answer & { readonly idempotencyKey: IdempotencyKey }

/**
 * Begins runs and, where asked or where no engine lasts, waits for their end.
 *
 * @throws AppError as the contract says; a run that fails is an exit code
 */
export async function startRuns<Answer extends Started>(
  context: CliContext,
  options: StartOptions,
  begin: Begin<Answer>,
): Promise<ExitCode> {
  const key = parseInput(IdempotencyKey, options.idempotencyKey ?? `cli.${randomUUID()}`, '--idempotency-key')
  if (options.idempotencyKey === undefined) context.output.note(`Idempotency key ${key}`)
  const signals = [context.signal]
  // commander has turned the seconds into milliseconds.
  if (options.timeoutSeconds !== undefined) signals.push(AbortSignal.timeout(options.timeoutSeconds))
  return withReconnect({ context, key, begin, wait: options.wait ?? false, signal: AbortSignal.any(signals) })
}

const reconnectForMs = 30_000
const pauseMs = 250

/** The key makes asking again safe: the same runs are found, wherever they are by then (S0.88). */
async function withReconnect<Answer extends Started>(start: Start<Answer>): Promise<ExitCode> {
  const { context, signal } = start
  let lostAt: number | null = null
  let whenUnowned: 'embed' | 'fail' = 'embed'
  // A control plane elsewhere that answered once comes back; one that never did is a mistake in the command.
  const wasThere = ({ code, retry }: AppError): boolean =>
    whenUnowned === 'fail' && code === 'CONTROL_PLANE_UNREACHABLE' && retry !== undefined
  for (;;) {
    try {
      const connection = await context.connect({ work: true, whenUnowned })
      const isLasting = await lasts(connection)
      // A daemon that went away comes back, or somebody has stopped it: that is not ours to replace.
      if (isLasting) whenUnowned = 'fail'
      return await startOnce(start, connection, isLasting)
    } catch (thrown) {
      const error = toCallError(thrown)
      lostAt ??= performance.now()
      const mayComeBack =
        (error.code === 'ENGINE_UNAVAILABLE' || wasThere(error)) && performance.now() < lostAt + reconnectForMs
      if (!mayComeBack || !start.wait || signal.aborted) throw withKey(error, start.key)
      await sleep(pauseMs)
    }
  }
}

/** False for an engine that lives as long as a command: ours, or another one's. */
async function lasts({ client, owner }: EngineConnection): Promise<boolean> {
  return owner === 'daemon' && (await client.system.status()).host !== 'cli'
}

const withKey = (error: AppError, key: IdempotencyKey): AppError =>
  new AppError(error.code, error.message, {
    data: { ...error.data, idempotencyKey: key },
    cause: error,
    ...(error.retry === undefined ? {} : { retry: error.retry }),
  })

async function startOnce<Answer extends Started>(
  { context, key, begin, wait, signal }: Start<Answer>,
  connection: EngineConnection,
  isLasting: boolean,
): Promise<ExitCode> {
  const { client, owner } = connection
  const { output } = context
  try {
    // A vault that stays shut fails every run later; say so before any is registered.
    if (owner === 'embedded') await client.certificates.exportAuthority({ kind: 'ssh-user' })
    const answer = await untilAborted(begin(client, key), signal)
    const { batchId, runs } = answer
    const result: Result<Answer> = { ...answer, idempotencyKey: key }
    if (runs.length === 0) return finish(context, result)
    if (!wait && isLasting) {
      output.value(result, () => `${plural(runs.length, 'run')} registered: lockstep runs list --batch ${batchId}\n`)
      return exitCodes.ok
    }
    if (!wait) output.note('No engine serves this home, so this command does the work itself and waits for the end.')
    const settled = await untilSettled({ context, signal, isLasting }, connection, result)
    return finish(context, { ...result, runs: settled })
  } finally {
    await connection.close()
  }
}

async function untilSettled(
  {
    context,
    signal,
    isLasting,
  }: { readonly context: CliContext; readonly signal: AbortSignal; readonly isLasting: boolean },
  { client }: EngineConnection,
  { batchId, runs }: Started,
): Promise<Run[]> {
  const onSettled = (run: Run): void => {
    if (!context.output.isJson) context.output.raw(settledLine(run))
  }
  try {
    return await untilAborted(waitForRuns(client, { batchId, runs, signal, onSettled }), signal)
  } catch (thrown) {
    if (!signal.aborted) throw thrown
    const after = isLasting
      ? `The runs go on: lockstep runs list --batch ${batchId}`
      : 'The runs are interrupted; they go on under their ids when an engine serves this home (lockstep serve).'
    const interrupted = context.signal.aborted
    throw new AppError(interrupted ? 'CANCELED' : 'TIMED_OUT', `Stopped waiting. ${after}`, { data: { batchId } })
  }
}

/** Rejects with the signal's reason at once; what comes of `work` then is of no interest. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>()
  const abort = (): void => aborted.reject(signal.reason)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function settledLine(run: Run): string {
  const status = paintRunStatus(run.status)(run.status)
  return `${printableLine(run.nodeName)}  ${printableLine(run.planName)}  ${status}  ${printableLine(outcomeOf(run))}\n`
}

function finish({ output }: CliContext, result: Started): ExitCode {
  const { runs } = result
  const count = (status: Run['status']): number => runs.filter((run) => run.status === status).length
  const halted = count('halted')
  const bad = runs.length - count('succeeded') - halted
  output.value(result, () =>
    runs.length === 0
      ? 'No plan reaches any of these nodes; there is nothing to do.\n'
      : `${count('succeeded')} of ${plural(runs.length, 'run')} succeeded${bad > 0 ? `, ${bad} did not` : ''}${halted > 0 ? `, ${halted} halted and waiting for you` : ''}.\n`,
  )
  if (bad > 0) return exitCodes.failed
  return halted > 0 ? exitCodes.halted : exitCodes.ok
}
