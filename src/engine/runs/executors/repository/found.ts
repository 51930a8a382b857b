import type { RemoteDirectoryFacts } from '../../../transfer/remoteFacts.ts'

/** How a directory compares with the source: by names, kinds, sizes, times, permissions and link targets. */
export type ListingState =
  | { readonly status: 'same' | 'empty' | 'unknown' }
  | { readonly status: 'differs'; readonly digest: string }
  /** Nobody has looked: the sentinel names what we brought there before, which had this listing. */
  | { readonly status: 'assumed'; readonly digest: string }

/** Releases of a target, as they lie there. */
export interface ReleasesThere {
  /** The one that `current` points at; null: none. */
  readonly inUse: string | null
  /** A directory has the name of the wanted commit. */
  readonly isThere: boolean
  /** Ours, which their sentinel says, by commit; the number grows with the time at which each came into use. */
  readonly have: ReadonlyMap<string, number>
  /** Commits that were begun and not finished, or are being removed. */
  readonly unfinished: readonly string[]
  /** Names of what somebody else put there, or has taken the sentinel from; never removed. */
  readonly foreign: readonly string[]
}

/** What one look at a node says. */
export interface Look {
  readonly directory: RemoteDirectoryFacts
  /** Of the directory that holds, or would hold, the commit. */
  readonly listing: ListingState
  /** What the sentinel there says; null: there is none. */
  readonly sentinel: string | null
  readonly releases: ReleasesThere
}
