import type { ListingState } from './found.ts'

/** A directory of the node that is to hold the commit. */
export interface Place {
  readonly directory: string
  readonly listing: ListingState
  /** What the sentinel in it says; null: there is none. */
  readonly sentinel: string | null
  /** `limited`: by the limits of the plan; `free`: nobody but us ever wrote there, since it never had its name. */
  readonly deletes: 'none' | 'limited' | 'free'
  /** Somebody reads there meanwhile. */
  readonly inUse: boolean
  /** As seen from the directory. */
  readonly linkDestination?: string
}
