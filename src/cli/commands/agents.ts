import type { Command } from 'commander'
import { GatewaySettings, type GatewayStatus } from '../../shared/model/agent.ts'
import type { CliContext, Runner } from '../context.ts'
import { parseInput } from '../errors.ts'
import { type ExitCode, exitCodes } from '../exitCodes.ts'
import { collect, integerBetween, lifetimeSeconds } from '../input/options.ts'
import { renderAgent, renderAgents, renderGateway, renderJoinTokens } from '../output/agents.ts'
import { printableLine } from '../output/printable.ts'
import { isoTime } from '../output/words.ts'

export function addAgentCommands(program: Command, run: Runner): void {
  const agents = program.command('agents').alias('agent').description('hosts that push by themselves and report here')
  agents
    .command('list')
    .description('every agent with what it does now')
    .action(() =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) => output.value(await client.agents.list(), renderAgents)),
      ),
    )
  agents
    .command('show <agent>')
    .description('everything known about an agent')
    .action((agent: string) =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) => output.value(await client.agents.get({ agent }), renderAgent)),
      ),
    )
  agents
    .command('revoke <agent>')
    .description('shuts an agent out; open connections end')
    .requiredOption('--reason <text>', 'why; kept in the audit log')
    .action((agent: string, { reason }: { readonly reason: string }) =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) => output.value(await client.agents.revoke({ agent, reason }), renderAgent)),
      ),
    )
  agents
    .command('remove <agent>')
    .description('forgets an agent that was revoked; its runs stay')
    .action((agent: string) =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) =>
          output.value(await client.agents.remove({ agent }), () => `Agent ${printableLine(agent)} is removed.\n`),
        ),
      ),
    )
  addJoinCommands(agents, run)
}

interface JoinOptions {
  readonly name?: string
  readonly lifetime?: number
}

function addJoinCommands(agents: Command, run: Runner): void {
  agents
    .command('join')
    .description('a token that enrolls one agent, once; shown once')
    .option('--name <name>', 'name of the node (default: the host name of the agent)')
    .option(
      '--lifetime <time>',
      'how long it can be used, e.g. 30m, 8h, 7d (default: 1h)',
      lifetimeSeconds(60, 604_800),
    )
    .action((options: JoinOptions) => run((context) => join(context, options)))
  agents
    .command('tokens')
    .description('join tokens: open, used, expired, withdrawn')
    .action(() =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) => {
          const now = (await client.system.status()).now
          output.value(await client.agents.joinTokens(), (tokens) => renderJoinTokens(tokens, now))
        }),
      ),
    )
  agents
    .command('withdraw <token>')
    .description('withdraws a join token that was not used')
    .action((token: string) => run((context) => withdraw(context, token)))
}

async function join({ withEngine, output }: CliContext, { name, lifetime = 3_600 }: JoinOptions): Promise<void> {
  await withEngine({}, async (client) => {
    const made = await client.agents.createJoinToken({ nodeName: name ?? null, lifetimeSeconds: lifetime })
    output.value(made, ({ command }) => `${command}\n`)
    output.note(`Run this on the host before ${isoTime(made.token.expiresAt)}. It works once and is not shown again.`)
  })
}

async function withdraw({ withEngine, output }: CliContext, id: string): Promise<void> {
  await withEngine({}, async (client) => {
    const token = (await client.agents.joinTokens()).find((known) => known.id === id)
    const revoked = await client.agents.revokeJoinToken({ id: token?.id ?? (id as never) })
    output.value(revoked, () => `Join token ${printableLine(id)} is withdrawn.\n`)
  })
}

interface EnableOptions {
  readonly address: string
  readonly port: number
  readonly name?: readonly string[]
}

export function addGatewayCommands(program: Command, run: Runner): void {
  const gateway = program.command('gateway').description('the door for agents: HTTPS with client certificates')
  gateway
    .command('status')
    .description('whether it listens, and where; 1 when it should and does not')
    .action(() => run(status))
  gateway
    .command('enable')
    .description('listens from now on, also after a restart')
    .requiredOption('--address <ip>', 'the address of this machine to listen on')
    .option('--port <port>', 'where', integerBetween(0, 65_535), 8_443)
    .option('--name <name>', 'how agents reach it; may be repeated (default: the address)', collect)
    .action((options: EnableOptions) => run((context) => enable(context, options)))
  gateway
    .command('disable')
    .description('stops listening; agents go on by themselves and report later')
    .action(() =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) => output.value(await client.gateway.disable(), renderGateway)),
      ),
    )
}

async function status({ withEngine, output }: CliContext): Promise<ExitCode> {
  const found = await withEngine({}, (client) => client.gateway.status())
  output.value(found, renderGateway)
  return isAsWanted(found) ? exitCodes.ok : exitCodes.failed
}

async function enable({ withEngine, output }: CliContext, options: EnableOptions): Promise<ExitCode> {
  const { address, port, name = [address] } = options
  const settings = parseInput(GatewaySettings, { address, port, names: name }, 'The gateway cannot be switched on')
  const found = await withEngine({}, (client) => client.gateway.enable(settings))
  output.value(found, renderGateway)
  return isAsWanted(found) ? exitCodes.ok : exitCodes.failed
}

const isAsWanted = ({ settings, listening }: GatewayStatus): boolean => settings === null || listening
