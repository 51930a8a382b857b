import { FleetNode } from '../../src/shared/model/node.ts'

const blank = {
  id: '01900000-0000-7000-8000-000000000001',
  name: 'node-01',
  kind: 'vps',
  address: '127.0.0.1',
  port: 22,
  user: 'sync',
  principal: 'sync-agent',
  transport: 'push',
  labels: {},
  maintenance: false,
  login: { kind: 'certificate' },
  hostKeys: [],
  createdAt: 0,
  updatedAt: 0,
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

/** A registered node that was never synced, with what a test wants to differ. */
export function aNode(overrides: Partial<Record<keyof FleetNode, unknown>> = {}): FleetNode {
  return FleetNode.parse({ ...blank, ...overrides })
}
