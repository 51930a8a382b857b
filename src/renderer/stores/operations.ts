import { createStore, useStore } from 'zustand'
import type { PushTargets } from '../../shared/contract/runs.ts'
import type { ErrorBody } from '../../shared/errors.ts'
import type { IdempotencyKey, NodeId, RunId } from '../../shared/model/ids.ts'
import type { NodeCertificate } from '../../shared/model/node.ts'
import { toErrorBody } from '../api/errors.ts'
import type { EngineLink } from '../api/link.ts'
import { newIdempotencyKey } from '../api/randomKey.ts'

interface Asked {
  readonly nodeIds: readonly NodeId[]
  readonly startedAt: number
  readonly error: ErrorBody | null
}

/** One press of Resync. `runIds` is null until the engine has answered. */
export interface ResyncOperation extends Asked {
  readonly kind: 'resync'
  readonly key: IdempotencyKey
  readonly runIds: readonly RunId[] | null
}

/** What a renewal came to on one node; `accepted` only when the node took a login with the new certificate. */
export interface RenewOutcome {
  readonly serial: string
  readonly accepted: boolean
}

/** One press of Renew. `outcomes` is null until the engine has answered. */
export interface RenewOperation extends Asked {
  readonly kind: 'renew'
  readonly key: IdempotencyKey
  readonly outcomes: ReadonlyMap<NodeId, RenewOutcome> | null
}

/** The answer said that the node accepted it, or a login since then did. */
export function isRenewed(operation: RenewOperation, nodeId: NodeId, certificate: NodeCertificate | null): boolean {
  const outcome = operation.outcomes?.get(nodeId)
  if (outcome === undefined) return false
  return outcome.accepted || (certificate?.serial === outcome.serial && certificate.acceptedAt !== null)
}

interface Operations {
  /** The newest operation of each kind on each node. */
  readonly resync: ReadonlyMap<NodeId, ResyncOperation>
  readonly renew: ReadonlyMap<NodeId, RenewOperation>
}

export const operations = createStore<Operations>(() => ({ resync: new Map(), renew: new Map() }))

export const useResyncOperation = (nodeId: NodeId): ResyncOperation | undefined =>
  useStore(operations, (state) => state.resync.get(nodeId))
export const useRenewOperation = (nodeId: NodeId): RenewOperation | undefined =>
  useStore(operations, (state) => state.renew.get(nodeId))

function keep(operation: ResyncOperation | RenewOperation): void {
  operations.setState((state) => {
    const next = new Map<NodeId, ResyncOperation | RenewOperation>(state[operation.kind])
    for (const nodeId of operation.nodeIds) next.set(nodeId, operation)
    return { [operation.kind]: next }
  })
}

const automaticTries = 3
const firstRetryMs = 400

/** Only an engine that could not be reached is asked again by itself; an answer, even a refusal, is an answer. */
async function asking<Answer>(call: () => Promise<Answer>): Promise<Answer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call()
    } catch (thrown) {
      if (attempt >= automaticTries || toErrorBody(thrown).code !== 'ENGINE_UNAVAILABLE') throw thrown
      await new Promise((resolve) => setTimeout(resolve, firstRetryMs * 2 ** (attempt - 1)))
    }
  }
}

export interface PressRequest {
  readonly nodeIds: readonly NodeId[]
  /** Given when a press is repeated after an error: the same key, so nothing that was done is done twice. */
  readonly key?: IdempotencyKey
}

/** Pushes every plan that reaches these nodes. Never throws: the outcome is in the store. */
export async function startResync(
  link: EngineLink,
  { nodeIds, key = newIdempotencyKey() }: PressRequest,
): Promise<ResyncOperation> {
  const asked: ResyncOperation = { kind: 'resync', key, nodeIds, startedAt: Date.now(), error: null, runIds: null }
  keep(asked)
  const targets: PushTargets = { kind: 'nodes', nodes: [...nodeIds] }
  let settled: ResyncOperation
  try {
    const { runs } = await asking(() => link.client.runs.push({ idempotencyKey: key, plans: [], targets }))
    settled = { ...asked, runIds: runs.map((run) => run.id) }
  } catch (thrown) {
    settled = { ...asked, error: toErrorBody(thrown) }
  }
  keep(settled)
  return settled
}

/** Asks for new certificates for these nodes. Never throws: the outcome is in the store. */
export async function startRenew(
  link: EngineLink,
  { nodeIds, key = newIdempotencyKey() }: PressRequest,
): Promise<RenewOperation> {
  const asked: RenewOperation = { kind: 'renew', key, nodeIds, startedAt: Date.now(), error: null, outcomes: null }
  keep(asked)
  const targets: PushTargets = { kind: 'nodes', nodes: [...nodeIds] }
  let settled: RenewOperation
  try {
    const renewed = await asking(() => link.client.certificates.renew({ idempotencyKey: key, targets }))
    settled = {
      ...asked,
      outcomes: new Map(renewed.map(({ node, serial, accepted }) => [node.id, { serial, accepted }])),
    }
  } catch (thrown) {
    settled = { ...asked, error: toErrorBody(thrown) }
  }
  keep(settled)
  return settled
}
