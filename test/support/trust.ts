import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AuthorityKeys, createAuthorities } from '../../src/engine/pki/authorities.ts'
import { createIdentities } from '../../src/engine/pki/identities.ts'
import type { Provisioners } from '../../src/engine/pki/provisioners.ts'
import { createCertificateAuthority, type SigningPipeline } from '../../src/engine/pki/signing.ts'
import type {
  CertificateAuthority,
  CertificateIdentity,
  Identities,
  NewAuditEntry,
  Store,
  StoreTransaction,
} from '../../src/engine/ports.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { createIdSource } from '../../src/platform/ids.ts'
import { KeyEncryptionKey } from '../../src/platform/keyVault/keyEncryptionKey.ts'
import type { KeyVault } from '../../src/platform/keyVault/keyVaultPort.ts'
import { fingerprintOf, parsePublicKeyLine } from '../../src/platform/openssh/publicKey.ts'
import type { IssuedCertificate } from '../../src/shared/model/certificate.ts'
import type { FleetNode, PinnedHostKey } from '../../src/shared/model/node.ts'
import { aNode } from '../fakes/aNode.ts'
import type { TestSshd } from './sshd.ts'

/** A vault that forgets its key with the process. */
export function memoryVault(): KeyVault {
  const bytes = KeyEncryptionKey.generate().copyForHandover()
  return { kind: 'memory', describe: () => 'memory of a test', unlock: async () => new KeyEncryptionKey(bytes) }
}

/** The part of the store that signing needs, with the rule that a transaction is whole or nothing. */
export interface SigningStore extends Pick<Store, 'transact' | 'getSetting'> {
  readonly audit: NewAuditEntry[]
  readonly settings: Map<string, string>
  readonly certificates: IssuedCertificate[]
  /** Throws inside the named step of the next transaction that takes it. */
  failAt: 'reserveSerials' | 'appendAudit' | 'insertCertificates' | 'commit' | null
  readonly steps: string[]
}

export function createSigningStore(): SigningStore {
  const audit: NewAuditEntry[] = []
  const certificates: IssuedCertificate[] = []
  const settings = new Map<string, string>()
  let nextSerial = 1n
  let queue: Promise<unknown> = Promise.resolve()
  const store: SigningStore = {
    audit,
    certificates,
    settings,
    getSetting: async (key) => settings.get(key) ?? null,
    failAt: null,
    steps: [],
    transact: (body) => {
      const result = queue.then(() => run(body))
      queue = result.catch(() => undefined)
      return result
    },
  }
  const step = (name: NonNullable<SigningStore['failAt']>): void => {
    store.steps.push(name)
    if (store.failAt !== name) return
    store.failAt = null
    throw new Error(`disk full at ${name}`)
  }
  async function run<T>(body: (transaction: StoreTransaction) => Promise<T>): Promise<T> {
    const newAudit: NewAuditEntry[] = []
    const newCertificates: IssuedCertificate[] = []
    const newSettings = new Map<string, string>()
    let reserved = nextSerial
    const transaction: Partial<StoreTransaction> = {
      reserveSerials: async (count) => {
        step('reserveSerials')
        const first = reserved
        reserved += BigInt(count)
        return first
      },
      appendAudit: async (entries) => {
        step('appendAudit')
        newAudit.push(...entries)
      },
      insertCertificates: async (rows) => {
        step('insertCertificates')
        newCertificates.push(...rows)
      },
      getSetting: async (key) => newSettings.get(key) ?? settings.get(key) ?? null,
      setSetting: async (key, value) => void newSettings.set(key, value),
      announce: async () => undefined,
    }
    const result = await body(transaction as StoreTransaction)
    step('commit')
    nextSerial = reserved
    audit.push(...newAudit)
    certificates.push(...newCertificates)
    for (const [key, value] of newSettings) settings.set(key, value)
    return result
  }
  return store
}

export interface TestTrust {
  readonly keysDirectory: string
  readonly store: SigningStore
  readonly vault: KeyVault
  readonly authorities: AuthorityKeys
  readonly authority: CertificateAuthority & SigningPipeline
  readonly identities: Identities<CertificateIdentity>
  /** Public key line for TrustedUserCAKeys. */
  readonly publicKey: string
  stop(): Promise<void>
}

/** A whole certificate authority in a temporary directory. */
export async function createTrust(options: { readonly provisioners?: Provisioners } = {}): Promise<TestTrust> {
  const keysDirectory = await mkdtemp(join(tmpdir(), 'lockstep-keys-'))
  const store = createSigningStore()
  const vault = memoryVault()
  const authorities = createAuthorities({ keysDirectory, vault, clock: systemClock, store })
  const authority = createCertificateAuthority({
    authorities,
    store,
    clock: systemClock,
    newId: createIdSource(systemClock),
    ...options,
  })
  const identities = createIdentities({ authority, clock: systemClock })
  const { publicKey } = await authority.describe()
  return {
    keysDirectory,
    store,
    vault,
    authorities,
    authority,
    identities,
    publicKey,
    stop: () => rm(keysDirectory, { recursive: true, force: true }),
  }
}

export function pinOf(publicKeyLine: string): PinnedHostKey {
  const { keyType, blob } = parsePublicKeyLine(publicKeyLine)
  return {
    keyType,
    publicKey: blob.toString('base64'),
    fingerprint: fingerprintOf(blob),
    pinnedAt: 0,
    pinnedBy: 'test',
  }
}

let nodeNumber = 0

/** A registered node for a test sshd, with its host keys accepted. */
export function nodeFor(sshd: TestSshd, overrides: Partial<Record<keyof FleetNode, unknown>> = {}): FleetNode {
  nodeNumber += 1
  return aNode({
    id: `01900000-0000-7000-8000-${String(nodeNumber).padStart(12, '0')}`,
    name: `node-${nodeNumber}`,
    address: sshd.address,
    port: sshd.port,
    user: sshd.user,
    hostKeys: sshd.hostKeys.map(pinOf),
    // Never the sshd of this machine: what changes sshd finds the one of the test.
    sshd: {
      configFile: join(sshd.directory, 'sshd_config'),
      reload: { kind: 'pid-file', file: join(sshd.directory, 'pid') },
    },
    ...overrides,
  })
}
