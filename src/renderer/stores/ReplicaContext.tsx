import { createContext, type ReactNode, useContext } from 'react'
import { useStore } from 'zustand'
import { AppError } from '../../shared/errors.ts'
import type { Agent } from '../../shared/model/agent.ts'
import type { AgentId, NodeId, RunId } from '../../shared/model/ids.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { Run, RunProgress } from '../../shared/model/run.ts'
import type { AskedAgain } from './applyChanges.ts'
import type { Replica, ReplicaState } from './replica.ts'

const ReplicaContext = createContext<Replica | null>(null)

export function ReplicaProvider({ replica, children }: { readonly replica: Replica; readonly children: ReactNode }) {
  return <ReplicaContext.Provider value={replica}>{children}</ReplicaContext.Provider>
}

/** The replica itself, for event handlers; components that show something use {@link useReplica}. */
export function useReplicaHandle(): Replica {
  const replica = useContext(ReplicaContext)
  if (replica === null) throw new AppError('INTERNAL', 'no ReplicaProvider around this component')
  return replica
}

/** Renders again when the selected value changes identity. Select existing values, never new objects. */
export function useReplica<Value>(select: (state: ReplicaState) => Value): Value {
  return useStore(useReplicaHandle().store, select)
}

export const useNode = (nodeId: NodeId): FleetNode | undefined => useReplica((state) => state.nodes.get(nodeId))
export const useRun = (runId: RunId): Run | undefined => useReplica((state) => state.runs.get(runId))
export const useAgent = (agentId: AgentId): Agent | undefined => useReplica((state) => state.agents.get(agentId))
/**
 * Grows whenever the engine says that this has changed. As part of a query key, with `keepPreviousData` as placeholder,
 * it makes the query ask again while the old answer stays in sight.
 */
export const useRevision = (what: AskedAgain): number => useReplica((state) => state.revisions[what])
export const useRunProgress = (runId: RunId): RunProgress | undefined =>
  useReplica((state) => state.progress.get(runId))

/** What is shown is the last known state, not the present one. */
export const useStale = (): boolean => useReplica((state) => state.connection !== 'live')
