import { randomUUID } from 'node:crypto'
import { type Command, InvalidArgumentError } from 'commander'
import type { EngineConnection } from '../../daemon/connect.ts'
import { PushTargets } from '../../shared/contract/runs.ts'
import { AppError } from '../../shared/errors.ts'
import { IdempotencyKey, type RolloutId } from '../../shared/model/ids.ts'
import { Portion, type Rollout, RolloutSettings } from '../../shared/model/rollout.ts'
import type { CliContext, Runner } from '../context.ts'
import { parseInput } from '../errors.ts'
import { type ExitCode, exitCodes } from '../exitCodes.ts'
import { findRolloutId, type IdBeginning, idBeginning } from '../input/ids.ts'
import { collect, integerBetween, secondsAtLeast } from '../input/options.ts'
import { countWords, renderRollout, renderRollouts, renderSettings } from '../output/rollouts.ts'
import { isAtRest, waitForRollout } from '../waitForRollout.ts'

/** Undefined: not said. In an object, because commander takes null for no argument. */
interface SettingOptions {
  readonly canary?: { readonly value: Portion | null }
  readonly maxParallel?: { readonly value: number | null }
  readonly failureLimit?: { readonly value: Portion | null }
}

interface WaitOptions {
  readonly wait?: boolean
  readonly timeoutSeconds?: number
  readonly idempotencyKey?: string
}

interface StartOptions extends SettingOptions, WaitOptions {
  readonly plan?: readonly string[]
  readonly filter?: string
  readonly all?: boolean
}

export function addRolloutCommands(program: Command, run: Runner): void {
  const rollouts = program
    .command('rollouts')
    .alias('rollout')
    .description('changes on their way through the fleet, canaries first')
  rollouts
    .command('list')
    .description('rollouts, newest first')
    .option('--before <rollout>', 'older than this one')
    .option('--limit <n>', 'how many', integerBetween(1, 500), 50)
    .action((options: { readonly before?: string; readonly limit: number }) => run((context) => list(context, options)))
  rollouts
    .command('show <rollout>')
    .description('one rollout: nodes by states')
    .action((id: string) => run((context) => show(context, beginningOf(id))))
  const start = rollouts
    .command('start [nodes...]')
    .description('brings plans to nodes, in waves; without --plan all of kind routes and hosts')
    .option('--plan <plan>', 'this plan; may be repeated', collect)
    .option('--filter <filter>', 'the nodes this means, e.g. kind:vps')
    .option('--all', 'every node')
  withWaiting(withSettings(start)).action((nodes: readonly string[], options: StartOptions) =>
    run((context) => begin(context, nodes, options)),
  )
  addWishes(rollouts, run)
  withSettings(
    rollouts.command('settings').description('how changes of the registry go out; options change it'),
  ).action((options: SettingOptions) => run((context) => settings(context, options)))
}

function addWishes(rollouts: Command, run: Runner): void {
  rollouts
    .command('pause <rollout>')
    .description('starts nothing more; what is worked on is let finish')
    .action((id: string) =>
      run((context) => wish(context, id, (client, found) => client.rollouts.pause({ id: found }))),
    )
  withWaiting(
    rollouts.command('resume <rollout>').description('goes on after a pause, or in spite of failures'),
  ).action((id: string, options: WaitOptions) =>
    run((context) => leadOne(context, { id, options }, (client, found) => client.rollouts.resume({ id: found }))),
  )
  rollouts
    .command('abort <rollout>')
    .description('starts nothing more, and cancels what is worked on')
    .action((id: string) =>
      run((context) => wish(context, id, (client, found) => client.rollouts.abort({ id: found }))),
    )
  withWaiting(
    rollouts.command('retry-failed <rollout>').description('a new rollout to the nodes where this one failed'),
  ).action((id: string, options: WaitOptions) =>
    run((context) =>
      leadOne(context, { id, options }, (client, found) =>
        client.rollouts.retryFailed({ id: found, idempotencyKey: keyOf(options) }),
      ),
    ),
  )
}

const withSettings = (command: Command): Command =>
  command
    .option('--canary <share>', 'how many go first: a number, a share such as 5%, or none', portion)
    .option('--max-parallel <n>', 'nodes worked on at once, or auto for as many as this machine carries', limit)
    .option('--failure-limit <share>', 'so many failed nodes of a wave stop it: 3, 25% or none', portion)

const withWaiting = (command: Command): Command =>
  command
    .option('--wait', 'until it is over, or waits for a person')
    .option('--idempotency-key <key>', 'the same key gives the same rollout, however often it is sent')
    .option('--timeout-seconds <n>', 'give up waiting after this long; the rollout goes on', secondsAtLeast(1))

function portion(text: string): { readonly value: Portion | null } {
  if (text === 'none') return { value: null }
  const [, number = '', percent] = /^(\d{1,6}(?:\.\d{1,2})?)(%)?$/.exec(text) ?? []
  const parsed = Portion.safeParse(
    percent === undefined ? { kind: 'count', count: Number(number) } : { kind: 'percent', percent: Number(number) },
  )
  if (number !== '' && parsed.success) return { value: parsed.data }
  throw new InvalidArgumentError('Use a number of nodes, a share such as 10%, or none.')
}

const limit = (text: string): { readonly value: number | null } => ({
  value: text === 'auto' || text === 'none' ? null : integerBetween(1, 10_000)(text),
})

const beginningOf = (text: string): IdBeginning => idBeginning(text, 'rollout')

const keyOf = ({ idempotencyKey }: WaitOptions): IdempotencyKey =>
  parseInput(IdempotencyKey, idempotencyKey ?? `cli.${randomUUID()}`, '--idempotency-key')

function given({ canary, maxParallel, failureLimit }: SettingOptions): Partial<RolloutSettings> {
  return {
    ...(canary === undefined ? {} : { canary: canary.value }),
    ...(maxParallel === undefined ? {} : { maxParallel: maxParallel.value }),
    ...(failureLimit === undefined ? {} : { failureLimit: failureLimit.value }),
  }
}

async function list(
  { withEngine, output }: CliContext,
  { before, limit: most }: { readonly before?: string; readonly limit: number },
): Promise<void> {
  const beginning = before === undefined ? null : beginningOf(before)
  await withEngine({}, async (client) => {
    const older = beginning === null ? {} : { before: await findRolloutId(client, beginning) }
    output.value(await client.rollouts.list({ limit: most, ...older }), renderRollouts)
  })
}

async function show({ withEngine, output }: CliContext, beginning: IdBeginning): Promise<void> {
  await withEngine({}, async (client) => {
    const id = await findRolloutId(client, beginning)
    const [detail, nodes] = await Promise.all([client.rollouts.get({ id }), client.nodes.list({ filter: '' })])
    const names = new Map(nodes.map((node) => [node.id, node.name]))
    output.value(detail, ({ rollout, runs }) => renderRollout({ rollout, runs, names }))
  })
}

async function begin(context: CliContext, nodes: readonly string[], options: StartOptions): Promise<ExitCode> {
  const targets = targetsOf(nodes, options)
  const key = keyOf(options)
  if (options.idempotencyKey === undefined) context.output.note(`Idempotency key ${key}`)
  return lead(context, options, async (client) => {
    const usual = await client.rollouts.settings()
    return client.rollouts.start({
      idempotencyKey: key,
      plans: [...(options.plan ?? [])],
      targets,
      settings: { ...usual, ...given(options) },
    })
  })
}

function targetsOf(nodes: readonly string[], { filter, all = false }: StartOptions): PushTargets {
  const chosen: PushTargets[] = []
  if (nodes.length > 0) chosen.push({ kind: 'nodes', nodes: [...nodes] })
  if (filter !== undefined) chosen.push({ kind: 'filter', filter })
  if (all) chosen.push({ kind: 'all' })
  const [targets] = chosen
  if (targets !== undefined && chosen.length === 1) return parseInput(PushTargets, targets, 'The nodes do not read')
  throw new AppError(
    'INVALID_INPUT',
    targets === undefined
      ? 'Say which nodes: name them, or give --filter FILTER, or --all.'
      : 'Names, --filter and --all each say which nodes; give one of them.',
  )
}

type Asked = (client: EngineConnection['client']) => Promise<Rollout>
type AskedOfOne = (client: EngineConnection['client'], id: RolloutId) => Promise<Rollout>

/** Something that makes a rollout go on: this command may wait for its end. */
function lead(context: CliContext, options: WaitOptions, ask: Asked): Promise<ExitCode> {
  const { output } = context
  return context.withEngine({ work: true }, async (client, { owner }) => {
    const rollout = await ask(client)
    const alone = owner === 'embedded'
    if (options.wait !== true && !alone) {
      output.value(rollout, () => `${countWords(rollout)}: lockstep rollouts show ${rollout.id}\n`)
      return exitCodes.ok
    }
    if (alone && options.wait !== true)
      output.note('No engine serves this home, so this command does the work itself and waits for the end.')
    const ended = await untilAtRest(context, options, { client, rollout })
    output.value(ended, () => `${ended.status}: ${countWords(ended)}\n`)
    return exitCodeOf(ended)
  })
}

async function untilAtRest(
  context: CliContext,
  { timeoutSeconds }: WaitOptions,
  { client, rollout }: { readonly client: EngineConnection['client']; readonly rollout: Rollout },
): Promise<Rollout> {
  // commander has turned the seconds into milliseconds.
  const signals = [context.signal, ...(timeoutSeconds === undefined ? [] : [AbortSignal.timeout(timeoutSeconds)])]
  const signal = AbortSignal.any(signals)
  let shown = ''
  const onChange = (current: Rollout): void => {
    const words = `${current.status}: ${countWords(current)}`
    if (words !== shown && !isAtRest(current)) context.output.note(words)
    shown = words
  }
  const aborted = Promise.withResolvers<never>()
  const abort = (): void => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([waitForRollout(client, rollout.id, { signal, onChange }), aborted.promise])
  } catch (thrown) {
    if (!signal.aborted) throw thrown
    const message = `Stopped waiting. The rollout goes on: lockstep rollouts show ${rollout.id}`
    throw new AppError(context.signal.aborted ? 'CANCELED' : 'TIMED_OUT', message, { data: { rolloutId: rollout.id } })
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** Like that of a push: 0 only if every node was verified. */
function exitCodeOf({ status, counts, nodes }: Rollout): ExitCode {
  if (status === 'paused' || status === 'stopped') return exitCodes.halted
  return status === 'finished' && counts.succeeded === nodes.length ? exitCodes.ok : exitCodes.failed
}

/** The same with a rollout that there is already. */
function leadOne(
  context: CliContext,
  { id, options }: { readonly id: string; readonly options: WaitOptions },
  ask: AskedOfOne,
): Promise<ExitCode> {
  const beginning = beginningOf(id)
  return lead(context, options, async (client) => ask(client, await findRolloutId(client, beginning)))
}

async function wish({ withEngine, output }: CliContext, id: string, ask: AskedOfOne): Promise<void> {
  const beginning = beginningOf(id)
  await withEngine({}, async (client) =>
    output.value(
      await ask(client, await findRolloutId(client, beginning)),
      (rollout) => `${rollout.status}: ${countWords(rollout)}\n`,
    ),
  )
}

async function settings({ withEngine, output }: CliContext, options: SettingOptions): Promise<void> {
  const changes = given(options)
  await withEngine({}, async (client) => {
    const before = await client.rollouts.settings()
    const changed = Object.keys(changes).length > 0
    const after = changed
      ? await client.rollouts.setSettings(parseInput(RolloutSettings, { ...before, ...changes }, 'The settings'))
      : before
    output.value(after, renderSettings)
  })
}
