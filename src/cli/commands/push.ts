import type { Command } from 'commander'
import { PushTargets } from '../../shared/contract/runs.ts'
import { AppError } from '../../shared/errors.ts'
import type { CliContext, Runner } from '../context.ts'
import { parseInput } from '../errors.ts'
import type { ExitCode } from '../exitCodes.ts'
import { collect } from '../input/options.ts'
import { type StartOptions, startRuns, withStarting } from '../startRuns.ts'

interface PushOptions extends StartOptions {
  readonly plan?: readonly string[]
  readonly node?: readonly string[]
  readonly filter?: string
  readonly all?: boolean
}

export function addPushCommand(program: Command, run: Runner): void {
  const command = program
    .command('push [nodes...]')
    .description('delivers plans to nodes and reads back what arrived')
    .option('--plan <plan>', 'only this plan; may be repeated (default: every plan that selects the node)', collect)
    .option('--node <node>', 'a node by name or id, as an argument is; may be repeated', collect)
    .option('--filter <filter>', 'the nodes this means, e.g. kind:vps and not label.stage:test')
    .option('--all', 'every node')
  withStarting(command).action((nodes: readonly string[], options: PushOptions) =>
    run((context) => push(context, nodes, options)),
  )
}

/** Exactly one way to say which nodes. @throws AppError INVALID_INPUT */
function targetsOf(argumentNodes: readonly string[], { node = [], filter, all = false }: PushOptions): PushTargets {
  const nodes = [...argumentNodes, ...node]
  const chosen: PushTargets[] = [
    ...(nodes.length > 0 ? [{ kind: 'nodes', nodes } as const] : []),
    ...(filter !== undefined ? [{ kind: 'filter', filter } as const] : []),
    ...(all ? [{ kind: 'all' } as const] : []),
  ]
  const [targets] = chosen
  if (targets !== undefined && chosen.length === 1) return parseInput(PushTargets, targets, 'The nodes do not read')
  throw new AppError(
    'INVALID_INPUT',
    targets === undefined
      ? 'Say which nodes: name them, or give --filter FILTER, or --all.'
      : 'Names, --filter and --all each say which nodes; give one of them.',
  )
}

/** @throws AppError as the contract says; a run that fails is an exit code */
export async function push(context: CliContext, nodes: readonly string[], options: PushOptions): Promise<ExitCode> {
  const targets = targetsOf(nodes, options)
  const plans = [...(options.plan ?? [])]
  return startRuns(context, options, (client, idempotencyKey) => client.runs.push({ idempotencyKey, plans, targets }))
}
