import type { RegistryEntries } from '../../core/registry/registryEntries.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { NodeRegistryEntry } from '../../shared/model/registry.ts'

/** The nodes with what the fleet knows of them, in the sources' words (S1.19-21). What it does not know stays. */
export function withLiveStatus(
  content: Extract<RegistryEntries, { readonly registry: 'nodes' }>,
  nodes: readonly FleetNode[],
): RegistryEntries {
  const byName = new Map(nodes.map((node) => [node.name, node]))
  return { ...content, entries: content.entries.map((entry) => live(entry, byName.get(entry.name))) }
}

function live(entry: NodeRegistryEntry, node: FleetNode | undefined): NodeRegistryEntry {
  if (node === undefined) return entry
  return {
    ...entry,
    status: node.status,
    last_sync: node.lastSyncAt === null ? entry.last_sync : isoSeconds(node.lastSyncAt),
    last_attempt: node.lastAttemptAt === null ? entry.last_attempt : isoSeconds(node.lastAttemptAt),
  }
}

const isoSeconds = (atMs: number): string => new Date(atMs).toISOString().replace(/\.\d{3}Z$/, 'Z')
