import { randomBytes, scrypt } from 'node:crypto'
import type { RegistryEntries } from '../../core/registry/registryEntries.ts'
import { changeSensitive, isSensitivePlace } from '../../core/registry/sensitive.ts'
import { KeyEncryptionKey } from '../../platform/keyVault.ts'
import { AppError } from '../../shared/errors.ts'

/*
 * Sensitive values of a registry for another place: `{"$sealed": "p2.<log2 N>.<r>.<p>.<salt>.<ciphertext>"}`, AES-256-GCM
 * under a key that scrypt makes of a passphrase, bound to registry, entry and field: nobody on the way gives one entry the
 * value of another. Exports `p1` of earlier versions are bound to nothing, and are read still. All values of one export share the salt, so that reading it costs one
 * derivation.
 */

export const isPassphraseEnvelope = (envelope: string): boolean => /^p[12]\./.test(envelope)

/** Of what is bound to nothing. */
const contextV1 = 'registry/export'
const contextOf = (home: string): string => `registry/export/2/${home}`
const keySizeBytes = 32
/** 128 MiB and about a third of a second for each guess, as for the key vault. */
const cost = { log2N: 17, r: 8, p: 1 }
/** N times r; more asks for memory that no export of ours needs. */
const highestCost = 2 ** 21

interface Derivation {
  readonly log2N: number
  readonly r: number
  readonly p: number
  readonly salt: Buffer
}

async function derive(passphrase: string, { log2N, r, p, salt }: Derivation): Promise<KeyEncryptionKey> {
  const N = 2 ** log2N
  const derived = await new Promise<Buffer>((resolve, reject) => {
    // Keyboards and systems differ in how they compose an accent.
    const bytes = passphrase.normalize('NFC')
    const options = { N, r, p, maxmem: 256 * N * r + 1_048_576 }
    scrypt(bytes, salt, keySizeBytes, options, (error, key) => (error === null ? resolve(key) : reject(error)))
  })
  const key = new KeyEncryptionKey(derived)
  derived.fill(0)
  return key
}

/** @param content with all values open @returns the content with sealed values, and how many there are */
export async function sealWithPassphrase(
  content: RegistryEntries,
  passphrase: string,
): Promise<{ readonly content: RegistryEntries; readonly sealedValues: number }> {
  const salt = randomBytes(16)
  const { log2N, r, p } = cost
  const key = await derive(passphrase, { ...cost, salt })
  let sealedValues = 0
  try {
    const sealed = changeSensitive(content, ({ home, value }) => {
      if (value.kind !== 'open') throw new AppError('INTERNAL', 'a value to be exported was not open')
      sealedValues += 1
      const ciphertext = key.seal(Buffer.from(value.json, 'utf8'), contextOf(home)).toString('base64url')
      return { kind: 'envelope', envelope: `p2.${log2N}.${r}.${p}.${salt.toString('base64url')}.${ciphertext}` }
    })
    return { content: sealed, sealedValues }
  } finally {
    key.destroy()
  }
}

const envelopeForm = /^p[12]\.(\d{1,2})\.(\d{1,2})\.(\d{1,2})\.([A-Za-z0-9_-]{16,64})\.([A-Za-z0-9_-]+)$/

/**
 * The content with the values of an export open. Envelopes of other kinds stay for whoever knows them.
 *
 * @throws VAULT_PASSPHRASE_WRONG
 */
export async function openWithPassphrase(content: RegistryEntries, passphrase: string): Promise<RegistryEntries> {
  const keys = new Map<string, KeyEncryptionKey>()
  try {
    for (const prefix of prefixesIn(content)) keys.set(prefix, await derive(passphrase, derivationOf(prefix)))
    return changeSensitive(content, ({ path, home, value }) => {
      if (value.kind === 'open') return { kind: 'json', json: value.json }
      // Stays shut where nobody would seal it again; whoever checks the content says so.
      if (value.kind === 'sealed' && !isSensitivePlace({ path })) return { kind: 'envelope', envelope: value.envelope }
      if (value.kind === 'broken') return { kind: 'envelope', envelope: '' }
      const key = keys.get(prefixOf(value.envelope) ?? '')
      if (key === undefined) return { kind: 'envelope', envelope: value.envelope }
      return { kind: 'json', json: openOne(key, value.envelope, home) }
    })
  } finally {
    for (const key of keys.values()) key.destroy()
  }
}

/** Everything before the ciphertext: what the key depends on. */
function prefixOf(envelope: string): string | null {
  return envelopeForm.test(envelope) ? envelope.slice(0, envelope.lastIndexOf('.')) : null
}

function prefixesIn(content: RegistryEntries): ReadonlySet<string> {
  const prefixes = new Set<string>()
  changeSensitive(content, ({ value }) => {
    const prefix = value.kind === 'sealed' ? prefixOf(value.envelope) : null
    if (prefix !== null) prefixes.add(prefix)
    return { kind: 'nothing' }
  })
  if (prefixes.size > 16)
    throw new AppError('INVALID_INPUT', 'The text holds values of more than 16 exports. Import them one after another.')
  return prefixes
}

function derivationOf(prefix: string): Derivation {
  const [, log2N = 0, r = 0, p = 0] = prefix.split('.').map(Number)
  if (log2N < 1 || r < 1 || p < 1 || p > 4 || 2 ** log2N * r > highestCost)
    throw new AppError(
      'INVALID_INPUT',
      'A sealed value asks for more memory than any export of Lockstep. Export again.',
    )
  return { log2N, r, p, salt: Buffer.from(prefix.split('.')[4] ?? '', 'base64url') }
}

function openOne(key: KeyEncryptionKey, envelope: string, home: string): string {
  try {
    const sealed = Buffer.from(envelope.slice(envelope.lastIndexOf('.') + 1), 'base64url')
    return key.open(sealed, envelope.startsWith('p2.') ? contextOf(home) : contextV1).toString('utf8')
  } catch (cause) {
    const message =
      'The passphrase is not the one this text was exported with, or a sealed value was changed or moved to another entry.'
    throw new AppError('VAULT_PASSPHRASE_WRONG', message, { cause })
  }
}
