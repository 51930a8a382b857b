import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createSubjectKey } from '../../../src/engine/pki/identities.ts'
import { createCertificateAuthority } from '../../../src/engine/pki/signing.ts'
import { createStepCaIssuer, type StepCaIssuer } from '../../../src/engine/pki/stepCaIssuer.ts'
import type { CertificateAuthority, SigningRequest } from '../../../src/engine/ports.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { createIdSource } from '../../../src/platform/ids.ts'
import { decodeCertificate } from '../../../src/platform/openssh/certificate.ts'
import { parsePublicKeyLine } from '../../../src/platform/openssh/publicKey.ts'
import type { StepCaSettings } from '../../../src/shared/model/stepCa.ts'
import { startStepCa, stepCaMissing, stepCaStartTimeoutMs, type TestStepCa } from '../../support/stepCa.ts'
import { createSigningStore, createTrust, memoryVault, type SigningStore, type TestTrust } from '../../support/trust.ts'
import { failureOf, removeDirectory, temporaryDirectory } from './harness.ts'

if (stepCaMissing !== null) console.warn(`skipped: ${stepCaMissing}`)

describe.skipIf(stepCaMissing !== null)('a step-ca in place of the embedded user authority', () => {
  let directory: string
  let ca: TestStepCa
  let settings: StepCaSettings
  let trust: TestTrust
  let keysDirectory: string
  let store: SigningStore
  let issuer: StepCaIssuer
  let authority: CertificateAuthority

  beforeAll(async () => {
    directory = await temporaryDirectory()
    ca = await startStepCa({ directory: join(directory, 'ca') })
    settings = { url: ca.url, rootFingerprint: ca.rootFingerprint, provisioner: ca.provisioner }
    trust = await createTrust()
  }, stepCaStartTimeoutMs)
  beforeEach(async () => {
    keysDirectory = await temporaryDirectory()
    store = createSigningStore()
    const shared = { store, clock: systemClock, newId: createIdSource(systemClock) }
    issuer = createStepCaIssuer({ keysDirectory, vault: memoryVault(), ...shared })
    authority = createCertificateAuthority({ authorities: trust.authorities, otherIssuer: issuer, ...shared })
    return () => removeDirectory(keysDirectory)
  })
  afterAll(async () => {
    await Promise.all([ca?.stop(), trust?.stop()])
    await removeDirectory(directory)
  })

  const request = (over: Partial<SigningRequest> = {}): SigningRequest => ({
    subjectPublicKey: createSubjectKey().publicKeyBlob,
    keyId: 'lockstep/automation/node-1',
    principals: ['sync-agent'],
    purpose: 'automation',
    lifetimeSeconds: 3_600,
    requestedBy: 'operator',
    reason: 'a run',
    ...over,
  })
  const decoded = (line: string) => decodeCertificate(parsePublicKeyLine(line).blob)
  const begin = async (): Promise<void> => {
    await issuer.configure(settings, ca.password, 'operator')
    await issuer.setActive(true)
  }

  it('S0.26 S0.29 proves pin, provisioner and password with a signature before it keeps them', async () => {
    await issuer.configure(settings, ca.password, 'operator')
    expect(await issuer.stored()).toMatchObject({ settings, active: false, userKeys: [{ publicKey: ca.sshUserCaKey }] })
    expect(store.certificates).toMatchObject([{ issuer: 'step-ca', purpose: 'external', principals: ['sync-agent'] }])
    const inspected = await issuer.inspect()
    expect(inspected.provisioners).toContainEqual(expect.objectContaining({ name: 'sync-provisioner', type: 'JWK' }))
  })

  it.each<[string, string, (good: StepCaSettings) => StepCaSettings, string]>([
    ['a wrong password', 'wrong', (good) => good, 'AUTHORITY_REFUSED'],
    ['a wrong provisioner', '', (good) => ({ ...good, provisioner: 'nobody' }), 'AUTHORITY_REFUSED'],
    ['a wrong pin', '', (good) => ({ ...good, rootFingerprint: '0'.repeat(64) }), 'AUTHORITY_ROOT_MISMATCH'],
  ])('S0.29 keeps nothing with %s', async (_label, password, change, code) => {
    const failure = await failureOf(issuer.configure(change(settings), password || ca.password, 'operator'))
    expect(failure.code).toBe(code)
    expect(await issuer.stored()).toBeNull()
    expect(await readdir(keysDirectory)).toEqual([])
    expect(store.certificates).toEqual([])
  })

  it('the password lies sealed, and is found in no row', async () => {
    await begin()
    await authority.sign([request()])
    const files = await readdir(keysDirectory)
    const contents = await Promise.all(files.map((name) => readFile(join(keysDirectory, name), 'utf8')))
    const rows = JSON.stringify([store.audit, store.certificates], (_key, value) =>
      typeof value === 'bigint' ? String(value) : value,
    )
    expect(files).not.toEqual([])
    for (const text of [...contents, rows]) expect(text).not.toContain(ca.password)
  })

  it('S0.20 signs through the pipeline: policy first, audit row before the signature, serial of the step-ca in the issue log', async () => {
    await begin()
    const [signed] = await authority.sign([request()])
    const certificate = decoded(signed?.certificate ?? '')
    expect(signed).toMatchObject({ issuer: 'step-ca', serial: String(certificate.serial), principals: ['sync-agent'] })
    expect(store.certificates.at(-1)).toEqual(signed)
    const audited = store.audit.length
    expect(await failureOf(authority.sign([request({ principals: ['root'] })]))).toMatchObject({
      code: 'CERTIFICATE_POLICY_REFUSED',
    })
    store.failAt = 'appendAudit'
    const asked = (await ca.log()).split('path=/1.0/ssh/sign').length
    await expect(authority.sign([request()])).rejects.toThrow('disk full')
    expect((await ca.log()).split('path=/1.0/ssh/sign')).toHaveLength(asked)
    expect(store.audit).toHaveLength(audited)
  })

  it('S0.19 gets what each purpose needs: a terminal, a limit, and nothing for automation', async () => {
    await begin()
    const limit = { 'source-address': '127.0.0.0/8' }
    const signed = await authority.sign([
      request(),
      request({ purpose: 'terminal', keyId: 'lockstep/terminal/node-1' }),
      request({ criticalOptions: limit }),
    ])
    const [plain, terminal, limited] = signed.map(({ certificate }) => decoded(certificate))
    expect([Object.keys(plain?.extensions ?? { x: '' }), Object.keys(terminal?.extensions ?? {})]).toEqual([
      [],
      ['permit-pty'],
    ])
    expect({ ...limited?.criticalOptions }).toEqual(limit)
  })

  it('signs with the embedded authority again once it is switched back', async () => {
    await begin()
    await issuer.setActive(false)
    expect(await authority.sign([request()])).toMatchObject([{ issuer: 'embedded' }])
  })
})
