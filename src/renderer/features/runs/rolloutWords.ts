import type { NodeOutcome, Portion, Rollout, RolloutSettings, RolloutStatus } from '../../../shared/model/rollout.ts'
import { formatCount, plural } from '../../components/format.ts'

const rolloutStatusWords: Readonly<Record<RolloutStatus, string>> = {
  running: 'going on',
  paused: 'paused',
  stopped: 'stopped by failures',
  finished: 'finished',
  aborted: 'aborted',
  superseded: 'overtaken by a newer change',
}

/** In one phrase; one that is over and left nodes behind does not sound like one that went well. */
export function statusWords({ status, counts }: Pick<Rollout, 'status' | 'counts'>): string {
  return status === 'finished' && counts.failed > 0 ? 'finished with failures' : rolloutStatusWords[status]
}

export const outcomeWords: Readonly<Record<NodeOutcome, string>> = {
  succeeded: 'verified',
  failed: 'failed',
  unreachable: 'away',
  canceled: 'canceled',
}

/** Only a person goes on from there. */
export const isHeld = ({ status }: Pick<Rollout, 'status'>): boolean => status === 'paused' || status === 'stopped'

/** Nothing more will be started, ever. */
export const isOver = ({ finishedAt }: Pick<Rollout, 'finishedAt'>): boolean => finishedAt !== null

/** Why it began, in a few words. */
export function causeWords({ cause, requestedBy }: Pick<Rollout, 'cause' | 'requestedBy'>): string {
  if (cause.kind === 'registry')
    return `revision ${cause.revision} of the ${cause.registry === 'services' ? 'service' : 'node'} registry`
  return cause.kind === 'operator' ? `asked for by ${requestedBy}` : `failed nodes of an older one, by ${requestedBy}`
}

export function portionWords(portion: Portion): string {
  return portion.kind === 'count' ? plural(portion.count, 'node') : `${portion.percent} % of the nodes`
}

/** How it goes through the fleet, as one sentence. */
export function settingsSentence({ canary, maxParallel, failureLimit }: RolloutSettings): string {
  const first = canary === null ? 'All at once' : `${portionWords(canary)} first, then the rest`
  const width = maxParallel === null ? '' : `, ${formatCount(maxParallel)} at a time`
  const stop =
    failureLimit === null ? 'Failures stop nothing.' : `${portionWords(failureLimit)} failing in a wave stop it.`
  return `${first}${width}. ${stop}`
}

/** Nodes that were begun and have not settled, and those that were not begun. */
export function openNodes({ counts, nodes, started }: Pick<Rollout, 'counts' | 'nodes' | 'started'>): {
  readonly working: number
  readonly waiting: number
} {
  const settled = Object.values(counts).reduce((sum, count) => sum + count, 0)
  return { working: Math.max(0, started - settled), waiting: nodes.length - started }
}
