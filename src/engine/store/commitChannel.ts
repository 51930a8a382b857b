import { channel } from 'node:diagnostics_channel'

export interface StoreCommit {
  /** Of the commit itself, with its sync to disk. */
  readonly durationMs: number
}

/** The store tells each commit here, a {@link StoreCommit}: it need not know who measures, or whether anybody does. */
export const storeCommitChannel = channel('lockstep:store.commit')
