import { createHmac, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto'
import type { RegistryEntries } from '../../core/registry/registryEntries.ts'
import { changeSensitive, isSensitivePlace, type SensitivePlace } from '../../core/registry/sensitive.ts'
import type { SourcePath } from '../../core/registry/sourceTree.ts'
import { KeyEncryptionKey } from '../../platform/keyVault.ts'
import { AppError } from '../../shared/errors.ts'
import type { Store } from '../ports.ts'
import { isPassphraseEnvelope } from './passphraseValues.ts'

/** Seals with the key vault of this engine. */
export interface ValueVault {
  /** @returns base64 @throws AppError VAULT_… while the vault is shut */
  seal(secret: Uint8Array, context: string): Promise<string>
  /** The caller wipes the result. */
  unseal(sealed: string, context: string): Promise<Buffer>
}

export interface ValueMistake {
  readonly path: SourcePath
  readonly message: string
}

export interface SealedContent {
  readonly content: RegistryEntries
  /** Envelopes that are none of ours. When there are any, the content is of no use. */
  readonly mistakes: readonly ValueMistake[]
}

/**
 * Sensitive values of registries at rest: `{"$sealed": "s2.<mark>.<ciphertext>"}`. The ciphertext is bound to registry, entry
 * and field, so that an envelope is worth nothing anywhere else. The mark is a keyed hash of the value alone: equal values
 * have equal marks, so that revisions are compared without opening anything, and nobody without the vault can test a guess.
 *
 * Envelopes `s1` of earlier versions are bound to nothing. They are taken only where a stored revision has them, and are
 * sealed anew, bound, by the next save that opens the vault.
 */
export interface SealedValues {
  /**
   * Every sensitive value sealed, every envelope checked. The vault is opened only for what is new.
   *
   * @param known revisions whose envelopes are trusted, and used again for equal values
   */
  seal(content: RegistryEntries, known: readonly RegistryEntries[]): Promise<SealedContent>
  /** As `seal`, for a look: what is new gets a mark, but no ciphertext, so the result must not be stored. */
  mark(content: RegistryEntries, known: readonly RegistryEntries[]): Promise<SealedContent>
  /** The content as it was written, for an export. */
  open(content: RegistryEntries): Promise<RegistryEntries>
}

const keySetting = 'registry.value-key'
const keyContext = 'registry/value-key'
/** Of what is bound to nothing. */
const valueContextV1 = 'registry/value'
const valueContext = (home: string): string => `registry/value/2/${home}`
const keySizeBytes = 32
const markLength = 22
const envelopeForm = /^s([12])\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]+)$/

const markIn = (envelope: string): string | null => envelopeForm.exec(envelope)?.[2] ?? null
const isBound = (envelope: string): boolean => envelopeForm.exec(envelope)?.[1] === '2'

/** The content with marks in the places of envelopes: equal texts for equal values, however often they were sealed. */
export function comparable(content: RegistryEntries): RegistryEntries {
  return changeSensitive(content, ({ value }) => {
    const mark = value.kind === 'sealed' ? markIn(value.envelope) : null
    return { kind: 'envelope', envelope: mark ?? 'unknown' }
  })
}

export function createSealedValues({
  store,
  vault,
}: {
  readonly store: Pick<Store, 'getSetting' | 'transact'>
  readonly vault: ValueVault
}): SealedValues {
  /** Made once; of two that are made at the same time the first one stays. */
  async function sealedKey(): Promise<string> {
    const stored = await store.getSetting(keySetting)
    if (stored !== null) return stored
    const fresh = randomBytes(keySizeBytes)
    const sealed = await vault.seal(fresh, keyContext).finally(() => fresh.fill(0))
    return store.transact(async (transaction) => {
      const other = await transaction.getSetting(keySetting)
      if (other === null) await transaction.setSetting(keySetting, sealed)
      return other ?? sealed
    })
  }

  let opened: Promise<ValueKeys> | null = null

  async function openKeys(): Promise<ValueKeys> {
    const key = await vault.unseal(await sealedKey(), keyContext)
    const keys = new ValueKeys(key)
    key.fill(0)
    return keys
  }

  /** Kept once they are open, as those of the authorities are: a check runs with every word somebody types. */
  async function withKeys<T>(use: (keys: ValueKeys) => T): Promise<T> {
    opened ??= openKeys()
    try {
      return use(await opened)
    } catch (error) {
      // A vault that was shut may be opened later.
      if (error instanceof AppError && error.code.startsWith('VAULT_')) opened = null
      throw error
    }
  }

  async function envelop(
    content: RegistryEntries,
    known: readonly RegistryEntries[],
    wrap: Sealing['wrap'],
  ): Promise<SealedContent> {
    const trusted = envelopesIn(known)
    return needsKeys(content, trusted)
      ? withKeys((keys) => sealAll(content, trusted, { keys, wrap }))
      : sealAll(content, trusted, null)
  }

  return {
    seal: (content, known) => envelop(content, known, (keys, { json, home }) => keys.seal(json, home)),
    mark: (content, known) => envelop(content, known, (keys, { json }) => `s2.${keys.markOf(json)}.new`),
    open: (content) =>
      needsKeys(content, noEnvelopes) ? withKeys((keys) => openAll(content, keys)) : Promise.resolve(content),
  }
}

/** Envelopes by what they belong to. */
type Envelopes = ReadonlyMap<string, ReadonlySet<string>>
const noEnvelopes: Envelopes = new Map()

function envelopesIn(contents: readonly RegistryEntries[]): Envelopes {
  const envelopes = new Map<string, Set<string>>()
  for (const content of contents)
    visit(content, ({ home, value }) => {
      if (value.kind !== 'sealed' || markIn(value.envelope) === null) return
      const there = envelopes.get(home) ?? new Set()
      envelopes.set(home, there.add(value.envelope))
    })
  return envelopes
}

function visit(content: RegistryEntries, look: (place: SensitivePlace) => void): void {
  changeSensitive(content, (place) => {
    look(place)
    return { kind: 'nothing' }
  })
}

const isTrusted = (envelope: string, home: string, trusted: Envelopes): boolean =>
  trusted.get(home)?.has(envelope) === true

function needsKeys(content: RegistryEntries, trusted: Envelopes): boolean {
  let needed = false
  visit(content, ({ home, value }) => {
    if (value.kind === 'open') needed = true
    if (value.kind === 'sealed' && envelopeForm.test(value.envelope) && !isTrusted(value.envelope, home, trusted))
      needed = true
  })
  return needed
}

interface Sealing {
  readonly keys: ValueKeys
  readonly wrap: (keys: ValueKeys, value: { readonly json: string; readonly home: string }) => string
}

function sealAll(content: RegistryEntries, trusted: Envelopes, sealing: Sealing | null): SealedContent {
  const mistakes: ValueMistake[] = []
  const sealed = changeSensitive(content, ({ path, home, value }) => {
    if (value.kind === 'open') {
      if (sealing === null) throw new AppError('INTERNAL', 'a sensitive value would have been kept open')
      return { kind: 'envelope', envelope: envelopeFor({ json: value.json, home }, trusted, sealing) }
    }
    const message = flawOf({ path, home, value }, trusted, sealing?.keys ?? null)
    if (message !== null) mistakes.push({ path, message })
    const envelope = value.kind === 'sealed' ? value.envelope : ''
    return { kind: 'envelope', envelope: message === null ? bound(envelope, home, sealing) : envelope }
  })
  return { content: sealed, mistakes }
}

/** The one that is there for the same value, unless it is bound to nothing; else a new one. */
function envelopeFor(
  value: { readonly json: string; readonly home: string },
  trusted: Envelopes,
  { keys, wrap }: Sealing,
): string {
  const mark = keys.markOf(value.json)
  const there = [...(trusted.get(value.home) ?? [])]
  return there.find((envelope) => isBound(envelope) && markIn(envelope) === mark) ?? wrap(keys, value)
}

/** An envelope from before, sealed anew for the place it is in. While the vault is shut it stays as it is. */
function bound(envelope: string, home: string, sealing: Sealing | null): string {
  if (sealing === null || isBound(envelope)) return envelope
  const json = sealing.keys.open(envelope, home)
  return json === null ? envelope : sealing.wrap(sealing.keys, { json, home })
}

const brokenEnvelope = 'holds "$sealed" beside or inside of something else; a sealed value is {"$sealed": "…"} alone'

const openPlace =
  'is a sealed value under a key that is not sensitive, where it would be shown once it is opened; call the key e.g. password, secret or token'

function flawOf(
  {
    path,
    home,
    value,
  }: Omit<SensitivePlace, 'value'> & { readonly value: Exclude<SensitivePlace['value'], { kind: 'open' }> },
  trusted: Envelopes,
  keys: ValueKeys | null,
): string | null {
  if (value.kind === 'broken') return brokenEnvelope
  if (!isSensitivePlace({ path })) return openPlace
  const { envelope } = value
  if (isTrusted(envelope, home, trusted)) return null
  if (isPassphraseEnvelope(envelope))
    return 'was sealed with a passphrase; import the text with that passphrase (lockstep registry import)'
  if (isBound(envelope) && keys?.open(envelope, home) != null) return null
  return 'is no value that was sealed for this entry and field; write the value itself, or import the text with its passphrase'
}

function openAll(content: RegistryEntries, keys: ValueKeys): RegistryEntries {
  return changeSensitive(content, ({ path, home, value }) => {
    const json = value.kind === 'sealed' && isSensitivePlace({ path }) ? keys.open(value.envelope, home) : null
    if (json === null) throw new AppError('VAULT_TAMPERED', 'A sealed value of the registry cannot be opened.')
    return { kind: 'json', json }
  })
}

/** The two keys that come out of the one in the settings. */
class ValueKeys {
  readonly #sealing: KeyEncryptionKey
  /** An object, because a key of bytes is looked through with every call. */
  readonly #marking: KeyObject

  constructor(key: Uint8Array) {
    const derive = (purpose: string): Buffer =>
      Buffer.from(hkdfSync('sha256', key, '', `lockstep registry ${purpose}`, keySizeBytes))
    const sealing = derive('seal')
    this.#sealing = new KeyEncryptionKey(sealing)
    sealing.fill(0)
    const marking = derive('mark')
    this.#marking = createSecretKey(marking)
    marking.fill(0)
  }

  markOf(json: string): string {
    return createHmac('sha256', this.#marking).update(json).digest('base64url').slice(0, markLength)
  }

  seal(json: string, home: string): string {
    const sealed = this.#sealing.seal(Buffer.from(json, 'utf8'), valueContext(home))
    return `s2.${this.markOf(json)}.${sealed.toString('base64url')}`
  }

  /**
   * Null for what was not sealed with this key, or for another place, or carries the mark of another value. For an envelope
   * that is bound to nothing, whoever asks has to know that it belongs here.
   */
  open(envelope: string, home: string): string | null {
    const [, version, mark, sealed] = envelopeForm.exec(envelope) ?? []
    if (mark === undefined || sealed === undefined) return null
    const context = version === '2' ? valueContext(home) : valueContextV1
    try {
      const json = this.#sealing.open(Buffer.from(sealed, 'base64url'), context).toString('utf8')
      return this.markOf(json) === mark ? json : null
    } catch {
      return null
    }
  }
}
