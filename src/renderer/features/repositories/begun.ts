import type { BatchId } from '../../../shared/model/ids.ts'

/** What a press has begun; shown until the next one. */
export interface Begun {
  readonly batchId: BatchId
  readonly runs: number
  readonly words: string
}
