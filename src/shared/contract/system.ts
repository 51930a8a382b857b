import { eventIterator } from '@orpc/contract'
import { z } from 'zod'
import { WatchMessage } from '../model/event.ts'
import { EventSeq } from '../model/ids.ts'
import { EngineStatus, Snapshot } from '../model/system.ts'
import { procedure } from './base.ts'

export const systemContract = {
  status: procedure.output(EngineStatus),
  /** Everything a replica starts from. */
  snapshot: procedure.output(Snapshot),
  /** Replays from the event log after `afterSeq`, then streams. */
  watch: procedure.input(z.object({ afterSeq: EventSeq })).output(eventIterator(WatchMessage)),
  /** Opens the key vault with a passphrase, for hosts that cannot prompt at start. */
  unlock: procedure.input(z.object({ passphrase: z.string().min(1).max(1024) })).output(EngineStatus),
  /** One reconcile cycle now. */
  reconcile: procedure.output(z.object({ runs: z.number().int() })),
}
