import { fingerprintOf, parsePublicKeyLine } from '../../platform/openssh/publicKey.ts'
import type { FleetNode } from '../../shared/model/node.ts'
import type { TrustedKey } from '../ports.ts'

const header = '# Written by Lockstep, which overwrites it. Keys:'

/** The keys a node must trust: ours, and the one of its break-glass authority when it was set up with one (D38). */
export function keysForNode(node: Pick<FleetNode, 'storage'>, ours: readonly TrustedKey[]): TrustedKey[] {
  const breakGlass = node.storage?.settings.breakGlass
  if (breakGlass?.kind !== 'second-authority') return [...ours]
  return withKey(ours, breakGlass.publicKey)
}

/** @throws WireError when the line is no public key */
export function withKey(keys: readonly TrustedKey[], line: string): TrustedKey[] {
  const { keyType, blob } = parsePublicKeyLine(line)
  const fingerprint = fingerprintOf(blob)
  if (keys.some((key) => key.fingerprint === fingerprint)) return [...keys]
  return [...keys, { fingerprint, publicKey: `${keyType} ${blob.toString('base64')}` }]
}

/**
 * The file for `TrustedUserCAKeys`. Its first line names what we wrote, so that a later delivery can tell our own old
 * keys from one that somebody added.
 */
export function renderTrustFile(keys: readonly TrustedKey[]): string {
  const names = keys.map(({ fingerprint }) => fingerprint).join(' ')
  return `${[`${header} ${names}`, ...keys.map(({ publicKey }) => publicKey)].join('\n')}\n`
}

/** Fingerprints (or lines that are no keys) in the file which neither we wrote nor want there. */
export function foreignKeys(content: string, wanted: readonly TrustedKey[]): string[] {
  const lines = content.split(/\r?\n/).map((line) => line.trim())
  const first = lines[0]?.startsWith(header) === true ? lines[0].slice(header.length) : ''
  const known = new Set([...first.trim().split(' '), ...wanted.map(({ fingerprint }) => fingerprint)])
  return lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map(fingerprintOrLine)
    .filter((fingerprint) => !known.has(fingerprint))
}

function fingerprintOrLine(line: string): string {
  try {
    return fingerprintOf(parsePublicKeyLine(line).blob)
  } catch {
    return line.slice(0, 200)
  }
}
