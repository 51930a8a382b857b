import type { Command } from 'commander'
import type { EngineClient } from '../../shared/contract/index.ts'
import type { RegistryCheck, RegistrySave } from '../../shared/contract/registry.ts'
import { AppError } from '../../shared/errors.ts'
import type { RegistryKind } from '../../shared/model/registry.ts'
import type { CliContext, Runner } from '../context.ts'
import { type ExitCode, exitCodes } from '../exitCodes.ts'
import { integerBetween } from '../input/options.ts'
import { readText } from '../input/readText.ts'
import { passphraseIn, registryHelp, registryWord } from '../input/registry.ts'
import { renderCheck, renderConflicts, renderProblems, renderSave } from '../output/registry.ts'

interface SaveOptions {
  readonly base?: number
  readonly comment?: string
  readonly yes?: boolean
  readonly openWith?: string
}

const withSaving = (command: Command): Command =>
  command
    .argument('<registry>', registryHelp, registryWord)
    .argument('<file>', 'JSON or YAML; - is standard input')
    .option(
      '--base <number>',
      'the revision the text began with (default: the newest)',
      integerBetween(0, 1_000_000_000),
    )
    .option('--comment <text>', 'why, for those who read the history')
    .option('--yes', 'save without asking')

export function addRegistrySaveCommands(registry: Command, run: Runner): void {
  registry
    .command('check')
    .argument('<registry>', registryHelp, registryWord)
    .argument('<file>', 'JSON or YAML; - is standard input')
    .description('reads a text as apply would, and says what it would do; 2 when it does not read')
    .action((kind: RegistryKind, file: string) => run((context) => check(context, kind, file)))
  withSaving(registry.command('apply').description('saves a text as the next revision')).action(
    (kind: RegistryKind, file: string, options: SaveOptions) =>
      run((context) => save(context, { registry: kind, file, ...options })),
  )
  withSaving(registry.command('import').description('saves a text that was exported elsewhere'))
    .option('--open-with <file>', 'the file that holds the passphrase its sensitive values are sealed with')
    .action((kind: RegistryKind, file: string, options: SaveOptions) =>
      run((context) => save(context, { registry: kind, file, isImport: true, ...options })),
    )
  registry
    .command('return')
    .argument('<registry>', registryHelp, registryWord)
    .argument('<number>', 'the revision whose content is wanted again', integerBetween(1, 1_000_000_000))
    .description('the content of an older revision, as a new one')
    .option('--comment <text>', 'why, for those who read the history')
    .action((kind: RegistryKind, toNumber: number, { comment = '' }: { readonly comment?: string }) =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) => {
          const revision = await client.registry.return({ registry: kind, toNumber, comment })
          output.value(revision, () => renderSave({ status: 'saved', revision }))
        }),
      ),
    )
}

async function check({ withEngine, output }: CliContext, registry: RegistryKind, file: string): Promise<ExitCode> {
  const text = await readText(file, 'The registry')
  const found = await withEngine({}, (client) => client.registry.check({ registry, text }))
  output.value(found, renderCheck)
  return found.status === 'valid' ? exitCodes.ok : exitCodes.usage
}

interface SaveRequest extends SaveOptions {
  readonly registry: RegistryKind
  readonly file: string
  readonly isImport?: boolean
}

/** Shows what it would do before it asks; a sealed text is only understood by the import itself. */
async function save(context: CliContext, request: SaveRequest): Promise<ExitCode> {
  const { registry, file, comment = '', openWith } = request
  const text = await readText(file, 'The registry')
  const passphrase = openWith === undefined ? undefined : await passphraseIn(openWith)
  return context.withEngine({}, async (client) => {
    const baseNumber = request.base ?? (await client.registry.history({ registry, limit: 1 }))[0]?.number ?? 0
    if (passphrase === undefined) await preview(context, await client.registry.check({ registry, text }))
    if (request.yes !== true) await confirmed(context, registry)
    const order = { registry, text, baseNumber, comment }
    return show(context, await saved(client, { order, passphrase, isImport: request.isImport === true }))
  })
}

interface SaveCall {
  readonly order: Parameters<EngineClient['registry']['save']>[0]
  readonly passphrase: string | undefined
  readonly isImport: boolean
}

function saved(client: EngineClient, { order, passphrase, isImport }: SaveCall): Promise<RegistrySave> {
  if (!isImport) return client.registry.save(order)
  return client.registry.import(passphrase === undefined ? order : { ...order, passphrase })
}

async function preview({ output }: CliContext, check: RegistryCheck): Promise<void> {
  if (check.status === 'valid') return output.note(renderCheck(check).trimEnd())
  const { problems } = check
  throw new AppError('REGISTRY_INVALID', `The text cannot be saved.\n${renderProblems(problems).trimEnd()}`, {
    data: { problems },
  })
}

/** A script that gives no terminal has decided already; a person at one is asked. */
async function confirmed({ confirm, output }: CliContext, registry: RegistryKind): Promise<void> {
  if (confirm === null || output.isJson) return
  if (!(await confirm(`Save this as the next revision of ${registry}?`)))
    throw new AppError('CANCELED', 'Nothing was saved.')
}

function show({ output }: CliContext, save: RegistrySave): ExitCode {
  if (save.status !== 'conflict') {
    output.value(save, renderSave)
    return exitCodes.ok
  }
  const { number, author } = save.current
  output.note(
    `Revision ${number} was saved by ${author} meanwhile; nothing was saved now. Both together are on standard output:`,
  )
  output.note(`look at it, then save it with --base ${number}. ${save.conflicts.length} clash(es), where theirs stays.`)
  output.note(renderConflicts(save.conflicts).trimEnd())
  output.value(save, ({ merged }) => merged)
  return exitCodes.refused
}
