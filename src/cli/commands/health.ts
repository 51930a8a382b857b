import type { Command } from 'commander'
import type { CliContext, Runner } from '../context.ts'
import { type ExitCode, exitCodes } from '../exitCodes.ts'
import { healthOf, renderHealth } from '../output/health.ts'
import { push } from './push.ts'

/** S1.102, S1.103; and both commands by the name that older scripts call them (S1.104). */
export function addHealthCommand(program: Command, run: Runner): void {
  const description = 'every node with its status and last sync, by kind; exit code 1 when one is not in step'
  program
    .command('health')
    .description(description)
    .action(() => run(health))
  const older = program
    .command('sync-controller')
    .description('the commands of sync-controller.sh: health, and push to all nodes')
  older
    .command('health')
    .description(description)
    .action(() => run(health))
  older
    .command('push')
    .description('everything to every node now, and wait: push --all --wait')
    .action(() => run((context) => push(context, [], { all: true, wait: true })))
}

const unserved = 'No engine serves this home: nobody looks at the nodes. This is what was known last.'

function health({ withEngine, output }: CliContext): Promise<ExitCode> {
  return withEngine({}, async (client, { owner }) => {
    if (owner === 'embedded') output.note(unserved)
    const [nodes, status] = await Promise.all([client.nodes.list({ filter: '' }), client.system.status()])
    const found = healthOf(nodes, status.now)
    output.value(found, renderHealth)
    return found.well ? exitCodes.ok : exitCodes.failed
  })
}
