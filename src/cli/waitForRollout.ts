import type { EngineClient } from '../shared/contract/index.ts'
import { AppError } from '../shared/errors.ts'
import type { RolloutId } from '../shared/model/ids.ts'
import type { Rollout } from '../shared/model/rollout.ts'

/** Nothing more happens to it without a person. */
export const isAtRest = ({ status, finishedAt }: Rollout): boolean =>
  finishedAt !== null || status === 'paused' || status === 'stopped'

interface WaitOptions {
  readonly signal: AbortSignal
  /** Called with every version that is committed. */
  readonly onChange: (rollout: Rollout) => void
}

/**
 * Follows the event log until the rollout is over or waits for a person.
 *
 * @throws the reason of `signal`; AppError ENGINE_UNAVAILABLE when the engine ends before
 */
export async function waitForRollout(
  client: EngineClient,
  id: RolloutId,
  { signal, onChange }: WaitOptions,
): Promise<Rollout> {
  for (;;) {
    signal.throwIfAborted()
    const { seq } = await client.system.snapshot()
    const { rollout } = await client.rollouts.get({ id })
    onChange(rollout)
    if (isAtRest(rollout)) return rollout
    const ended = await follow(client, id, { afterSeq: seq, signal, onChange })
    if (ended === 'closed')
      throw new AppError(
        'ENGINE_UNAVAILABLE',
        'The engine stopped while its rollout was waited for; it goes on when an engine serves this home.',
      )
    if (ended !== 'gap') return ended
  }
}

async function follow(
  client: EngineClient,
  id: RolloutId,
  { afterSeq, signal, onChange }: WaitOptions & { readonly afterSeq: number },
): Promise<Rollout | 'gap' | 'closed'> {
  for await (const message of await client.system.watch({ afterSeq })) {
    signal.throwIfAborted()
    if (message.kind === 'gap') return 'gap'
    if (message.kind !== 'event' || message.event.change.kind !== 'rollout.saved') continue
    const { rollout } = message.event.change
    if (rollout.id !== id) continue
    onChange(rollout)
    if (isAtRest(rollout)) return rollout
  }
  return 'closed'
}
