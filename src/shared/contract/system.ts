import { eventIterator } from '@orpc/contract'
import { z } from 'zod'
import type { WatchMessage } from '../model/event.ts'
import { EventSeq } from '../model/ids.ts'
import { EngineStatus, Snapshot } from '../model/system.ts'
import { procedure } from './base.ts'

/**
 * Events are made by the engine from what it has checked and stored. Checking each again for every client would cost more
 * than all else that is done for a change to a large fleet.
 */
const ToldByUs = z.custom<WatchMessage>()

export const systemContract = {
  status: procedure.output(EngineStatus),
  /** Everything a replica starts from. */
  snapshot: procedure.output(Snapshot),
  /** Replays from the event log after `afterSeq`, then streams. */
  watch: procedure.input(z.object({ afterSeq: EventSeq })).output(eventIterator(ToldByUs)),
  /** Opens the key vault with a passphrase, for hosts that cannot prompt at start. */
  unlock: procedure.input(z.object({ passphrase: z.string().min(1).max(1024) })).output(EngineStatus),
  /** One reconcile cycle now. */
  reconcile: procedure.output(z.object({ runs: z.number().int() })),
}
