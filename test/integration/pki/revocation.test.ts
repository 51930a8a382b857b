import { spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { canarySerial } from '../../../src/core/ca/canary.ts'
import { createPlanService } from '../../../src/engine/fleet/planService.ts'
import { createTrustService, type TrustService } from '../../../src/engine/fleet/trustService.ts'
import { createIdentities } from '../../../src/engine/pki/identities.ts'
import type { Pki } from '../../../src/engine/pki/pki.ts'
import type { CertificateIdentity, Identities, SigningRequest } from '../../../src/engine/ports.ts'
import { createLoginProbe } from '../../../src/engine/ssh/loginProbe.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { createIdSource } from '../../../src/platform/ids.ts'
import { decodeCertificate } from '../../../src/platform/openssh/certificate.ts'
import { decodeKrl, isRevoked } from '../../../src/platform/openssh/krl.ts'
import { ed25519Blob, parsePublicKeyLine } from '../../../src/platform/openssh/publicKey.ts'
import type { RevocationTargets } from '../../../src/shared/contract/certificates.ts'
import type { IssuedCertificate } from '../../../src/shared/model/certificate.ts'
import { CertificateId } from '../../../src/shared/model/ids.ts'
import { aNode } from '../../fakes/aNode.ts'
import { createManualClock, type ManualClock } from '../../fakes/manualClock.ts'
import { sshdMissing, startSshd } from '../../support/sshd.ts'
import { nodeFor } from '../../support/trust.ts'
import { keygenMissing } from './keygen.ts'
import { contentDigestOf, createPkiRig, Died, failureOf, type PkiRig } from './pkiRig.ts'

const how = { by: 'ann@desk', reason: 'laptop lost' }
const dayMs = 86_400_000
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
const blobOf = (certificate: IssuedCertificate) => decodeCertificate(parsePublicKeyLine(certificate.certificate).blob)

async function issueOne(pki: Pki, over: Partial<SigningRequest> = {}): Promise<IssuedCertificate> {
  const [issued] = await pki.authority.sign([request(over)])
  if (issued === undefined) throw new Error('nothing was signed')
  return issued
}

describe('revocation', () => {
  let clock: ManualClock
  let rig: PkiRig
  beforeEach(async () => {
    clock = createManualClock()
    rig = await createPkiRig({ clock })
  })
  afterEach(() => rig.dispose())

  it('F56 the first list holds the canary alone, so that a node can be proven to obey it before anything is revoked', async () => {
    const { status, bytes } = await rig.pki.revocations.current()
    expect(status).toMatchObject({ version: 0, revokedCertificates: 0, updatedAt: null, sizeBytes: bytes.length })
    const list = decodeKrl(bytes)
    expect(list.authorities.map(({ serials }) => serials.has(canarySerial))).toEqual([true])
    const probe = await rig.pki.probes.revoked(aNode())
    expect(isRevoked(list, blobOf(probe.certificate))).toBe(true)
    expect(isRevoked(list, blobOf(await issueOne(rig.pki)))).toBe(false)
    expect(await rig.store.listCertificates({ nowMs: 0, limit: 10, purposes: ['probe'] })).toEqual([])
    const audited = (await rig.store.listAudit({ limit: 5 })).map(({ detail }) => detail.serial)
    expect(audited).toContain(String(canarySerial))
  })

  it('F55 F56 rows, audit, next version and event in one transaction; the same version has the same bytes for ever', async () => {
    const [first, second, kept] = [await issueOne(rig.pki), await issueOne(rig.pki), await issueOne(rig.pki)]
    const before = await rig.store.headSeq()
    const { revoked, krl } = await rig.pki.revocations.revoke([first.id], how)
    expect(revoked).toMatchObject([{ id: first.id, revocation: { revokedBy: 'ann@desk', reason: 'laptop lost' } }])
    expect(krl).toMatchObject({ version: 1, revokedCertificates: 1, updatedAt: clock.nowMs() })
    const kinds = (await rig.store.eventsAfter(before, 10)).map(({ change }) => change.kind)
    expect(kinds).toEqual(['certificate.revoked', 'krl.saved'])
    expect((await rig.store.listAudit({ limit: 1 }))[0]).toMatchObject({
      action: 'certificate.revoke',
      actor: 'ann@desk',
      detail: { serial: first.serial, reason: 'laptop lost', krlVersion: 1 },
    })
    const one = await rig.pki.revocations.current()
    clock.advance(dayMs)
    const again = await (await rig.reopen()).revocations.current()
    expect(Buffer.compare(again.bytes, one.bytes)).toBe(0)
    expect(again.status).toEqual(krl)

    await rig.pki.revocations.revoke([second.id], how)
    const list = decodeKrl((await rig.pki.revocations.current()).bytes)
    expect([first, second, kept].map((certificate) => isRevoked(list, blobOf(certificate)))).toEqual([
      true,
      true,
      false,
    ])
  })

  it('F55 revoking twice is revoking once: no new version, the first reason stays', async () => {
    const issued = await issueOne(rig.pki)
    await rig.pki.revocations.revoke([issued.id], how)
    const again = await rig.pki.revocations.revoke([issued.id], { by: 'bob@desk', reason: 'again' })
    expect(again).toMatchObject({ revoked: [], krl: { version: 1 } })
    let alongside = 0
    await rig.pki.revocations.revoke([issued.id], {
      by: 'bob@desk',
      reason: 'again',
      alongside: async () => {
        alongside += 1
      },
    })
    expect(alongside).toBe(1)
    const [row] = await rig.store.listCertificates({ nowMs: 0, limit: 1, ids: [issued.id] })
    expect(row?.revocation?.reason).toBe('laptop lost')
  })

  it('F55 F56 killed before or after the write, what is revoked and the list agree', async () => {
    const issued = await issueOne(rig.pki)
    await rig.pki.revocations.status()
    for (const when of ['before', 'after'] as const) {
      const { pki } = await rig.dying({ at: 1, when })
      await expect(pki.revocations.revoke([issued.id], how)).rejects.toThrow(Died)
      const { status, bytes } = await (await rig.reopen()).revocations.current()
      const [row] = await rig.store.listCertificates({ nowMs: 0, limit: 1, ids: [issued.id] })
      expect(status.version).toBe(when === 'before' ? 0 : 1)
      expect(row?.revocation !== null).toBe(when === 'after')
      expect(isRevoked(decodeKrl(bytes), blobOf(issued))).toBe(when === 'after')
    }
  })

  it('F55 during a rotation the list speaks of both authorities, and of the retired one as long as it matters', async () => {
    const oldOne = await issueOne(rig.pki, { lifetimeSeconds: 3600 })
    const change = { operator: 'ann@desk' }
    await rig.pki.authorities.startRotation('ssh-user', change)
    const during = decodeKrl((await rig.pki.revocations.current()).bytes)
    expect(during.version).toBe(1n)
    expect(during.authorities.map(({ serials }) => serials.has(canarySerial))).toEqual([true, true])
    await rig.pki.authorities.advanceRotation('ssh-user', change)
    const newOne = await issueOne(rig.pki)
    expect(newOne.authorityFingerprint).not.toBe(oldOne.authorityFingerprint)
    await rig.pki.revocations.revoke([oldOne.id, newOne.id], how)
    const probe = await rig.pki.probes.revoked(aNode())
    for (let step = 0; step < 2; step += 1) await rig.pki.authorities.advanceRotation('ssh-user', change)
    const list = decodeKrl((await (await rig.reopen()).revocations.current()).bytes)
    for (const certificate of [oldOne, newOne, probe.certificate])
      expect(isRevoked(list, blobOf(certificate))).toBe(true)
    expect(list.authorities.filter(({ serials }) => serials.has(canarySerial))).toHaveLength(1)
  })

  it('F56 what ended long ago leaves the list with the next version, and only then', async () => {
    const [first, second] = [await issueOne(rig.pki), await issueOne(rig.pki, { lifetimeSeconds: 57_600 })]
    await rig.pki.revocations.revoke([first.id], how)
    clock.advance(40 * dayMs)
    expect((await rig.pki.revocations.status()).revokedCertificates).toBe(1)
    await rig.pki.revocations.revoke([second.id], how)
    expect(await rig.pki.revocations.status()).toMatchObject({ version: 2, revokedCertificates: 0 })
  })
})

describe.skipIf(keygenMissing !== null || sshdMissing !== null)('the list before its judges', () => {
  let rig: PkiRig
  let directory: string
  beforeEach(async () => {
    rig = await createPkiRig()
    directory = await mkdtemp(join(tmpdir(), 'lockstep-krl-'))
  })
  afterEach(async () => {
    await rig.dispose()
    await rm(directory, { recursive: true })
  })

  it('F55 F56 U9 sshd refuses the canary and what is revoked, lets the others in, and ssh-keygen -Q agrees', async () => {
    const file = join(directory, 'krl')
    const deliver = async (): Promise<void> => writeFile(file, (await rig.pki.revocations.current()).bytes)
    await deliver()
    const { publicKey } = await rig.pki.authority.describe()
    const sshd = await startSshd({
      trustedUserCa: publicKey,
      principals: ['sync-agent'],
      extraConfig: [`RevokedKeys ${file}`],
    })
    try {
      const node = nodeFor(sshd)
      const identities = createIdentities({ authority: rig.pki.authority, clock: systemClock })
      const probe = createLoginProbe({ clock: systemClock, trustedHostKeys: async () => [] })
      const tryWith = async (identity: Parameters<typeof probe.attempt>[1]) =>
        (await probe.attempt(node, identity, { timeoutMs: 15_000 })).status
      const identity = await identities.ensure(node, 'automation')
      const other = await identities.ensure(nodeFor(sshd), 'automation')
      expect(await tryWith(await rig.pki.probes.revoked(node))).toBe('refused')
      expect(await tryWith(identity)).toBe('accepted')
      await rig.pki.revocations.revoke([identity.certificate.id], how)
      await deliver()
      expect(await tryWith(identity)).toBe('refused')
      expect(await tryWith(other)).toBe('accepted')
      expect(await tryWith(await rig.pki.probes.revoked(node))).toBe('refused')
      await writeFile(join(directory, 'one.pub'), `${identity.certificate.certificate}\n`)
      await writeFile(join(directory, 'two.pub'), `${other.certificate.certificate}\n`)
      const query = (name: string) => spawnSync('ssh-keygen', ['-Qf', file, join(directory, name)]).status
      expect([query('one.pub'), query('two.pub')]).toEqual([1, 0])
    } finally {
      await sshd.stop()
    }
  }, 60_000)
})

describe('revoking in the fleet', () => {
  let rig: PkiRig
  let trust: TrustService
  let identities: Identities<CertificateIdentity>
  let runs: number
  const dropped: string[] = []

  beforeEach(async () => {
    rig = await createPkiRig()
    runs = 0
    dropped.length = 0
    identities = createIdentities({ authority: rig.pki.authority, clock: systemClock })
    trust = createTrustService({
      store: rig.store,
      clock: systemClock,
      authorities: rig.pki.authorities,
      revocations: rig.pki.revocations,
      otherIssuerActive: async () => false,
      identities,
      sshPool: { drop: (nodeId) => dropped.push(nodeId) },
      deliver: async (plans) => {
        runs += plans.length
        return plans.length * 2
      },
      terminals: {
        list: () => [
          {
            id: CertificateId.parse('01900000-0000-7000-8000-0000000000dd') as never,
            nodeId: aNode().id,
            nodeName: 'node-01',
            openedAt: 0,
            status: 'open',
            exitCode: null,
          },
        ],
      },
      gateway: { status: () => Promise.reject(new Error('unused')), reloadCertificates: async () => undefined },
      renewSoon: () => undefined,
    })
    await rig.store.transact(async (transaction) => {
      await transaction.saveNode(aNode())
      await transaction.saveNode(aNode({ id: '01900000-0000-7000-8000-000000000002', name: 'alone' }))
    })
    const plans = createPlanService({
      store: rig.store,
      clock: systemClock,
      ids: createIdSource(systemClock),
      contentDigest: contentDigestOf(rig.pki),
    })
    const krl = { name: 'revoked', kind: 'krl', selector: 'name:node-01', spec: { file: '/etc/ssh/krl' } } as const
    const [applied] = await plans.apply([krl], 'ann')
    expect((await plans.apply([krl], 'ann'))[0]).toEqual(applied)
  })
  afterEach(() => rig.dispose())

  it('F55 N4 U9 shows who is hit, then revokes, stops using it here, and sends the list to every node at once', async () => {
    const automation = await identities.ensure(aNode(), 'automation')
    const terminal = await identities.ensure(aNode(), 'terminal')
    const targets: RevocationTargets = { kind: 'nodes', nodes: ['node-01'] }
    const preview = await trust.previewRevocation(targets)
    expect(preview.certificates.map(({ id }) => id).sort()).toEqual(
      [automation.certificate.id, terminal.certificate.id].sort(),
    )
    expect(preview).toMatchObject({
      skipped: 0,
      nodes: [aNode().id],
      openTerminals: 1,
      openRuns: 0,
      coveredNodes: 1,
      uncoveredNodes: ['alone'],
    })
    const outcome = await trust.revoke(targets, { reason: 'stolen', operator: 'ann@desk' })
    expect(outcome).toMatchObject({ krl: { version: 1, revokedCertificates: 2 }, runs: 2 })
    expect(identities.all()).toEqual([])
    expect(dropped).toEqual([aNode().id])
    const plan = await rig.store.findPlanByName('revoked')
    expect(plan?.revision).toBe(2)
    expect((await rig.store.findNodeByName('node-01'))?.plans[0]?.desiredRevision).toBe(2)

    const again = await trust.revoke(targets, { reason: 'again', operator: 'ann@desk' })
    expect(again).toMatchObject({ revoked: [], runs: 0 })
    expect(runs).toBe(1)
    const fresh = await identities.ensure(aNode(), 'automation')
    expect(fresh.certificate.id).not.toBe(automation.certificate.id)
    expect((await trust.krlFile()).krl).toEqual(outcome.krl)
  })

  it('F54 F55 a host certificate is found by its serial too', async () => {
    await rig.pki.authorities.create(['ssh-host'], 'ann')
    const host = await issueOne(rig.pki, { purpose: 'host', principals: ['edge-1'] })
    const targets: RevocationTargets = { kind: 'serials', serials: [host.serial] }
    expect(await trust.previewRevocation(targets)).toMatchObject({ certificates: [{ id: host.id }] })
  })

  it('F55 by serial, of our user authority; what nobody issued is refused whole', async () => {
    const [one, two] = [await issueOne(rig.pki), await issueOne(rig.pki)]
    const unknown: RevocationTargets = { kind: 'serials', serials: [one.serial, '987654321'] }
    expect(await failureOf(trust.revoke(unknown, { reason: 'x', operator: 'ann' }))).toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('987654321'),
    })
    expect(await rig.store.listCertificates({ nowMs: 0, limit: 5, standing: 'revoked' })).toEqual([])
    const both: RevocationTargets = { kind: 'serials', serials: [one.serial, two.serial] }
    await trust.revoke({ kind: 'certificates', ids: [one.id] }, { reason: 'x', operator: 'ann' })
    expect(await trust.previewRevocation(both)).toMatchObject({ skipped: 1, certificates: [{ id: two.id }] })
    const absent: RevocationTargets = {
      kind: 'certificates',
      ids: [CertificateId.parse('01900000-0000-7000-8000-0000000000ff')],
    }
    expect((await failureOf(trust.previewRevocation(absent))).code).toBe('NOT_FOUND')
  })
})
