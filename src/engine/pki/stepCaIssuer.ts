import PQueue from 'p-queue'
import { checkCertificateRequest } from '../../core/ca/policy.ts'
import type { Clock } from '../../platform/clock.ts'
import type { IdSource } from '../../platform/ids.ts'
import type { KeyVault } from '../../platform/keyVault/keyVaultPort.ts'
import { connectStepCa, type StepCaClient } from '../../platform/stepCa/client.ts'
import { AppError } from '../../shared/errors.ts'
import type { IssuedCertificate } from '../../shared/model/certificate.ts'
import type { StepCaProvisioner, StepCaSettings } from '../../shared/model/stepCa.ts'
import type { Store, TrustedKey } from '../ports.ts'
import { createSubjectKey } from './identities.ts'
import { createProvisioners, type Provisioners } from './provisioners.ts'
import { auditRow, type CertificateDraft, draftCertificate, issueLogRow, type OtherIssuer } from './signing.ts'
import { type StoredStepCa, stepCaStorage } from './stepCaFile.ts'

interface StepCaIssuerDependencies {
  readonly keysDirectory: string
  readonly vault: KeyVault
  readonly store: Pick<Store, 'transact'>
  readonly clock: Clock
  readonly newId: IdSource
  readonly provisioners?: Provisioners
  /** A principal the policy allows, for the signature that proves a set-up. Default `sync-agent`. */
  readonly principal?: string
}

/** What it says about itself now. */
export interface StepCaReport {
  readonly provisioners: readonly StepCaProvisioner[]
  /** Its SSH user authorities now; others than those set up are not trusted by nodes. */
  readonly userKeys: readonly TrustedKey[]
}

/** A step-ca as issuer of user certificates. */
export interface StepCaIssuer extends OtherIssuer {
  stored(): Promise<Pick<StoredStepCa, 'settings' | 'active' | 'userKeys'> | null>
  /** The same without reading: null before the first read, too. */
  held(): Pick<StoredStepCa, 'userKeys'> | null
  /** The user authorities nodes must trust while it is set up; proven to be those it was set up with. */
  trustedKeys(): Promise<readonly TrustedKey[]>
  /** @throws AppError AUTHORITY_UNREACHABLE, AUTHORITY_ROOT_MISMATCH, AUTHORITY_REFUSED */
  inspect(): Promise<StepCaReport>
  /** Gets a certificate with these settings, audited like any other, and keeps them when that was faultless. */
  configure(settings: StepCaSettings, password: string, operator: string): Promise<void>
  setActive(active: boolean): Promise<void>
  remove(): Promise<void>
}

const parallelOrders = 4
/** step-ca signs nothing shorter for a user unless it is told to. */
const proofLifetimeSeconds = 300

export function createStepCaIssuer(dependencies: StepCaIssuerDependencies): StepCaIssuer {
  const { clock, store } = dependencies
  const storage = stepCaStorage(dependencies.keysDirectory, dependencies.vault)
  let client: { readonly key: string; readonly connected: StepCaClient } | null = null

  /** The pinned root is fetched once: every later call trusts that root alone. */
  async function connect(settings: StepCaSettings): Promise<StepCaClient> {
    const key = `${settings.url} ${settings.rootFingerprint}`
    if (client?.key === key) return client.connected
    const connected = await connectStepCa(settings, { clock })
    client = { key, connected }
    return connected
  }

  async function order(
    draft: CertificateDraft,
    ca: Pick<StoredStepCa, 'settings' | 'userKeys'>,
    password: string,
  ): Promise<IssuedCertificate> {
    const { content, policy, request } = draft
    const asked = Object.keys(content.extensions)
    const connected = await connect(ca.settings)
    const { certificate, line, signerFingerprint } = await connected.orderCertificate({
      type: content.type,
      publicKey: content.subjectBlob,
      keyId: content.keyId,
      principals: content.principals,
      lifetimeSeconds: request.lifetimeSeconds,
      extensions: asked,
      criticalOptions: content.criticalOptions,
      credential: { kind: 'password', provisioner: ca.settings.provisioner, password },
      judge: (terms) => [
        ...checkCertificateRequest(terms, policy),
        ...terms.extensions
          .filter((name) => !asked.includes(name))
          .map((name) => ({ message: `it has the extension ${name}, which nobody asked for` })),
      ],
    })
    if (!ca.userKeys.some(({ fingerprint }) => fingerprint === signerFingerprint))
      throw notUsed(ca.settings, 'it is signed by a key that nodes were not told to trust; set the step-ca up again')
    return issueLogRow(dependencies, {
      request,
      content: certificate,
      line,
      authorityFingerprint: signerFingerprint,
      issuer: 'step-ca',
    })
  }

  /** What was signed is logged even when another one of the batch failed: it exists, and can be revoked. */
  async function issueWith(
    drafts: readonly CertificateDraft[],
    ca: Pick<StoredStepCa, 'settings' | 'userKeys'>,
    password: string,
  ): Promise<IssuedCertificate[]> {
    const at = clock.nowMs()
    await store.transact((transaction) =>
      transaction.appendAudit(
        drafts.map((draft) => auditRow(draft, { at, serial: null, authorityFingerprint: null, issuer: 'step-ca' })),
      ),
    )
    const queue = new PQueue({ concurrency: parallelOrders })
    const outcomes = await Promise.allSettled(drafts.map((draft) => queue.add(() => order(draft, ca, password))))
    const issued = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    if (issued.length > 0) await store.transact((transaction) => transaction.insertCertificates(issued))
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    return issued
  }

  async function required(): Promise<StoredStepCa> {
    const stored = await storage.read()
    if (stored !== null) return stored
    throw new AppError('PRECONDITION_FAILED', 'No step-ca is set up. Set one up first.')
  }

  async function inspect(settings: StepCaSettings): Promise<StepCaReport> {
    const connected = await connect(settings)
    await connected.health()
    const [provisioners, keys] = await Promise.all([connected.provisioners(), connected.sshAuthorityKeys()])
    return {
      provisioners: provisioners.map(({ name, type, allows }) => ({ name, type, allows: [...allows] })),
      userKeys: keys.user.map(({ fingerprint, publicKey }) => ({ fingerprint, publicKey })),
    }
  }

  return {
    isActive: async () => (await storage.read())?.active === true,
    issue: async (drafts) => {
      if (drafts.length === 0) return []
      const stored = await required()
      return issueWith(drafts, stored, await storage.password(stored))
    },
    stored: () => storage.read(),
    held: () => storage.held(),
    trustedKeys: async () => {
      const stored = await storage.read()
      if (stored === null) return []
      await storage.password(stored)
      return [...stored.userKeys].sort((left, right) => (left.fingerprint < right.fingerprint ? -1 : 1))
    },
    inspect: async () => inspect((await required()).settings),
    configure: async (settings, password, operator) => {
      const { userKeys } = await inspect(settings)
      const draft = proofDraft(dependencies, operator)
      await issueWith([draft], { settings, userKeys: [...userKeys] }, password)
      const active = (await storage.read())?.active ?? false
      await storage.save({ settings, userKeys: [...userKeys], active }, password)
    },
    setActive: async (active) => void (await storage.setActive(await required(), active)),
    remove: () => storage.remove(),
  }
}

/** Over a key that nobody keeps: the certificate is of no use but to show that one can be had. */
function proofDraft(dependencies: StepCaIssuerDependencies, operator: string): CertificateDraft {
  const { policy } = (dependencies.provisioners ?? createProvisioners()).external
  return draftCertificate(
    {
      subjectPublicKey: createSubjectKey().publicKeyBlob,
      keyId: 'lockstep/step-ca-proof',
      principals: [dependencies.principal ?? 'sync-agent'],
      purpose: 'external',
      lifetimeSeconds: proofLifetimeSeconds,
      requestedBy: operator,
      reason: 'does the step-ca sign what we ask for?',
    },
    { policy, extensions: [], nowMs: dependencies.clock.nowMs() },
  )
}

function notUsed({ url }: StepCaSettings, why: string): AppError {
  return new AppError('CERTIFICATE_INVALID', `the certificate from step-ca at ${url} is not used: ${why}`, {
    data: { url, flaws: [why] },
  })
}
