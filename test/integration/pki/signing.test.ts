import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createIdentities } from '../../../src/engine/pki/identities.ts'
import { createProvisioners } from '../../../src/engine/pki/provisioners.ts'
import type { SigningRequest } from '../../../src/engine/ports.ts'
import { decodeCertificate, verifyCertificate } from '../../../src/platform/openssh/certificate.ts'
import { ed25519Blob, parsePublicKeyLine } from '../../../src/platform/openssh/publicKey.ts'
import { WireWriter } from '../../../src/platform/openssh/wire.ts'
import { toAppError } from '../../../src/shared/errors.ts'
import { aNode } from '../../fakes/aNode.ts'
import { createManualClock } from '../../fakes/manualClock.ts'
import { createTrust, type TestTrust } from '../../support/trust.ts'

const request = (over: Partial<SigningRequest> = {}): SigningRequest => ({
  subjectPublicKey: ed25519Blob(generateKeyPairSync('ed25519').publicKey),
  keyId: 'test',
  principals: ['sync-agent'],
  purpose: 'external',
  lifetimeSeconds: 600,
  requestedBy: 'operator',
  reason: 'test',
  ...over,
})

describe('the signing pipeline', () => {
  let trust: TestTrust
  beforeAll(async () => {
    trust = await createTrust()
  })
  beforeEach(() => {
    trust.store.steps.length = 0
  })
  afterAll(() => trust.stop())

  const failureOf = (promise: Promise<unknown>) =>
    promise.then(
      () => null,
      (error: unknown) => toAppError(error),
    )

  it('writes the audit row before, and the issue log after the signature; the row says what was signed', async () => {
    const [issued] = await trust.authority.sign([
      request({ criticalOptions: { 'force-command': 'true' }, extensions: ['permit-pty'] }),
    ])
    expect(trust.store.steps).toEqual(['reserveSerials', 'appendAudit', 'commit', 'insertCertificates', 'commit'])
    const decoded = decodeCertificate(parsePublicKeyLine(issued?.certificate ?? '').blob)
    expect(verifyCertificate(decoded)).toBe(true)
    expect(trust.store.audit.at(-1)).toMatchObject({
      actor: 'operator',
      action: 'certificate.issue',
      detail: {
        serial: String(decoded.serial),
        principals: ['sync-agent'],
        policy: 'external',
        subjectFingerprint: issued?.subjectFingerprint,
        criticalOptions: { 'force-command': 'true' },
        extensions: ['permit-pty'],
      },
    })
    expect(trust.store.certificates.at(-1)).toEqual(issued)
  })

  it.each(['reserveSerials', 'appendAudit', 'commit', 'insertCertificates'] as const)(
    'a store that fails at %s lets no certificate out',
    async (step) => {
      const before = { audit: trust.store.audit.length, certificates: trust.store.certificates.length }
      trust.store.failAt = step
      expect(await failureOf(trust.authority.sign([request(), request()]))).toMatchObject({
        message: expect.stringContaining('disk full'),
      })
      expect(trust.store.certificates).toHaveLength(before.certificates)
      if (step !== 'insertCertificates') expect(trust.store.audit).toHaveLength(before.audit)
      expect(await trust.authority.sign([request()])).toHaveLength(1)
    },
  )

  it('S0.20 D2 one bad request and none is signed, with every violation named', async () => {
    const before = trust.store.audit.length
    const failure = await failureOf(
      trust.authority.sign([
        request(),
        request({ principals: ['root', '*'], lifetimeSeconds: 100_000, extensions: ['permit-port-forwarding'] }),
      ]),
    )
    expect(failure?.code).toBe('CERTIFICATE_POLICY_REFUSED')
    expect(((failure?.data?.violations ?? []) as { field: string }[]).map((violation) => violation.field)).toEqual([
      'principals',
      'principals',
      'lifetimeSeconds',
      'extensions',
    ])
    expect(trust.store.audit).toHaveLength(before)
  })

  it('certifies no RSA key, no broken key, and not the key of the authority itself', async () => {
    const rsa = new WireWriter()
      .string('ssh-rsa')
      .string(Buffer.from([1, 0, 1]))
      .string(Buffer.alloc(256, 7))
      .bytes()
    expect((await failureOf(trust.authority.sign([request({ subjectPublicKey: rsa })])))?.code).toBe('INVALID_INPUT')
    expect((await failureOf(trust.authority.sign([request({ subjectPublicKey: Buffer.from('x') })])))?.code).toBe(
      'INVALID_INPUT',
    )
    const own = parsePublicKeyLine(trust.publicKey).blob
    expect((await failureOf(trust.authority.sign([request({ subjectPublicKey: own })])))?.code).toBe(
      'CERTIFICATE_POLICY_REFUSED',
    )
  })

  it('serials stay unique under many batches at once', async () => {
    const batches = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        trust.authority.sign(Array.from({ length: index + 1 }, () => request())),
      ),
    )
    const serials = batches.flat().map((issued) => issued.serial)
    expect(new Set(serials).size).toBe(210)
  })

  it('extensions start from none: only a terminal gets a pty, and automation may not even ask', async () => {
    const [automation, terminal, external] = await trust.authority.sign([
      request({ purpose: 'automation' }),
      request({ purpose: 'terminal' }),
      request({ purpose: 'external' }),
    ])
    expect([automation?.extensions, terminal?.extensions, external?.extensions]).toEqual([[], ['permit-pty'], []])
    expect(
      (await failureOf(trust.authority.sign([request({ purpose: 'automation', extensions: ['permit-pty'] })])))?.code,
    ).toBe('CERTIFICATE_POLICY_REFUSED')
  })

  it('another principal needs another policy', async () => {
    const other = await createTrust({ provisioners: createProvisioners('^(sync-agent|deploy)$') })
    expect((await other.authority.sign([request({ principals: ['deploy'] })]))[0]?.principals).toEqual(['deploy'])
    expect((await failureOf(other.authority.sign([request({ principals: ['deployer'] })])))?.code).toBe(
      'CERTIFICATE_POLICY_REFUSED',
    )
    await other.stop()
  })
})

describe('identities', () => {
  let trust: TestTrust
  beforeAll(async () => {
    trust = await createTrust()
  })
  afterAll(() => trust.stop())

  const node = (number: number, over = {}) =>
    aNode({ id: `01900000-0000-7000-8000-${String(number).padStart(12, '0')}`, name: `n${number}`, ...over })

  it('many who ask at once for one node share one certificate; purposes do not', async () => {
    const before = trust.store.certificates.length
    const automation = await Promise.all(
      Array.from({ length: 20 }, () => trust.identities.ensure(node(1), 'automation')),
    )
    expect(new Set(automation.map((identity) => identity.certificate.serial)).size).toBe(1)
    const terminal = await trust.identities.ensure(node(1), 'terminal')
    expect(terminal.certificate.serial).not.toBe(automation[0]?.certificate.serial)
    expect(trust.store.certificates.length - before).toBe(2)
  })

  it('one batch for many nodes, each with a key of its own, in the order asked for', async () => {
    const nodes = [node(10), node(11), node(10), node(12)]
    trust.store.steps.length = 0
    const identities = await trust.identities.ensureMany(nodes, 'automation')
    expect(identities.map((identity) => identity.nodeId)).toEqual(nodes.map(({ id }) => id))
    expect(new Set(identities.map((identity) => identity.certificate.subjectFingerprint)).size).toBe(3)
    expect(trust.store.steps.filter((step) => step === 'commit')).toHaveLength(2)
  })

  it('S0.38 keeps what is valid long enough, renews what is not, and what has another principal', async () => {
    const first = await trust.identities.ensure(node(20), 'automation')
    expect(await trust.identities.ensure(node(20), 'automation', { minValidMs: 10_000_000 })).toBe(first)
    const almost = 57_600_000 * 0.9
    expect(await trust.identities.ensure(node(20), 'automation', { minValidMs: almost })).toBe(first)
    await expect(trust.identities.ensure(node(20, { principal: 'deploy' }), 'automation')).rejects.toMatchObject({
      code: 'CERTIFICATE_POLICY_REFUSED',
    })
    const other = await createTrust({ provisioners: createProvisioners('^(sync-agent|deploy)$') })
    const before = await other.identities.ensure(node(21), 'automation')
    const after = await other.identities.ensure(node(21, { principal: 'deploy' }), 'automation')
    expect([before.certificate.principals, after.certificate.principals]).toEqual([['sync-agent'], ['deploy']])
    await other.stop()
  })

  it('F53 renewing gives a new certificate over a new key, for the terminal too; forgetting forgets', async () => {
    const automation = await trust.identities.ensure(node(30), 'automation')
    const terminal = await trust.identities.ensure(node(30), 'terminal')
    const [renewed] = await trust.identities.renew([node(30)], { requestedBy: 'operator', reason: 'one click' })
    expect(renewed?.certificate.subjectFingerprint).not.toBe(automation.certificate.subjectFingerprint)
    expect(renewed?.certificate.requestedBy).toBe('operator')
    expect(trust.identities.current(node(30).id, 'automation')).toBe(renewed)
    expect(trust.identities.current(node(30).id, 'terminal')?.certificate.serial).not.toBe(terminal.certificate.serial)
    trust.identities.forget(node(30).id)
    expect(trust.identities.current(node(30).id, 'automation')).toBeNull()
  })

  it('a certificate that cannot be renewed is used while it lasts, unless more was asked for', async () => {
    const clock = createManualClock(Date.now())
    const identities = createIdentities({ authority: trust.authority, clock, lifetimeSeconds: 57_600 })
    const first = await identities.ensure(node(60), 'automation')
    clock.advance(15.5 * 3_600_000)
    trust.store.failAt = 'appendAudit'
    expect(await identities.ensure(node(60), 'automation')).toBe(first)
    trust.store.failAt = 'appendAudit'
    await expect(identities.ensure(node(60), 'automation', { minValidMs: 3_600_000 })).rejects.toThrow('disk full')
    clock.advance(0.499 * 3_600_000)
    trust.store.failAt = 'appendAudit'
    await expect(identities.ensure(node(60), 'automation')).rejects.toThrow('disk full')
  })

  it('a failed issue is not remembered', async () => {
    trust.store.failAt = 'appendAudit'
    await expect(trust.identities.ensure(node(40), 'automation')).rejects.toThrow('disk full')
    expect((await trust.identities.ensure(node(40), 'automation')).nodeId).toBe(node(40).id)
  })

  it('no key can be printed or serialised', async () => {
    const identity = await trust.identities.ensure(node(50), 'automation')
    expect(JSON.stringify(identity)).not.toMatch(/private|"d":/i)
    expect(
      Object.values(identity).some((value) => typeof value === 'object' && value !== null && 'export' in value),
    ).toBe(false)
  })
})
