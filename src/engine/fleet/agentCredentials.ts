import { X509Certificate } from 'node:crypto'
import { z } from 'zod'
import type { AgentId } from '../../shared/model/ids.ts'
import type { StoreReader, StoreTransaction } from '../ports.ts'

/** What an agent proves itself with, beside the certificate in its row. */
const AgentCredentials = z.object({
  /** `SHA256:…` of the key it enrolled with: the only one that is certified for SSH. */
  sshKeyFingerprint: z.string(),
  /** Serial of the client certificate before the current one; counts until the current one was used. */
  replacedSerial: z.string().nullable(),
})
export type AgentCredentials = z.infer<typeof AgentCredentials>

const settingOf = (agentId: AgentId): string => `agent.credentials.${agentId}`

/** Null for an agent that is not known (any more). */
export async function readCredentials(store: StoreReader, agentId: AgentId): Promise<AgentCredentials | null> {
  const text = await store.getSetting(settingOf(agentId))
  return text === null || text === '' ? null : AgentCredentials.parse(JSON.parse(text))
}

export function saveCredentials(
  transaction: StoreTransaction,
  agentId: AgentId,
  credentials: AgentCredentials | null,
): Promise<void> {
  return transaction.setSetting(settingOf(agentId), credentials === null ? '' : JSON.stringify(credentials))
}

/** The serial of a certificate in one form: lower-case hexadecimal without leading zeros. */
export function serialOf(certificate: X509Certificate | string): string {
  const { serialNumber } = typeof certificate === 'string' ? new X509Certificate(certificate) : certificate
  return BigInt(`0x${serialNumber}`).toString(16)
}
