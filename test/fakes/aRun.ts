import type { Diagnosis } from '../../src/shared/model/diagnosis.ts'
import { Run } from '../../src/shared/model/run.ts'

const blank = {
  id: '01900000-0000-7000-8000-00000000000a',
  idempotencyKey: 'key-of-a-test',
  batchId: '01900000-0000-7000-8000-00000000000b',
  planId: '01900000-0000-7000-8000-00000000000c',
  planName: 'site',
  planKind: 'tree',
  planRevision: 1,
  nodeId: '01900000-0000-7000-8000-000000000001',
  nodeName: 'node-01',
  trigger: 'operator',
  requestedBy: 'tester@here',
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
  createdAt: 0,
  startedAt: null,
  finishedAt: null,
  logBytes: 0,
  seq: 0,
}

/** A run as it is registered, with what a test wants to differ. */
export function aRun(overrides: Partial<Record<keyof Run, unknown>> = {}): Run {
  return Run.parse({ ...blank, ...overrides })
}

/** A cause that means nothing but itself. */
export function aDiagnosis(overrides: Partial<Diagnosis> = {}): Diagnosis {
  return {
    code: 'TRANSFER_FAILED',
    sentence: 'It did not work.',
    short: 'did not work',
    evidence: [],
    nextAction: { kind: 'resync', label: 'Try again' },
    transient: true,
    ...overrides,
  }
}
