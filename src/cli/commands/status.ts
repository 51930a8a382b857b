import type { Command } from 'commander'
import { countFills, tileFills } from '../../core/fleet/health.ts'
import type { EngineStatus } from '../../shared/model/system.ts'
import type { Runner } from '../context.ts'
import { renderFacts } from '../output/table.ts'
import { isoTime, isoTimeOr } from '../output/words.ts'

export function addStatusCommand(program: Command, run: Runner): void {
  program
    .command('status')
    .description('who serves this home, its key vault, and how many nodes are in step')
    .action(() =>
      run(({ withEngine, output }) =>
        withEngine({}, async (client, { owner }) => {
          const [status, nodes] = await Promise.all([client.system.status(), client.nodes.list({ filter: '' })])
          const fills = countFills(nodes, status.now)
          output.value({ owner, ...status, fills }, () => render(owner, status, fills))
        }),
      ),
    )
}

type Fills = ReturnType<typeof countFills>

function render(owner: string, status: EngineStatus, fills: Fills): string {
  const shown = tileFills.filter((fill) => fills[fill] > 0).map((fill) => `${fills[fill]} ${fill}`)
  return renderFacts([
    ['home', status.home],
    [
      'engine',
      owner === 'embedded'
        ? 'none serves this home; this command asked itself'
        : `${status.host}, process ${status.pid}`,
    ],
    ['version', status.version],
    ['since', owner === 'embedded' ? null : isoTime(status.startedAt)],
    ['key vault', `${status.vault.description}${status.vault.unlocked ? '' : ' (not unlocked)'}`],
    ['reconcile', reconcileWords(owner, status)],
    ['nodes', `${status.counts.nodes}${shown.length === 0 ? '' : `: ${shown.join(', ')}`}`],
    ['runs', `${status.counts.runsRunning} running, ${status.counts.runsQueued} queued`],
  ])
}

/** When the last one was is known to an engine that serves only. */
function reconcileWords(owner: string, { reconcile }: EngineStatus): string {
  const every = `every ${reconcile.intervalMs / 1_000} s`
  if (owner === 'embedded') return `${every}, while an engine serves`
  return `${every}, last ${isoTimeOr(reconcile.lastAt, 'never')}, next ${isoTimeOr(reconcile.nextAt, 'when an engine serves')}`
}
