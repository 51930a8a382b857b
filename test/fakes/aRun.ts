import { newRun } from '../../src/core/run/newRun.ts'
import type { Diagnosis } from '../../src/shared/model/diagnosis.ts'
import { Run } from '../../src/shared/model/run.ts'

const blank = Run.pick({
  id: true,
  idempotencyKey: true,
  batchId: true,
  planId: true,
  planName: true,
  planKind: true,
  planRevision: true,
  nodeId: true,
  nodeName: true,
  trigger: true,
  requestedBy: true,
  createdAt: true,
}).parse({
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
  createdAt: 0,
})

/** A run as it is registered, with what a test wants to differ. */
export function aRun(overrides: Partial<Record<keyof Run, unknown>> = {}): Run {
  return Run.parse({ ...newRun(blank), ...overrides })
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
