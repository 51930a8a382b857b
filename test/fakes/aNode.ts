import { nothingKnown } from '../../src/core/fleet/newNode.ts'
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
  ...nothingKnown(0),
}

/** A registered node that was never synced, with what a test wants to differ. */
export function aNode(overrides: Partial<Record<keyof FleetNode, unknown>> = {}): FleetNode {
  return FleetNode.parse({ ...blank, ...overrides })
}
