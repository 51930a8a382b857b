import type { Command } from 'commander'
import { type LogChunk, RunFilter } from '../../shared/contract/runs.ts'
import { BatchId, type RunId } from '../../shared/model/ids.ts'
import { HaltReason, type Run, RunStatus } from '../../shared/model/run.ts'
import type { CliContext, Runner } from '../context.ts'
import { parseInput } from '../errors.ts'
import { type ExitCode, exitCodes } from '../exitCodes.ts'
import { findRunId, type IdBeginning, idBeginning } from '../input/ids.ts'
import { integerBetween, wordOf, wordsOf } from '../input/options.ts'
import { renderRun, renderRuns } from '../output/runs.ts'
import { followLog, logFrom } from '../runLog.ts'

interface ListOptions {
  readonly node?: string
  readonly plan?: string
  readonly batch?: string
  readonly status?: RunStatus[]
  readonly before?: string
  readonly limit: number
}

export function addRunCommands(program: Command, run: Runner): void {
  const runs = program.command('runs').alias('run').description('what was done, on which node, with what outcome')
  runs
    .command('list')
    .description('runs, newest first')
    .option('--node <node>', 'of this node')
    .option('--plan <plan>', 'of this plan')
    .option('--batch <id>', 'of this push')
    .option('--status <status>', `${RunStatus.options.join(', ')}; may be repeated`, wordsOf(RunStatus))
    .option('--before <run>', 'older than this run')
    .option('--limit <n>', 'how many', integerBetween(1, 1000), 50)
    .action((options: ListOptions) => run((context) => list(context, options)))
  runs
    .command('show <run>')
    .description('one run: states, attempts, proof, evidence')
    .action((id: string) =>
      run(({ withEngine, output }) => {
        const beginning = beginningOf(id)
        return withEngine({}, async (client) =>
          output.value(await client.runs.get({ runId: await findRunId(client, beginning) }), renderRun),
        )
      }),
    )
  runs
    .command('log <run>')
    .description('what the programs of a run wrote')
    .option('--follow', 'go on until the run is final')
    .action((id: string, { follow = false }: { readonly follow?: boolean }) =>
      run((context) => log(context, beginningOf(id), follow)),
    )
  runs
    .command('cancel <run>')
    .description('stops a run on both sides and says whether that was proven')
    .action((id: string) => run((context) => cancel(context, beginningOf(id))))
  runs
    .command('approve <run>')
    .description('lifts one safety stop of one run')
    .requiredOption('--reason <reason>', HaltReason.options.join(', '), wordOf(HaltReason))
    .action((id: string, { reason }: { readonly reason: HaltReason }) =>
      run((context) => approve(context, beginningOf(id), reason)),
    )
}

const beginningOf = (text: string): IdBeginning => idBeginning(text, 'run')

async function list({ withEngine, output }: CliContext, options: ListOptions): Promise<void> {
  const { batch, status, before, ...rest } = options
  const filter = parseInput(
    RunFilter,
    {
      ...rest,
      ...(batch === undefined ? {} : { batchId: parseInput(BatchId, batch, '--batch') }),
      ...(status === undefined ? {} : { statuses: status }),
    },
    'The runs cannot be listed',
  )
  const beginning = before === undefined ? null : beginningOf(before)
  await withEngine({}, async (client) => {
    const older = beginning === null ? {} : { before: await findRunId(client, beginning) }
    const page = await client.runs.list({ ...filter, ...older })
    output.value(page, ({ runs }) => renderRuns(runs))
    if (page.next !== null) output.note(`There are older ones: --before ${page.next}`)
  })
}

interface LogText {
  readonly runId: RunId
  readonly text: string
  readonly totalBytes: number
  /** The run is final and this is all of it. */
  readonly complete: boolean
}

async function log({ withEngine, output }: CliContext, beginning: IdBeginning, follow: boolean): Promise<void> {
  await withEngine({}, async (client) => {
    const runId = await findRunId(client, beginning)
    const parts: Buffer[] = []
    let last: LogChunk | null = null
    for await (const chunk of follow ? followLog(client, runId) : logFrom(client, runId, 0)) {
      const bytes = Buffer.from(chunk.base64, 'base64')
      if (output.isJson) parts.push(bytes)
      else output.raw(bytes)
      last = chunk
    }
    const { totalBytes = 0, complete = false } = last ?? {}
    if (output.isJson) {
      output.value<LogText>({ runId, text: Buffer.concat(parts).toString('utf8'), totalBytes, complete }, () => '')
    } else if (follow && !complete) {
      output.note('The run is halted and waits for a person; "lockstep runs show" says why.')
    }
  })
}

async function cancel({ withEngine, output }: CliContext, beginning: IdBeginning): Promise<ExitCode> {
  const ended = await withEngine({}, async (client) =>
    client.runs.cancel({ runId: await findRunId(client, beginning) }),
  )
  output.value(ended, renderRun)
  if (ended.cancellation === null) output.note(`There was nothing to cancel: the run had ${ended.status}.`)
  return ended.cancellation?.stopConfirmed === false ? exitCodes.failed : exitCodes.ok
}

async function approve({ withEngine, output }: CliContext, beginning: IdBeginning, reason: HaltReason): Promise<void> {
  await withEngine({}, async (client, { owner }) => {
    const runId = await findRunId(client, beginning)
    const approved: Run = await client.runs.approve({ runId, reason })
    output.value(approved, renderRun)
    if (owner === 'embedded')
      output.note('Nobody works on runs now: it goes on when an engine serves this home (lockstep serve).')
  })
}
