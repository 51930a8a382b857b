import type { GuideReport } from '../../shared/model/guide.ts'
import type { Plan } from '../../shared/model/plan.ts'
import type { RegistryRevision } from '../../shared/model/registry.ts'
import type { RegistrySource } from '../../shared/model/registrySource.ts'
import type { Rollout } from '../../shared/model/rollout.ts'
import { duration } from '../diagnose/sentences.ts'
import { shellWord } from '../transfer/remoteShell.ts'
import { fine, type Look, odd, offered, reportOf, told, wrong } from './steps.ts'

/** What the engine knows of itself when somebody says that nothing is synced. */
export interface SyncFacts {
  readonly nowMs: number
  readonly startedAt: number
  readonly vaultUnlocked: boolean
  readonly vaultDescription: string
  readonly reconcile: { readonly intervalMs: number; readonly lastAt: number | null; readonly nextAt: number | null }
  readonly sources: readonly RegistrySource[]
  readonly revision: RegistryRevision | null
  readonly plans: readonly Pick<Plan, 'name' | 'kind'>[]
  /** How many push nodes any plan selects, and how many there are. */
  readonly selectedNodes: number
  readonly pushNodes: number
  readonly openRollouts: readonly Rollout[]
  readonly runsQueued: number
  readonly runsRunning: number
}

/** "Sync not triggering" (S1.105): each cause a look, in the order in which a change travels. */
export function nothingIsSynced(facts: SyncFacts): GuideReport {
  const looks = [
    service(facts),
    vault(facts),
    watch(facts),
    ...facts.sources.map((source) => following(facts, source)),
    registry(facts),
    plans(facts),
    rollouts(facts),
    queue(facts),
  ]
  return reportOf(
    'nothing-is-synced',
    null,
    looks.map(({ step, finding }) => ({ steps: [step], finding })),
  )
}

/** That there is an answer at all is half of it: without a service nobody would give one. */
const service = ({ nowMs, startedAt }: SyncFacts): Look =>
  fine('Is the service running?', `yes, for ${duration(nowMs - startedAt)}`, {
    byHand: 'sudo systemctl status lockstep; journalctl -u lockstep -n 50',
  })

function vault({ vaultUnlocked, vaultDescription }: SyncFacts): Look {
  const question = 'Are the keys at hand?'
  if (vaultUnlocked) return fine(question, vaultDescription)
  return wrong(question, {
    diagnosis: told(
      'VAULT_LOCKED',
      `The key vault is locked (${vaultDescription}), so no certificate can be signed and no node be reached. Unlock it.`,
      'vault is locked',
    ),
    offer: offered(
      { kind: 'decide', where: 'vault', nodeId: null },
      'Unlock…',
      'Asks for the passphrase. Syncing goes on by itself afterwards.',
    ),
  })
}

/** So late that a missed timer is no explanation any more. */
const overdueIntervals = 1.5

function watch({ nowMs, startedAt, reconcile: { intervalMs, lastAt, nextAt } }: SyncFacts): Look {
  const question = 'Is the fleet reconciled?'
  const every = `every ${duration(intervalMs)}`
  if (nextAt === null)
    return wrong(question, {
      diagnosis: told(
        'PRECONDITION_FAILED',
        'Nothing looks after the fleet: this engine was started without its loops. Start the service, or press to look once.',
        'nobody looks',
      ),
      offer: reconcile,
    })
  const since = nowMs - (lastAt ?? startedAt)
  if (since <= intervalMs * overdueIntervals)
    return fine(question, lastAt === null ? `${every}, the first time is due` : `${every}, ${duration(since)} ago`)
  return wrong(question, {
    diagnosis: told(
      'TIMED_OUT',
      `The last reconcile cycle was ${duration(since)} ago, and they are due ${every}. Begin one now; if it stays behind, restart the service.`,
      'reconcile is late',
    ),
    offer: reconcile,
  })
}

const reconcile = offered(
  { kind: 'reconcile' },
  'Reconcile now',
  'Every plan goes to every node it selects. What is right already is only verified.',
)

function following({ nowMs }: SyncFacts, { id, name, place, state }: RegistrySource): Look {
  const question = `Is the source ${name} followed?`
  const byHand =
    place.kind === 'file'
      ? `ls -l ${shellWord(place.path)}`
      : `kubectl get configmap ${place.name} -n ${place.namespace} -o jsonpath='{.metadata.resourceVersion}'`
  if (state.status === 'starting') return odd(question, 'it is being looked at for the first time', { byHand })
  if (state.status === 'following')
    return fine(question, `version ${state.version}, seen ${duration(nowMs - state.seenAt)} ago`, { byHand })
  return wrong(
    question,
    {
      diagnosis: state.diagnosis,
      offer: offered(
        { kind: 'refresh-source', sourceId: id },
        'Look again',
        `${name} is read once more. The revision in force stays until what it says is right.`,
      ),
    },
    { byHand },
  )
}

function registry({ nowMs, revision }: SyncFacts): Look {
  const question = 'Is there a service registry?'
  const byHand = 'lockstep registry get services'
  if (revision !== null)
    return fine(
      question,
      `revision ${revision.number} of ${duration(nowMs - revision.at)} ago, ${revision.entries} services, by ${revision.author}`,
      { byHand },
    )
  return odd(question, 'no, so routes and hosts entries have nothing to deliver', { byHand })
}

function plans({ plans: all, selectedNodes, pushNodes }: SyncFacts): Look {
  const question = 'Does a plan reach the nodes?'
  const byHand = 'lockstep plans list'
  if (selectedNodes > 0)
    return fine(question, `${all.length} plans reach ${selectedNodes} of ${pushNodes} nodes`, { byHand })
  const why =
    all.length === 0
      ? 'There is no plan, so nothing is delivered to anybody.'
      : 'No plan selects any node, so nothing is delivered to anybody.'
  return wrong(
    question,
    {
      diagnosis: told('PRECONDITION_FAILED', `${why} Write one, or widen a selector.`, 'no plan reaches'),
      offer: offered(
        { kind: 'decide', where: 'plan', nodeId: null },
        'Open the plans',
        'Nothing is changed until you save.',
      ),
    },
    { byHand },
  )
}

function rollouts({ openRollouts }: SyncFacts): Look {
  const question = 'Is a change held back?'
  const held = openRollouts.find(({ status }) => status === 'stopped' || status === 'paused')
  if (held === undefined)
    return fine(question, openRollouts.length === 0 ? 'no' : `no, ${openRollouts.length} going on`)
  const { counts, nodes, started } = held
  const why =
    held.status === 'paused' ? 'A person has paused it' : `It stopped itself after ${counts.failed ?? 0} failures`
  return wrong(question, {
    diagnosis: told(
      'PRECONDITION_FAILED',
      `A rollout waits for a decision: ${nodes.length - started} of ${nodes.length} nodes were not begun. ${why}. Go on with it, or abort it.`,
      'rollout waits',
    ),
    offer: offered(
      { kind: 'resume-rollout', rolloutId: held.id },
      'Go on with the rollout',
      `${nodes.length - started} more nodes get the change.`,
    ),
  })
}

const queue = ({ runsQueued, runsRunning }: SyncFacts): Look =>
  fine('Is work waiting?', `${runsRunning} running, ${runsQueued} queued`, { byHand: 'lockstep runs list' })
