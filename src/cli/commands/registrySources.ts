import { resolve } from 'node:path'
import type { Command } from 'commander'
import { webhookExample, webhookSecretFile } from '../../core/registry/webhookExample.ts'
import { AppError } from '../../shared/errors.ts'
import { SourceId } from '../../shared/model/ids.ts'
import type { RegistryKind } from '../../shared/model/registry.ts'
import { type RegistrySource, SourceInput } from '../../shared/model/registrySource.ts'
import type { CliContext, Runner } from '../context.ts'
import { parseInput } from '../errors.ts'
import { type ExitCode, exitCodes } from '../exitCodes.ts'
import { registryHelp, registryWord } from '../input/registry.ts'
import { printableLine } from '../output/printable.ts'
import { renderSources } from '../output/registry.ts'

interface PlaceOptions {
  readonly registry: RegistryKind
  readonly file?: string
  readonly configMap?: string
  readonly kubeconfig?: string
  readonly context?: string
  readonly key?: string
  readonly writeStatusBack?: boolean
  readonly allowUnverifiedTls?: boolean
}

export function addSourceCommands(registry: Command, run: Runner): void {
  const sources = registry.command('sources').description('places that registries follow')
  sources
    .command('list')
    .description('what is followed, and how it fares; 1 when one of them fails')
    .action(() => run((context) => list(context)))
  sources
    .command('add <name>')
    .description('follows a file or a ConfigMap; its entries are then changed there')
    .option('--registry <registry>', registryHelp, registryWord, 'services')
    .option('--file <file>', 'a JSON or YAML file on the machine of the engine')
    .option('--config-map <namespace/name>', 'or a ConfigMap')
    .option('--kubeconfig <file>', 'where the cluster is described (default: the usual places)')
    .option('--context <name>', 'which cluster of it (default: the current one)')
    .option('--key <key>', 'key below data (default: the only one)')
    .option('--write-status-back', 'write status, last sync and last attempt of nodes into it')
    .option('--allow-unverified-tls', 'follow it although its kubeconfig says insecure-skip-tls-verify')
    .action((name: string, options: PlaceOptions) => run((context) => add(context, name, options)))
  sources
    .command('remove <source>')
    .description('follows it no longer; what it brought stays, and is edited here')
    .action((reference: string) =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) => {
          const { id, name } = await named(await client.sources.list(), reference)
          output.value(await client.sources.remove({ id }), () => `${printableLine(name)} is not followed any more.\n`)
        }),
      ),
    )
  sources
    .command('refresh <source>')
    .description('looks at it now; 1 when it fails')
    .option('--accept-removals', 'take it although it takes away all it had brought, or much of it')
    .action((reference: string, { acceptRemovals = false }: { readonly acceptRemovals?: boolean }) =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) => {
          const { id } = await named(await client.sources.list(), reference)
          return shown(output, await client.sources.refresh({ id, acceptRemovals }))
        }),
      ),
    )
  addWebhookCommands(registry, run)
}

function addWebhookCommands(registry: Command, run: Runner): void {
  const webhook = registry.command('webhook').description('lets others say that a source has changed')
  webhook
    .command('status')
    .description('whether it is on, and its path on the port of the console')
    .action(() =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) =>
          output.value(await client.sources.webhook(), ({ enabled, path }) => `${enabled ? 'on' : 'off'}  ${path}\n`),
        ),
      ),
    )
  webhook
    .command('enable')
    .description('a new secret, shown once; an older one counts no more')
    .action(() =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) => {
          const enabled = await client.sources.enableWebhook()
          output.value(enabled, ({ path, secret }) => `path    ${path}\nsecret  ${secret}\n`)
          output.note(
            `A call, with the secret in the file ${webhookSecretFile} that nobody else may read:\n${webhookExample(`http://127.0.0.1:PORT${enabled.path}`)}`,
          )
        }),
      ),
    )
  webhook
    .command('disable')
    .description('nobody can call it any more')
    .action(() =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) =>
          output.value(await client.sources.disableWebhook(), () => 'The webhook is off.\n'),
        ),
      ),
    )
}

async function list({ withEngine, output }: CliContext): Promise<ExitCode> {
  const sources = await withEngine({}, (client) => client.sources.list())
  output.value(sources, renderSources)
  return sources.some(({ state }) => state.status === 'failing') ? exitCodes.failed : exitCodes.ok
}

async function add(context: CliContext, name: string, options: PlaceOptions): Promise<ExitCode> {
  const place = placeOf(options)
  const input = parseInput(SourceInput, { name, registry: options.registry, place }, 'The source cannot be followed')
  return context.withEngine({}, async (client) => shown(context.output, await client.sources.add(input)))
}

function shown(output: CliContext['output'], source: RegistrySource): ExitCode {
  output.value(source, (value) => renderSources([value]))
  return source.state.status === 'failing' ? exitCodes.failed : exitCodes.ok
}

function placeOf(options: PlaceOptions): unknown {
  const { file, configMap, kubeconfig, context, key, writeStatusBack, allowUnverifiedTls } = options
  if ((file === undefined) === (configMap === undefined))
    throw new AppError('INVALID_INPUT', 'Name one place: --file FILE, or --config-map NAMESPACE/NAME.')
  if (file !== undefined) return { kind: 'file', path: resolve(file) }
  const [namespace, name, ...more] = (configMap ?? '').split('/')
  if (name === undefined || more.length > 0)
    throw new AppError('INVALID_INPUT', 'A ConfigMap is named as NAMESPACE/NAME, e.g. default/service-registry.')
  return {
    kind: 'configMap',
    namespace,
    name,
    kubeconfigFile: kubeconfig === undefined ? null : resolve(kubeconfig),
    context: context ?? null,
    key: key ?? null,
    writeStatusBack: writeStatusBack === true,
    allowUnverifiedTls: allowUnverifiedTls === true,
  }
}

/** By name or id. */
async function named(sources: readonly RegistrySource[], reference: string): Promise<RegistrySource> {
  const id = SourceId.safeParse(reference)
  const found = sources.find((source) => source.name === reference || (id.success && source.id === id.data))
  if (found !== undefined) return found
  throw new AppError('NOT_FOUND', `There is no source "${reference}". "lockstep registry sources list" shows them.`)
}
