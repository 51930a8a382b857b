import type { Command } from 'commander'
import { shellQuote } from '../../core/transfer/remoteShell.ts'
import { provideDemoPassphrase } from '../../daemon/passphrase.ts'
import { prepareHome } from '../../platform/paths.ts'
import { DemoFault, type DemoStatus } from '../../shared/model/demo.ts'
import { isFinal } from '../../shared/model/run.ts'
import type { CliContext, Runner } from '../context.ts'
import { integerBetween, wordOf } from '../input/options.ts'
import { bad, good } from '../output/style.ts'
import { renderTable } from '../output/table.ts'

const defaultNodes = 12

export function addDemoCommands(program: Command, run: Runner): void {
  const demo = program.command('demo').description('real SSH servers on this machine, to try everything on')
  demo
    .command('up')
    .description('starts the servers, registers them and makes a plan')
    .option('--nodes <n>', 'how many there should be at least', integerBetween(1, 1000), defaultNodes)
    .option('--registry', 'also services, with plans that bring them to VPS nodes, laptops and workers', false)
    .option('--repository', 'also a small git repository, with a plan that brings it to three nodes', false)
    .action((order: UpOrder) => run((context) => up(context, order)))
  demo
    .command('down')
    .description('ends the servers, removes their files and registrations')
    .action(() => run(down))
  demo
    .command('status')
    .description('the servers and what is broken on them')
    .action(() =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) => output.value(await client.demo.status(), render)),
      ),
    )
  demo
    .command('fault <node> <fault>')
    .description(`breaks a node for real: ${DemoFault.options.join(', ')}`)
    .action((node: string, fault: string) => run((context) => breakNode(context, node, fault)))
  demo
    .command('agent')
    .description('enrolls a real agent that pushes a thousand files to a storage of the demo')
    .option('--name <name>', 'how its node is called', 'demo-agent-01')
    .action(({ name }: { readonly name: string }) => run((context) => enrollAgent(context, name)))
  demo
    .command('heal <node>')
    .description('undoes the fault of a node')
    .action((node: string) =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) => output.value(await client.demo.heal({ node }), render)),
      ),
    )
}

interface UpOrder {
  readonly nodes: number
  readonly registry: boolean
  readonly repository: boolean
}

async function up({ home, passphrase, withEngine, output }: CliContext, order: UpOrder): Promise<void> {
  if (passphrase.passphraseFile === undefined) {
    await prepareHome(home)
    await provideDemoPassphrase(home)
  }
  await withEngine({}, async (client) => output.value(await client.demo.up(order), render))
}

/** Open runs are ended first, and only an engine that works on runs can do that; without any, nothing may begin. */
async function down({ withEngine, output }: CliContext): Promise<void> {
  const hasOpenRuns = await withEngine({}, async (client, { owner }) => {
    const { runs } = await client.system.snapshot()
    const isOpen = runs.some((run) => !isFinal(run.status))
    if (!isOpen || owner === 'daemon') output.value(await client.demo.down(), () => downText)
    return isOpen && owner === 'embedded'
  })
  if (!hasOpenRuns) return
  await withEngine({ work: true }, async (client) => output.value(await client.demo.down(), () => downText))
}

const downText = 'The demo fleet is gone.\n'

async function breakNode({ withEngine, output }: CliContext, node: string, text: string): Promise<void> {
  const fault = wordOf(DemoFault)(text)
  await withEngine({}, async (client) => output.value(await client.demo.fault({ node, fault }), render))
}

/** The gateway has to stay when this command is over, so it needs an engine that stays. */
async function enrollAgent({ withEngine, output }: CliContext, name: string): Promise<void> {
  await withEngine({ whenUnowned: 'fail' }, async (client) => {
    output.value(
      await client.demo.enrollAgent({ name }),
      ({ runCommand }) => `${runCommand.map((word) => shellQuote(word)).join(' ')}\n`,
    )
    output.note(`Agent ${name} is enrolled. The line above is one run of it; it appears in the console.`)
  })
}

function render({ nodes }: DemoStatus): string {
  if (nodes.length === 0) return 'There is no demo fleet. Start one: lockstep demo up\n'
  return renderTable(
    ['NODE', 'KIND', 'ADDRESS', 'SERVER', 'FAULT'],
    nodes.map((node) => [
      node.name,
      node.kind,
      `${node.address}:${node.port}`,
      node.running ? { text: 'running', paint: good } : { text: 'stopped', paint: bad },
      node.fault ?? '',
    ]),
  )
}
