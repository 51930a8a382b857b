import type { Command } from 'commander'
import { AppError } from '../../shared/errors.ts'
import { NodeInput, NodeKind, type NodeLogin, NodePatch, SshdControl } from '../../shared/model/node.ts'
import type { CliContext, Runner } from '../context.ts'
import { parseInput } from '../errors.ts'
import { type ExitCode, exitCodes } from '../exitCodes.ts'
import { readNodes } from '../input/nodes.ts'
import { collect, integerBetween, keyValue, onOrOff, wordOf } from '../input/options.ts'
import { readText } from '../input/readText.ts'
import { renderNode, renderNodes } from '../output/nodes.ts'
import { printableLine } from '../output/printable.ts'
import { plural } from '../output/words.ts'
import { chooseHostKeys } from './hostKeys.ts'

interface NodeOptions {
  readonly name?: string
  readonly kind?: NodeKind
  readonly address?: string
  readonly port?: number
  readonly user?: string
  readonly principal?: string
  readonly label?: Readonly<Record<string, string>>
  readonly maintenance?: boolean
  readonly sshdConfig?: string
  readonly sshdPidFile?: string
  readonly sudo?: SshdControl['sudo']
  readonly staticKey?: string
  readonly certificate?: boolean
}

interface AddOptions extends NodeOptions {
  readonly acceptHostKey?: readonly string[]
  readonly hostKeyLater?: boolean
}

interface UpdateOptions extends NodeOptions {
  readonly removeLabel?: readonly string[]
}

const withNodeOptions = (command: Command): Command =>
  command
    .option('--name <name>', 'how it is called')
    .option('--kind <kind>', NodeKind.options.join(', '), wordOf(NodeKind))
    .option('--address <address>', 'host name or IP address')
    .option('--port <port>', 'of its SSH server', integerBetween(1, 65_535))
    .option('--user <user>', 'account to log in to')
    .option('--principal <principal>', 'name in our certificate')
    .option('--label <key=value>', 'a label; may be repeated', keyValue)
    .option('--maintenance <on|off>', 'leave it alone', onOrOff)
    .option('--sshd-config <file>', 'where its sshd is configured (default: /etc/ssh/sshd_config)')
    .option('--sshd-pid-file <file>', 'reload sshd by SIGHUP to the process in this file, not through systemd')
    .option('--sudo <when>', 'auto: unless the login user is root; never', wordOf(SshdControl.shape.sudo.unwrap()))
    .option('--static-key <file>', 'log in with this private key, where certificates are not possible yet')
    .option('--certificate', 'log in with certificates of our authority (the default)')

export function addNodeCommands(program: Command, run: Runner): void {
  const nodes = program.command('nodes').alias('node').description('the machines of the fleet')
  withNodeOptions(nodes.command('add').description('registers a node after a look at its host key'))
    .option('--accept-host-key <fingerprint>', 'the key you compared, SHA256:…; may be repeated', collect)
    .option('--host-key-later', 'register without trusting a key; nothing connects until one is accepted')
    .action((options: AddOptions) => run((context) => add(context, options)))
  nodes
    .command('list')
    .description('all nodes, or those a filter means')
    .option('--filter <filter>', 'e.g. kind:vps and not label.stage:test', '')
    .action(({ filter }: { readonly filter: string }) =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) => output.value(await client.nodes.list({ filter }), renderNodes)),
      ),
    )
  nodes
    .command('show <node>')
    .description('everything known about a node')
    .action((node: string) =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) => output.value(await client.nodes.get({ node }), renderNode)),
      ),
    )
  nodes
    .command('remove <node>')
    .description('forgets a node; its runs stay in the history')
    .action((node: string) =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) =>
          output.value(await client.nodes.remove({ node }), () => `Node ${printableLine(node)} is removed.\n`),
        ),
      ),
    )
  nodes
    .command('import <file>')
    .description('registers a list of nodes from JSON or YAML, all or none; - is standard input')
    .action((file: string) => run((context) => importFile(context, file)))
  withNodeOptions(nodes.command('update <node>').description('changes what you say about a node'))
    .option('--remove-label <key>', 'takes a label away; may be repeated', collect)
    .action((node: string, options: UpdateOptions) => run((context) => update(context, node, options)))
  nodes
    .command('accept-host-key <node> <fingerprint>')
    .description('trusts the key with this fingerprint, if the node offers it now')
    .action((node: string, fingerprint: string) =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) =>
          output.value(await client.nodes.acceptHostKey({ node, fingerprint }), renderNode),
        ),
      ),
    )
  nodes
    .command('check <node>')
    .description('logs in and looks; 1 when it cannot be reached')
    .action((node: string) => run((context) => check(context, node)))
}

async function add(context: CliContext, options: AddOptions): Promise<void> {
  const { acceptHostKey, hostKeyLater = false, label, sshdConfig, sshdPidFile, sudo, ...rest } = options
  const fields = withLogin(rest)
  const sshd = sshdOf({ sshdConfig, sshdPidFile, sudo })
  const node = parseInput(NodeInput, { ...fields, labels: label ?? {}, sshd }, 'The node cannot be registered')
  if (hostKeyLater && acceptHostKey !== undefined) {
    throw new AppError('INVALID_INPUT', 'Either --accept-host-key or --host-key-later, not both.')
  }
  await context.withEngine({}, async (client) => {
    const hostKeys = hostKeyLater ? [] : await chooseHostKeys(context, { client, node, accepted: acceptHostKey })
    context.output.value(await client.nodes.add({ node, hostKeys }), renderNode)
    if (hostKeyLater) context.output.note('No host key is trusted yet: lockstep nodes accept-host-key NODE SHA256:…')
  })
}

/** @throws AppError INVALID_INPUT when both kinds of login are asked for */
function withLogin<Fields extends Pick<NodeOptions, 'staticKey' | 'certificate'>>({
  staticKey,
  certificate,
  ...fields
}: Fields): Omit<Fields, 'staticKey' | 'certificate'> & { readonly login?: NodeLogin } {
  if (staticKey !== undefined && certificate === true)
    throw new AppError('INVALID_INPUT', 'Either --static-key or --certificate, not both.')
  if (staticKey !== undefined) return { ...fields, login: { kind: 'static-key', keyFile: staticKey } }
  return certificate === true ? { ...fields, login: { kind: 'certificate' } } : fields
}

/** How its sshd is managed: what was given, over what is known. */
function sshdOf(
  { sshdConfig, sshdPidFile, sudo }: Partial<Record<'sshdConfig' | 'sshdPidFile' | 'sudo', string | undefined>>,
  before: Partial<SshdControl> = {},
): unknown {
  return {
    ...before,
    ...(sshdConfig === undefined ? {} : { configFile: sshdConfig }),
    ...(sshdPidFile === undefined ? {} : { reload: { kind: 'pid-file', file: sshdPidFile } }),
    ...(sudo === undefined ? {} : { sudo }),
  }
}

async function importFile({ withEngine, output }: CliContext, file: string): Promise<void> {
  const nodes = readNodes(await readText(file, 'The node file'), file === '-' ? 'Standard input' : file)
  await withEngine({}, async (client) => {
    output.value(
      await client.nodes.import({ nodes: nodes.map((node) => ({ node, hostKeys: [] })) }),
      (added) => `${plural(added.length, 'node')} registered.\n`,
    )
    output.note(
      'Nothing connects to a node before its host key is accepted: lockstep nodes accept-host-key NODE SHA256:…',
    )
  })
}

async function update({ withEngine, output }: CliContext, node: string, options: UpdateOptions): Promise<void> {
  const { label, removeLabel, sshdConfig, sshdPidFile, sudo, ...rest } = options
  const fields = withLogin(rest)
  const changesSshd = sshdConfig !== undefined || sshdPidFile !== undefined || sudo !== undefined
  const changesLabels = label !== undefined || removeLabel !== undefined
  if (!changesLabels && !changesSshd && Object.keys(fields).length === 0) {
    throw new AppError('INVALID_INPUT', 'Say what to change: lockstep nodes update --help shows the options.')
  }
  const checked = parseInput(
    NodePatch,
    { ...fields, ...(label === undefined ? {} : { labels: label }) },
    'The node cannot be changed',
  )
  await withEngine({}, async (client) => {
    if (!changesLabels && !changesSshd)
      return output.value(await client.nodes.update({ node, patch: checked }), renderNode)
    const { labels, sshd: before } = await client.nodes.get({ node })
    const sshd = parseInput(
      SshdControl,
      sshdOf({ sshdConfig, sshdPidFile, sudo }, before),
      'The node cannot be changed',
    )
    const kept = Object.entries({ ...labels, ...label }).filter(([key]) => !(removeLabel ?? []).includes(key))
    const patch = { ...checked, sshd, labels: Object.fromEntries(kept) }
    output.value(await client.nodes.update({ node, patch }), renderNode)
  })
}

async function check({ withEngine, output }: CliContext, node: string): Promise<ExitCode> {
  const seen = await withEngine({}, (client) => client.nodes.check({ node }))
  output.value(seen, renderNode)
  return seen.reachability.status === 'reachable' ? exitCodes.ok : exitCodes.failed
}
