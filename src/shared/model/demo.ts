import { z } from 'zod'
import { NodeKind } from './node.ts'

/** What can be broken on a demo node, for real. */
export const DemoFault = z.enum([
  'offline',
  'slow',
  'disk-full',
  'wrong-principal',
  'expired',
  'host-key-changed',
  'traefik-stopped',
])
export type DemoFault = z.infer<typeof DemoFault>

export const DemoNode = z.object({
  name: z.string(),
  kind: NodeKind,
  address: z.string(),
  port: z.number().int(),
  /** The sshd process answers for this node. */
  running: z.boolean(),
  fault: DemoFault.nullable(),
  /** Directory that stands for the node's file system. */
  directory: z.string(),
})
export type DemoNode = z.infer<typeof DemoNode>

export const DemoStatus = z.object({ up: z.boolean(), nodes: z.array(DemoNode) })
export type DemoStatus = z.infer<typeof DemoStatus>

/** A host of the demo that pushes by itself. */
export const DemoAgent = z.object({
  name: z.string(),
  /** Directory that stands for the host's file system. */
  directory: z.string(),
  /** A thousand files that it pushes. */
  sourceDirectory: z.string(),
  /** Name of the node it pushes to. */
  storage: z.string(),
  /** Program and arguments of one run. */
  runCommand: z.array(z.string()),
})
export type DemoAgent = z.infer<typeof DemoAgent>

/** Marks registrations made for the demo fleet: `down` removes exactly these. */
export const demoLabel = { key: 'lockstep.demo', value: 'yes' } as const
