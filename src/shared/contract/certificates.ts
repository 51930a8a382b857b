import { z } from 'zod'
import { Authority, IssuedCertificate } from '../model/certificate.ts'
import { FleetNode } from '../model/node.ts'
import { Principal } from '../model/text.ts'
import { procedure } from './base.ts'
import { NodeReference } from './nodes.ts'

export const certificatesContract = {
  authorities: procedure.output(z.array(Authority)),
  /** The issue log, newest first. */
  list: procedure
    .input(z.object({ node: NodeReference.optional(), limit: z.number().int().min(1).max(10_000).default(200) }))
    .output(z.array(IssuedCertificate)),
  /** Signs a public key a person brings (`ssh-ed25519 AAAA… comment`). */
  issue: procedure
    .input(
      z.object({
        publicKey: z.string().max(4096),
        principals: z.array(Principal).min(1).max(16),
        lifetimeSeconds: z.number().int().min(60).max(57_600),
        permitPty: z.boolean().default(false),
        forceCommand: z.string().max(1024).optional(),
        sourceAddress: z.string().max(1024).optional(),
        reason: z.string().min(1).max(500),
      }),
    )
    .output(IssuedCertificate),
  /** New certificates for these nodes; `accepted` only where the node took the new one. */
  renew: procedure
    .input(z.object({ nodes: z.array(NodeReference).min(1).max(10_000) }))
    .output(z.array(z.object({ node: FleetNode, serial: z.string(), accepted: z.boolean() }))),
}
