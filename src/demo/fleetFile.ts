import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { writeFileAtomic } from '../platform/atomicFile.ts'
import { DemoFault } from '../shared/model/demo.ts'
import { NodeKind } from '../shared/model/node.ts'
import type { FleetLayout } from './layout.ts'

/** What is remembered of a node; everything else follows from it. */
const NodeRecord = z.object({
  name: z.string().regex(/^[a-z0-9-]+$/),
  kind: NodeKind,
  address: z.string(),
  /** Where clients connect. */
  port: z.number().int(),
  /** Where sshd listens while a slow link stands before it. */
  internalPort: z.number().int().nullable(),
  fault: DemoFault.nullable(),
})
export type NodeRecord = z.infer<typeof NodeRecord>

const FleetFile = z.object({ version: z.literal(1), nodes: z.array(NodeRecord) })

/** @returns an empty list when there is no fleet, or only the unreadable remains of one. */
export async function readFleetFile(fleet: FleetLayout): Promise<readonly NodeRecord[]> {
  try {
    return FleetFile.parse(JSON.parse(await readFile(fleet.fleetFile, 'utf8'))).nodes
  } catch {
    return []
  }
}

export async function writeFleetFile(fleet: FleetLayout, nodes: readonly NodeRecord[]): Promise<void> {
  await writeFileAtomic(fleet.fleetFile, `${JSON.stringify({ version: 1, nodes }, null, 2)}\n`)
}
