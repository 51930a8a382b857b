import type { Command } from 'commander'
import type { FleetNode, NodeKind } from '../../shared/model/node.ts'
import type { Runner } from '../context.ts'
import { printableLine } from '../output/printable.ts'
import { paintNodeStatus } from '../output/style.ts'
import { isoTimeOr } from '../output/words.ts'

const groups: readonly (readonly [NodeKind, string])[] = [
  ['laptop', 'Management Laptops:'],
  ['vps', 'VPS Edge Nodes:'],
  ['worker', 'Worker Nodes:'],
  ['storage', 'Storage Nodes:'],
  ['vm', 'Virtual Machines:'],
]

interface HealthGroup {
  readonly heading: string
  readonly kind: NodeKind
  readonly nodes: readonly { readonly name: string; readonly status: string; readonly lastSync: string | null }[]
}

const groupsOf = (nodes: readonly FleetNode[]): HealthGroup[] =>
  groups.map(([kind, heading]) => ({
    heading,
    kind,
    nodes: nodes
      .filter((node) => node.kind === kind)
      .map(({ name, status, lastSyncAt }) => ({
        name,
        status,
        lastSync: lastSyncAt === null ? null : isoTimeOr(lastSyncAt, ''),
      })),
  }))

/** The lines of S1.103: `• name: status (last sync: ISO time)`. */
function render(nodes: readonly FleetNode[]): string {
  const line = ({ name, status, lastSyncAt }: FleetNode): string =>
    `• ${printableLine(name)}: ${paintNodeStatus(status)(status)} (last sync: ${isoTimeOr(lastSyncAt, 'never')})\n`
  return groups
    .map(
      ([kind, heading]) =>
        `${heading}\n${nodes
          .filter((node) => node.kind === kind)
          .map(line)
          .join('')}`,
    )
    .join('\n')
}

/** S1.102, S1.103. */
export function addHealthCommand(program: Command, run: Runner): void {
  program
    .command('health')
    .description('every node with its status and last sync, by kind')
    .action(() =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client) => {
          const nodes = await client.nodes.list({ filter: '' })
          output.value({ groups: groupsOf(nodes) }, () => render(nodes))
        }),
      ),
    )
}
