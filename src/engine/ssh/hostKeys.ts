import type { HostKeyFinding } from '../../core/diagnose/evidence.ts'
import { fingerprintOf, keyTypeOf } from '../../platform/openssh/publicKey.ts'
import type { PinnedHostKey } from '../../shared/model/node.ts'

type Pin = Pick<PinnedHostKey, 'keyType' | 'publicKey' | 'fingerprint'>

/**
 * Compares an offered key with the pins, per key type: a type without a pin is unknown, not changed (U5).
 * @returns null when it is the accepted key; anything else must end the connection before authentication (U3)
 */
export function judgeHostKey(offered: Uint8Array, pins: readonly Pin[]): HostKeyFinding | null {
  const keyType = safeKeyType(offered)
  const sameType = pins.filter((pin) => pin.keyType === keyType)
  const base64 = Buffer.from(offered).toString('base64')
  if (sameType.some((pin) => pin.publicKey === base64)) return null
  return {
    status: sameType.length === 0 ? 'unknown' : 'changed',
    keyType,
    offeredFingerprint: fingerprintOf(offered),
    pinnedFingerprints: sameType.map((pin) => pin.fingerprint),
  }
}

function safeKeyType(blob: Uint8Array): string {
  try {
    return keyTypeOf(blob)
  } catch {
    return 'unreadable'
  }
}

/** Signature algorithms of the SSH handshake for each key type, best first. */
const signatureAlgorithms: Readonly<Record<string, readonly string[]>> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
}

export const hostKeyTypes = Object.keys(signatureAlgorithms)

/** Key types that have a pin first, so that a server with several keys shows the one we know. */
export function hostKeyAlgorithmsFor(pins: readonly Pin[]): string[] {
  const pinned = hostKeyTypes.filter((keyType) => pins.some((pin) => pin.keyType === keyType))
  return [...new Set([...pinned, ...hostKeyTypes])].flatMap((keyType) => signatureAlgorithms[keyType] ?? [])
}

export function hostKeyAlgorithmsOf(keyType: string): readonly string[] {
  return signatureAlgorithms[keyType] ?? []
}
