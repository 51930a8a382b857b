import { z } from 'zod'
import { ControlPlane } from '../shared/controlPlane.ts'
import { ErrorBody } from '../shared/errors.ts'
import { TerminalId } from '../shared/model/ids.ts'

/*
 * What the main process and the engine process say to each other. Ports travel beside a message. Both sides parse what
 * they receive: the two are bundled together, but a half-written message must not become half an action.
 */

/** What opens the keys of a home. The bytes are wiped by whoever takes them over. */
export const VaultMaterial = z.discriminatedUnion('kind', [
  /** Unsealed by the system's keyring. */
  z.object({ kind: z.literal('key'), bytes: z.instanceof(Uint8Array), description: z.string() }),
  /** A person types the passphrase into a window later (`system.unlock`). */
  z.object({ kind: z.literal('passphrase') }),
  z.object({ kind: z.literal('refused'), error: ErrorBody }),
])
export type VaultMaterial = z.infer<typeof VaultMaterial>

export const ToEngine = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('start'),
    home: z.string(),
    version: z.string(),
    /** Bring up a demo fleet of this size; null for none. */
    demoNodes: z.number().int().min(1).max(1000).nullable(),
    /** Be the client of this control plane instead of the home's own; null: the home's own. */
    remote: ControlPlane.nullable(),
  }),
  /** The answer to `needVault`, sent once. Never an argument, never the environment. */
  z.object({ kind: z.literal('vault'), material: VaultMaterial }),
  z.object({ kind: z.literal('enginePort') }),
  z.object({ kind: z.literal('terminalPort'), terminalId: TerminalId }),
  /** The machine has woken up: look at the fleet now. */
  z.object({ kind: z.literal('wake') }),
  z.object({ kind: z.literal('stop') }),
])
export type ToEngine = z.infer<typeof ToEngine>

export const FromEngine = z.discriminatedUnion('kind', [
  /** The home is ours; the key is needed now. Not asked for when a daemon owns the home. */
  z.object({ kind: z.literal('needVault') }),
  z.object({ kind: z.literal('running'), owner: z.enum(['desktop', 'daemon', 'remote']) }),
  /** It cannot start. `retry`: trying again can help without anybody acting. */
  z.object({ kind: z.literal('failed'), error: ErrorBody, retry: z.boolean() }),
])
export type FromEngine = z.infer<typeof FromEngine>
