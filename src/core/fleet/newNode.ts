import type { FleetNode, NodeInput } from '../../shared/model/node.ts'

/** What is known of a node at its registration, beside what was registered: nothing, in the same form for every node. */
export function nothingKnown(createdAt: number): Omit<FleetNode, keyof NodeInput | 'id' | 'hostKeys' | 'pulls'> {
  return {
    createdAt,
    updatedAt: createdAt,
    status: 'pending_sync',
    statusReason: null,
    consecutiveFailures: 0,
    lastSyncAt: null,
    lastAttemptAt: null,
    reachability: { status: 'unknown' },
    certificate: null,
    hostCertificate: null,
    krl: null,
    storage: null,
    plans: [],
    activeRunId: null,
    haltedRunId: null,
    locked: false,
  }
}
