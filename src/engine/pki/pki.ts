import { createHash } from 'node:crypto'
import type { Clock } from '../../platform/clock.ts'
import type { IdSource } from '../../platform/ids.ts'
import type { KeyVault } from '../../platform/keyVault/keyVaultPort.ts'
import type { AuthorityKind } from '../../shared/model/certificate.ts'
import type {
  CertificateAuthority,
  ProbeIdentities,
  Store,
  StoreReader,
  StoreTransaction,
  X509Authority,
} from '../ports.ts'
import { type AuthorityKeys, createAuthorities } from './authorities.ts'
import { createProbeIdentities } from './probeIdentities.ts'
import { createProvisioners, principalPatternOf } from './provisioners.ts'
import { createRevocations, type RevocationList } from './revocations.ts'
import { createCertificateAuthority, type SigningPipeline } from './signing.ts'
import { createStepCaIssuer, type StepCaIssuer } from './stepCaIssuer.ts'
import { createX509Authority } from './x509Authority.ts'

interface PkiDependencies {
  readonly keysDirectory: string
  readonly vault: KeyVault
  readonly store: Pick<Store, 'transact' | 'getSetting' | 'listCertificates'>
  readonly clock: Clock
  readonly newId: IdSource
  /** Who may be certified, user certificates of every purpose. */
  readonly principals: readonly string[]
  /** Runs in each transaction that changes what is trusted, who signs, or what is revoked. */
  readonly onChange?: (transaction: StoreTransaction, kind: AuthorityKind) => Promise<void>
}

/** Everything that signs, put together. */
export interface Pki {
  readonly authorities: AuthorityKeys
  readonly authority: CertificateAuthority & SigningPipeline
  readonly probes: ProbeIdentities
  readonly revocations: RevocationList
  readonly x509: X509Authority
  readonly stepCa: StepCaIssuer
  /** Reads what lies in files, so that transactions need not. Needs no vault. */
  load(): Promise<void>
  /** SHA-256 of what plans of this kind deliver, as of this transaction. After {@link load}. */
  contentDigest(reader: Pick<StoreReader, 'getSetting' | 'listCertificates'>, kind: 'krl' | 'trust'): Promise<string>
}

export function createPki(dependencies: PkiDependencies): Pki {
  const { principals, clock, store } = dependencies
  const provisioners = createProvisioners(principalPatternOf(principals))
  const [principal] = principals
  const stepCa = createStepCaIssuer({
    ...dependencies,
    provisioners,
    ...(principal === undefined ? {} : { principal }),
  })
  const authorities = createAuthorities({
    ...dependencies,
    foreignUserKeys: () => stepCa.trustedKeys(),
    // The list holds a canary for each authority: another set of authorities is another list.
    onChange: async (transaction: StoreTransaction, kind: AuthorityKind) => {
      if (kind === 'ssh-user') await revocations.renew(transaction)
      await dependencies.onChange?.(transaction, kind)
    },
  })
  const authority = createCertificateAuthority({ ...dependencies, authorities, provisioners, otherIssuer: stepCa })
  const revocations = createRevocations({
    authorities,
    store,
    clock,
    onRevoked: async (transaction) => dependencies.onChange?.(transaction, 'ssh-user'),
  })
  async function trustDigest(reader: Pick<StoreReader, 'getSetting'>): Promise<string> {
    const ours = await authorities.trustedIn(reader, 'ssh-user')
    const theirs = stepCa.held()?.userKeys ?? []
    const lines = [...ours, ...theirs].map(({ publicKey }) => publicKey).sort()
    return createHash('sha256').update(lines.join('\n')).digest('hex')
  }

  return {
    load: async () => void (await Promise.all([authorities.list(), stepCa.stored()])),
    contentDigest: (reader, kind) => (kind === 'trust' ? trustDigest(reader) : revocations.digestIn(reader)),
    authorities,
    authority,
    probes: createProbeIdentities({ pipeline: authority, clock, provisioners }),
    revocations,
    x509: createX509Authority({ authorities, store, clock }),
    stepCa,
  }
}
