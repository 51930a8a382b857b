import type { Command } from 'commander'
import { parsePublicKeyLine } from '../../platform/openssh/publicKey.ts'
import { AppError } from '../../shared/errors.ts'
import { StorageSettings } from '../../shared/model/storage.ts'
import type { CliContext, Runner } from '../context.ts'
import { parseInput } from '../errors.ts'
import { type ExitCode, exitCodes } from '../exitCodes.ts'
import { collect } from '../input/options.ts'
import { readText } from '../input/readText.ts'
import { renderNode } from '../output/nodes.ts'
import { renderStoragePreview } from '../output/trust.ts'

interface StorageOptions {
  readonly user?: string
  readonly principal?: readonly string[]
  readonly console?: string
  readonly secondAuthority?: string
  readonly yes?: boolean
}

const withSettings = (command: Command): Command =>
  command
    .option('--user <user>', 'who agents log in as (default: sync)')
    .option(
      '--principal <name>',
      'principal that may log in as that user; may be repeated (default: sync-agent)',
      collect,
    )
    .option('--console <note>', 'the way in when every certificate has expired: how you reach its console')
    .option('--second-authority <file>', 'or: public key of a second authority, kept offline')

/** `lockstep storage …` */
export function addStorageCommands(program: Command, run: Runner): void {
  const storage = program.command('storage').description('nodes that let in nobody but holders of our certificates')
  withSettings(
    storage.command('preview <node>').description('what would change on the node; 1 when something is in the way'),
  ).action((node: string, options: StorageOptions) => run((context) => preview(context, node, options)))
  withSettings(storage.command('apply <node>').description('makes the node a storage, proven by a fresh login'))
    .option('--yes', 'do it without asking')
    .action((node: string, options: StorageOptions) => run((context) => apply(context, node, options)))
  storage
    .command('undo <node>')
    .description('puts back what was there before')
    .action((node: string) =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) => output.value(await client.storage.undo({ node }), renderNode)),
      ),
    )
}

async function settingsOf(options: StorageOptions): Promise<StorageSettings> {
  const { user, principal, console: note, secondAuthority } = options
  if ((note === undefined) === (secondAuthority === undefined)) {
    throw new AppError(
      'INVALID_INPUT',
      'Name one way in for the day every certificate has expired: --console NOTE, or --second-authority FILE.',
    )
  }
  const breakGlass =
    secondAuthority === undefined
      ? { kind: 'console', note }
      : { kind: 'second-authority', publicKey: await publicKeyIn(secondAuthority) }
  const given = {
    ...(user === undefined ? {} : { user }),
    ...(principal === undefined ? {} : { principals: principal }),
  }
  return parseInput(StorageSettings, { ...given, breakGlass }, 'The storage cannot be set up')
}

/** @throws INVALID_INPUT that names the file when it holds something else */
async function publicKeyIn(path: string): Promise<string> {
  const text = (await readText(path, 'The public key')).trim()
  try {
    parsePublicKeyLine(text)
  } catch (cause) {
    const problem = `${path} does not hold a public key of OpenSSH. Name the .pub file of the second authority.`
    throw new AppError('INVALID_INPUT', problem, { cause })
  }
  return text
}

async function preview({ withEngine, output }: CliContext, node: string, options: StorageOptions): Promise<ExitCode> {
  const settings = await settingsOf(options)
  const found = await withEngine({}, (client) => client.storage.preview({ node, settings }))
  output.value(found, renderStoragePreview)
  return found.blockers.length === 0 ? exitCodes.ok : exitCodes.failed
}

async function apply(context: CliContext, node: string, options: StorageOptions): Promise<ExitCode> {
  const { withEngine, output } = context
  const settings = await settingsOf(options)
  return withEngine({}, async (client) => {
    const found = await client.storage.preview({ node, settings })
    output.note(renderStoragePreview(found).trimEnd())
    const [blocker] = found.blockers
    if (blocker !== undefined) throw new AppError(blocker.code, blocker.sentence)
    if (options.yes !== true) await confirmed(context, node)
    output.value(await client.storage.apply({ node, settings, previewDigest: found.digest }), renderNode)
    return exitCodes.ok
  })
}

async function confirmed({ confirm }: CliContext, node: string): Promise<void> {
  if (confirm === null) throw new AppError('INVALID_INPUT', 'Nobody is here to ask; give --yes to do it.')
  if (await confirm(`Change sshd of ${node} like this?`)) return
  throw new AppError('CANCELED', 'Nothing was changed.')
}
