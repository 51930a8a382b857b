import type { Command } from 'commander'
import { AppError } from '../../shared/errors.ts'
import type { RegistryKind } from '../../shared/model/registry.ts'
import type { CliContext, Runner } from '../context.ts'
import { exitCodes } from '../exitCodes.ts'
import { integerBetween } from '../input/options.ts'
import { formatWord, passphraseIn, registryHelp, registryWord, type TextFormat } from '../input/registry.ts'
import { renderChanges, renderEffects, renderHistory } from '../output/registry.ts'
import { addRegistrySaveCommands } from './registrySave.ts'
import { addSourceCommands } from './registrySources.ts'

const anyNumber = integerBetween(1, 1_000_000_000)

/** `lockstep registry …` */
export function addRegistryCommands(program: Command, run: Runner): void {
  const registry = program.command('registry').description('services and nodes: revisions, sources, import and export')
  registry
    .command('get')
    .argument('<registry>', registryHelp, registryWord)
    .description('the newest revision, or an older one, as its sources write it')
    .option('--number <number>', 'an older revision', anyNumber)
    .option('--format <format>', 'json or yaml', formatWord, 'json')
    .action((kind: RegistryKind, options: GetOptions) => run((context) => get(context, kind, options)))
  registry
    .command('history')
    .argument('<registry>', registryHelp, registryWord)
    .description('its revisions, newest first')
    .option('--limit <count>', 'how many', integerBetween(1, 500), 20)
    .option('--before <number>', 'only revisions before this one', anyNumber)
    .action((kind: RegistryKind, query: { readonly limit: number; readonly before?: number }) =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) =>
          output.value(await client.registry.history({ registry: kind, ...query }), renderHistory),
        ),
      ),
    )
  registry
    .command('diff')
    .argument('<registry>', registryHelp, registryWord)
    .argument('[from]', 'a revision; 0 for nothing', integerBetween(0, 1_000_000_000))
    .argument('[to]', 'another one', anyNumber)
    .description('what one revision has that another has not (the last two), and what nodes get of it')
    .action((kind: RegistryKind, from: number | undefined, to: number | undefined) =>
      run((context) => diff(context, kind, { from, to })),
    )
  registry
    .command('export')
    .argument('<registry>', registryHelp, registryWord)
    .description('for use elsewhere; sensitive values are sealed with a passphrase, or left out')
    .option('--format <format>', 'json or yaml', formatWord, 'json')
    .option('--seal-with <file>', 'the file that holds the passphrase')
    .action((kind: RegistryKind, options: ExportOptions) => run((context) => exportIt(context, kind, options)))
  addRegistrySaveCommands(registry, run)
  addSourceCommands(registry, run)
}

const noRevisionYet = (registry: RegistryKind): string =>
  `There is no revision of ${registry} yet. Make one with: lockstep registry apply ${registry} FILE`

interface GetOptions {
  readonly number?: number
  readonly format: TextFormat
}

async function get({ withEngine, output }: CliContext, registry: RegistryKind, options: GetOptions): Promise<void> {
  const found = await withEngine({}, (client) => client.registry.get({ registry, ...options }))
  if (found === null) throw new AppError('NOT_FOUND', noRevisionYet(registry))
  if (output.isJson) return output.value(found, () => '')
  output.raw(found.text)
}

interface DiffNumbers {
  readonly from: number | undefined
  readonly to: number | undefined
}

async function diff({ withEngine, output }: CliContext, registry: RegistryKind, numbers: DiffNumbers): Promise<void> {
  await withEngine({}, async (client) => {
    const newest = (await client.registry.history({ registry, limit: 1 }))[0]?.number
    if (newest === undefined) throw new AppError('NOT_FOUND', noRevisionYet(registry))
    const { from, to } = numbers
    const range = to === undefined ? { from: from ?? newest - 1, to: newest } : { from: from ?? newest - 1, to }
    output.value({ registry, ...range, ...(await client.registry.compare({ registry, ...range })) }, (found) => {
      const head = `revision ${range.from} -> ${range.to}\n`
      return (
        head +
        (found.changes.length === 0 ? 'Nothing differs.\n' : renderChanges(found.changes)) +
        renderEffects(found.effects)
      )
    })
  })
}

interface ExportOptions {
  readonly format: TextFormat
  readonly sealWith?: string
}

async function exportIt(context: CliContext, registry: RegistryKind, { format, sealWith }: ExportOptions) {
  const { withEngine, output } = context
  const passphrase = sealWith === undefined ? undefined : await passphraseIn(sealWith)
  const order = { registry, format, ...(passphrase === undefined ? {} : { passphrase }) }
  const exported = await withEngine({}, (client) => client.registry.export(order))
  if (output.isJson) output.value(exported, () => '')
  else output.raw(exported.text)
  if (exported.leftOut > 0)
    output.note(`${exported.leftOut} sensitive value(s) are left out; --seal-with FILE takes them along.`)
  return exitCodes.ok
}
