import type { Run } from '../../shared/model/run.ts'

/** What is decided when a run is registered; everything else begins the same way for every run. */
type Registration = Pick<
  Run,
  | 'id'
  | 'idempotencyKey'
  | 'batchId'
  | 'rolloutId'
  | 'force'
  | 'planId'
  | 'planName'
  | 'planKind'
  | 'planRevision'
  | 'nodeId'
  | 'nodeName'
  | 'trigger'
  | 'requestedBy'
  | 'createdAt'
> &
  Partial<Pick<Run, 'rolloutId' | 'force'>>

/** A run that was asked for and has done nothing yet. */
export function newRun(registration: Registration): Run {
  return {
    ...registration,
    status: 'queued',
    state: 'INIT',
    notBefore: null,
    tries: 0,
    visits: [],
    attempts: [],
    warnings: [],
    failure: null,
    halt: null,
    approvals: [],
    cancellation: null,
    certificateSerial: null,
    summary: null,
    proof: null,
    startedAt: null,
    finishedAt: null,
    logBytes: 0,
    seq: 0,
  }
}
