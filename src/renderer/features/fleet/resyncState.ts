import type { Run } from '../../../shared/model/run.ts'
import { isFinal } from '../../../shared/model/run.ts'
import type { ResyncOperation } from '../../stores/operations.ts'

/** How far one press of Resync has come. Done means proven: every run brought back a proof from the node. */
export type ResyncState =
  | { readonly status: 'asking' }
  | { readonly status: 'refused' }
  /** No plan reaches the node: nothing was pushed. */
  | { readonly status: 'nothing' }
  | { readonly status: 'working'; readonly runs: readonly Run[] }
  | { readonly status: 'verified' | 'halted' | 'failed' | 'canceled'; readonly runs: readonly Run[] }

/** @param runs of this operation that the replica knows already */
export function resyncState(operation: ResyncOperation, runs: readonly Run[]): ResyncState {
  if (operation.error !== null) return { status: 'refused' }
  if (operation.runIds === null) return { status: 'asking' }
  if (operation.runIds.length === 0) return { status: 'nothing' }
  if (runs.some((run) => run.status === 'halted')) return { status: 'halted', runs }
  if (runs.length < operation.runIds.length || runs.some((run) => !isFinal(run.status)))
    return { status: 'working', runs }
  if (runs.every((run) => run.status === 'succeeded' && run.proof !== null)) return { status: 'verified', runs }
  return { status: runs.some((run) => run.status === 'failed') ? 'failed' : 'canceled', runs }
}
