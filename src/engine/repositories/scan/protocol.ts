import type { ScanOutcome } from '../../ports.ts'

/** What the thread that reads and searches is asked for. */
export interface SearchRequest {
  readonly directory: string
  readonly files: readonly string[] | null
  readonly salt: string
  /** False: texts are only read and copied, for another program to search them. What is no text is searched here all the same. */
  readonly search: boolean
  /** Existing and empty: every text is copied into it, without what tells scanners to look away. Null: no copies. */
  readonly copyTo: string | null
}

/** A file as it lies in the copy, by the name it has in the tree. */
export type CopiedNames = Readonly<Record<string, string>>

export interface Searched extends Omit<ScanOutcome, 'tool'> {
  /** Only of files that are called otherwise in the copy. */
  readonly copiedAs: CopiedNames
}

/** What the thread is started with. */
export interface SearchOrder {
  readonly request: SearchRequest
  /** See `progress.ts`. */
  readonly progress: SharedArrayBuffer
}

/** The one thing that the thread says, at its end. */
export type SearchMessage =
  | { readonly kind: 'done'; readonly searched: Searched }
  /** `reason` is ours or the name of a kind of error, never a message of a library: that may hold what it read. */
  | { readonly kind: 'failed'; readonly file: string | null; readonly reason: string }
