import type { Command } from 'commander'
import type { EngineClient } from '../../shared/contract/index.ts'
import { PushTargets } from '../../shared/contract/runs.ts'
import { AppError } from '../../shared/errors.ts'
import type { WantedRef } from '../../shared/model/repository.ts'
import type { CliContext, Runner } from '../context.ts'
import { parseInput } from '../errors.ts'
import { type ExitCode, exitCodes } from '../exitCodes.ts'
import { collect } from '../input/options.ts'
import { findCommit, type RefOptions, refOf, withRef } from '../input/repositories.ts'
import { type Names, renderPreview, renderReadings, renderTargets } from '../output/repositories.ts'
import { type StartOptions, startRuns, withStarting } from '../startRuns.ts'

interface SyncOptions extends StartOptions {
  readonly plan?: readonly string[]
  readonly node?: readonly string[]
  readonly filter?: string
  readonly force?: boolean
}

interface VerifyOptions {
  readonly plan?: readonly string[]
  readonly commit?: string
}

export function addRepositoryRunCommands(repos: Command, run: Runner): void {
  repos
    .command('status <repository>')
    .description(
      'each node of each plan: the commit it should have, and the one that was read back; 1 when they differ',
    )
    .action((repository: string) => run((context) => status(context, repository)))
  withStarting(
    repos
      .command('sync <repository> [nodes...]')
      .description('fetches, searches for secrets, and brings each node what its plan wants (default: every node)')
      .option('--plan <plan>', 'only this plan; may be repeated', collect)
      .option('--node <node>', 'a node by name or id, as an argument is; may be repeated', collect)
      .option('--filter <filter>', 'the nodes this means')
      .option(
        '--force',
        'resets a working copy, and sends also where sentinel and sample agree; the scan is never left out',
      ),
  ).action((repository: string, nodes: readonly string[], options: SyncOptions) =>
    run((context) => sync(context, repository, nodes, options)),
  )
  repos
    .command('verify <repository> [nodes...]')
    .description('reads the sentinels now; 1 when one of them does not match')
    .option('--plan <plan>', 'only this plan; may be repeated', collect)
    .option('--commit <commit>', 'expect this commit instead of what each plan wants')
    .action((repository: string, nodes: readonly string[], options: VerifyOptions) =>
      run((context) => verify(context, repository, nodes, options)),
    )
  withStarting(
    withRef(
      repos
        .command('deploy <plan>')
        .description('makes a plan want a branch, tag or commit from now on, and brings it'),
    ).option('--default-branch', 'follow the default branch again'),
  ).action((plan: string, options: RefOptions & StartOptions) => run((context) => deploy(context, plan, options)))
  withStarting(
    repos.command('rollback <plan>').description('deploys the commit that most nodes of a plan had before this one'),
  ).action((plan: string, options: StartOptions) =>
    run((context) =>
      startRuns(context, options, (client, idempotencyKey) => client.repositories.rollback({ idempotencyKey, plan })),
    ),
  )
  repos
    .command('preview <plan> <node>')
    .description('what a sync would add, change and delete on a node; changes nothing')
    .action((plan: string, node: string) =>
      run(({ withEngine, output }) =>
        withEngine({ work: true }, async (client) =>
          output.value(await client.repositories.preview({ plan, node }), renderPreview),
        ),
      ),
    )
}

/** Names for people; JSON has the ids. */
async function namesIn(client: EngineClient, { output }: CliContext): Promise<Names> {
  if (output.isJson) return { nodes: [], plans: [] }
  const [nodes, plans] = await Promise.all([client.nodes.list({ filter: '' }), client.plans.list()])
  return { nodes, plans }
}

function status(context: CliContext, repository: string): Promise<ExitCode> {
  return context.withEngine({}, async (client) => {
    const targets = await client.repositories.targets({ repository })
    const names = await namesIn(client, context)
    context.output.value(targets, (value) => renderTargets(value, names))
    return targets.every(({ desired, observed }) => desired !== null && desired === observed)
      ? exitCodes.ok
      : exitCodes.failed
  })
}

function sync(
  context: CliContext,
  repository: string,
  argumentNodes: readonly string[],
  { node = [], filter, plan = [], force = false, ...options }: SyncOptions,
): Promise<ExitCode> {
  const nodes = [...argumentNodes, ...node]
  if (nodes.length > 0 && filter !== undefined)
    throw new AppError('INVALID_INPUT', 'Names and --filter each say which nodes; give one of them.')
  const chosen =
    nodes.length > 0 ? { kind: 'nodes', nodes } : filter === undefined ? { kind: 'all' } : { kind: 'filter', filter }
  const targets = parseInput(PushTargets, chosen, 'The nodes do not read')
  return startRuns(context, options, (client, idempotencyKey) =>
    client.repositories.sync({ idempotencyKey, repository, plans: [...plan], targets, force }),
  )
}

function verify(
  context: CliContext,
  repository: string,
  nodes: readonly string[],
  { plan = [], commit }: VerifyOptions,
): Promise<ExitCode> {
  return context.withEngine({ work: true }, async (client) => {
    const expected = commit === undefined ? {} : { expected: await findCommit(client, repository, commit) }
    const readings = await client.repositories.verify({ repository, plans: [...plan], nodes: [...nodes], ...expected })
    const names = await namesIn(client, context)
    context.output.value(readings, (value) => renderReadings(value, names))
    return readings.every(({ status: each }) => each === 'matches') ? exitCodes.ok : exitCodes.failed
  })
}

function deploy(context: CliContext, plan: string, options: RefOptions & StartOptions): Promise<ExitCode> {
  const given = options.commit !== undefined && !/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i.test(options.commit)
  // What is the beginning of a commit only the engine can tell; everything else is checked before it is asked.
  const ref = given ? null : refOf(options)
  if (ref === null && !given)
    throw new AppError('INVALID_INPUT', 'Say what: --branch NAME, --default-branch, --tag NAME or --commit COMMIT.')
  return startRuns(context, options, async (client, idempotencyKey) =>
    client.repositories.deploy({ idempotencyKey, plan, ref: ref ?? (await begunCommit(client, plan, options)) }),
  )
}

async function begunCommit(client: EngineClient, reference: string, options: RefOptions): Promise<WantedRef> {
  const plan = await client.plans.get({ plan: reference })
  if (plan.kind !== 'repository')
    throw new AppError('INVALID_INPUT', `The plan "${plan.name}" delivers no repository; it is of kind ${plan.kind}.`)
  const { commit = '', ...others } = options
  if (refOf(others) !== null)
    throw new AppError('INVALID_INPUT', 'Give one of --branch, --default-branch, --tag and --commit.')
  return { kind: 'commit', commit: await findCommit(client, plan.spec.repository, commit) }
}
