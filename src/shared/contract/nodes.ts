import { z } from 'zod'
import { DoctorReport } from '../model/diagnosis.ts'
import { NodeId } from '../model/ids.ts'
import { FleetNode, NodeInput, NodePatch, OfferedHostKey } from '../model/node.ts'
import { Address, Port } from '../model/text.ts'
import { procedure } from './base.ts'

/** A node by id or by name: people type names, programs keep ids. */
export const NodeReference = z.string().min(1).max(255)

export const nodesContract = {
  list: procedure.input(z.object({ filter: z.string().max(2000).default('') })).output(z.array(FleetNode)),
  get: procedure.input(z.object({ node: NodeReference })).output(FleetNode),
  /** Registers a node; `hostKeys` are the ones a person has confirmed, from `probeHostKey`. */
  add: procedure.input(z.object({ node: NodeInput, hostKeys: z.array(OfferedHostKey).default([]) })).output(FleetNode),
  /** All or nothing: one bad entry and none is registered. */
  import: procedure
    .input(
      z.object({
        nodes: z
          .array(z.object({ node: NodeInput, hostKeys: z.array(OfferedHostKey).default([]) }))
          .min(1)
          .max(10_000),
      }),
    )
    .output(z.array(FleetNode)),
  update: procedure.input(z.object({ node: NodeReference, patch: NodePatch })).output(FleetNode),
  /** Refused while a run works on the node. Its runs stay in the history. */
  remove: procedure.input(z.object({ node: NodeReference })).output(z.object({ nodeId: NodeId })),
  /** Looks at the host key an address offers; authenticates nowhere. */
  probeHostKey: procedure
    .input(z.object({ address: Address, port: Port.default(22) }))
    .output(z.object({ offered: z.array(OfferedHostKey) })),
  /** A person's decision: these keys, and only these of their type, are the node's from now on. */
  acceptHostKey: procedure
    .input(z.object({ node: NodeReference, fingerprint: z.string().startsWith('SHA256:') }))
    .output(FleetNode),
  /** Read-only check list with evidence, ending in one cause. */
  doctor: procedure.input(z.object({ node: NodeReference })).output(DoctorReport),
  /** Logs in and looks: updates reachability, clock skew and certificate acceptance. */
  check: procedure.input(z.object({ node: NodeReference })).output(FleetNode),
}
