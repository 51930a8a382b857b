import { generateKeyPairSync } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createPlanService } from '../../../src/engine/fleet/planService.ts'
import { createTrustService, type TrustService } from '../../../src/engine/fleet/trustService.ts'
import { createIdentities } from '../../../src/engine/pki/identities.ts'
import type { Pki } from '../../../src/engine/pki/pki.ts'
import type { CertificateIdentity, Identities } from '../../../src/engine/ports.ts'
import { createLoginProbe } from '../../../src/engine/ssh/loginProbe.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { createIdSource } from '../../../src/platform/ids.ts'
import { ed25519Blob } from '../../../src/platform/openssh/publicKey.ts'
import { Agent } from '../../../src/shared/model/agent.ts'
import { type AuthorityKind, authorityKinds } from '../../../src/shared/model/certificate.ts'
import { AgentId, type PlanId, RunId } from '../../../src/shared/model/ids.ts'
import type { FleetNode } from '../../../src/shared/model/node.ts'
import { aNode } from '../../fakes/aNode.ts'
import { aDiagnosis } from '../../fakes/aRun.ts'
import { sshdMissing, startSshd, type TestSshd } from '../../support/sshd.ts'
import { nodeFor } from '../../support/trust.ts'
import { contentDigestOf, createPkiRig, Died, failureOf, type PkiRig } from './pkiRig.ts'

const change = { operator: 'ann@desk' }
const signerOf = async (pki: Pki, kind: AuthorityKind): Promise<string> =>
  kind === 'x509'
    ? (await pki.authorities.x509Signer()).fingerprint
    : (await pki.authorities.sshSigner(kind)).fingerprint
const trustedOf = async (pki: Pki, kind: AuthorityKind): Promise<string[]> => {
  const trusted = {
    'ssh-user': () => pki.authorities.trustedUserKeys(),
    'ssh-host': () => pki.authorities.trustedHostKeys(),
    x509: () => pki.x509.roots(),
  }
  return (await trusted[kind]()).map(({ fingerprint }) => fingerprint)
}

describe.each(authorityKinds)('replacing the authority %s', (kind) => {
  let rig: PkiRig
  let old: string
  beforeEach(async () => {
    rig = await createPkiRig()
    old = (await rig.pki.authorities.create([kind], 'ann@desk'))[0]?.fingerprint ?? ''
  })
  afterEach(() => rig.dispose())

  it('F55 both are trusted before the new one signs, and both until the old one goes', async () => {
    const { rotation } = await rig.pki.authorities.startRotation(kind, change)
    const fresh = rotation?.newFingerprint ?? ''
    expect(rotation).toMatchObject({ phase: 'trust', oldFingerprint: old, startedBy: 'ann@desk' })
    expect(await signerOf(rig.pki, kind)).toBe(old)
    expect((await trustedOf(rig.pki, kind)).sort()).toEqual([old, fresh].sort())

    expect(await rig.pki.authorities.advanceRotation(kind, change)).toMatchObject({ fingerprint: fresh })
    expect(await signerOf(rig.pki, kind)).toBe(fresh)
    expect((await trustedOf(rig.pki, kind)).sort()).toEqual([old, fresh].sort())

    await rig.pki.authorities.advanceRotation(kind, change)
    expect(await trustedOf(rig.pki, kind)).toEqual([fresh])
    const done = await rig.pki.authorities.advanceRotation(kind, change)
    expect(done).toMatchObject({ fingerprint: fresh, rotation: null })
    const again = await rig.reopen()
    expect(await again.authorities.list()).toEqual([done])
    expect(await signerOf(again, kind)).toBe(fresh)
    const steps = (await rig.store.listAudit({ limit: 20 })).filter(({ action }) => action === 'authority.rotate')
    expect(steps.map(({ detail }) => detail.to)).toEqual([null, 'retire', 'sign', 'trust'])
  })

  it.each([0, 1])(
    'F55 is rolled back after %d advance(s): the old one signs and the new one is destroyed',
    async (advances) => {
      const { rotation } = await rig.pki.authorities.startRotation(kind, change)
      for (let count = 0; count < advances; count += 1) await rig.pki.authorities.advanceRotation(kind, change)
      await rig.pki.authorities.rollBackRotation(kind, change)
      expect(await signerOf(rig.pki, kind)).toBe(old)
      await rig.pki.authorities.advanceRotation(kind, change)
      expect(await trustedOf(rig.pki, kind)).toEqual([old])
      const files = await readFile(join(rig.keysDirectory, fileOf[kind]), 'utf8')
      expect(JSON.parse(files)).toMatchObject({ version: 1 })
      expect(rotation?.newFingerprint).not.toBe(old)
      expect(await rig.pki.authorities.startRotation(kind, change)).toMatchObject({ rotation: { phase: 'trust' } })
    },
  )

  it('F55 refuses what does not fit the phase, and two clicks that mean one step', async () => {
    for (const step of ['advanceRotation', 'rollBackRotation'] as const)
      expect(await failureOf(rig.pki.authorities[step](kind, change))).toMatchObject({ code: 'PRECONDITION_FAILED' })
    await rig.pki.authorities.startRotation(kind, change)
    expect(await failureOf(rig.pki.authorities.startRotation(kind, change))).toMatchObject({
      code: 'PRECONDITION_FAILED',
    })
    const clicks = [1, 2].map(() => failureOf(rig.pki.authorities.advanceRotation(kind, { ...change, from: 'trust' })))
    expect((await Promise.all(clicks)).map(({ code }) => code).sort()).toEqual(['CONFLICT', 'none'])
    expect((await rig.pki.authorities.list())[0]?.rotation?.phase).toBe('sign')
  })

  const walk = ['startRotation', 'advanceRotation', 'advanceRotation', 'advanceRotation'] as const
  const back = ['startRotation', 'advanceRotation', 'rollBackRotation', 'advanceRotation'] as const

  it.each([
    ['to the end', walk],
    ['and back', back],
  ] as const)(
    'F55 killed at every write of the way %s, a new process finds an authority that works',
    async (_name, way) => {
      for (const [index, step] of way.entries()) {
        for (const when of ['before', 'after'] as const) {
          const before = (await rig.pki.authorities.list())[0]
          const { pki } = await rig.dying({ at: 1, when })
          await expect(pki.authorities[step](kind, change)).rejects.toThrow(Died)
          const survivor = await rig.reopen()
          const [found] = await survivor.authorities.list()
          const signer = await signerOf(survivor, kind)
          expect(found?.fingerprint).toBe(signer)
          expect(await trustedOf(survivor, kind)).toContain(signer)
          if (when === 'before') expect(found).toEqual(before)
          else if (index === way.length - 1) expect(found?.rotation).toBeNull()
          else expect(found?.rotation?.phase).not.toBe(before?.rotation?.phase)
          if (when === 'before') continue
        }
      }
      const [end] = await (await rig.reopen()).authorities.list()
      expect(end?.rotation).toBeNull()
      const file = await readFile(join(rig.keysDirectory, fileOf[kind]), 'utf8')
      expect(JSON.parse(file)).toMatchObject({ version: 1 })
    },
  )
})

const fileOf = { 'ssh-user': 'user-ca.json', 'ssh-host': 'host-ca.json', x509: 'x509-ca.json' } as const

describe.skipIf(sshdMissing !== null)('a rotation on a real node', () => {
  let rig: PkiRig
  let sshd: TestSshd
  beforeEach(async () => {
    rig = await createPkiRig()
    const { publicKey } = await rig.pki.authority.describe()
    sshd = await startSshd({ trustedUserCa: publicKey, principals: ['sync-agent'] })
  })
  afterEach(async () => {
    await sshd.stop()
    await rig.dispose()
  })

  it('F55 S0.18 sshd takes old and new together, then the new one alone, and the retired one no more', async () => {
    const node = nodeFor(sshd)
    const { authorities, probes } = rig.pki
    const probe = createLoginProbe({ clock: systemClock, trustedHostKeys: () => authorities.trustedHostKeys() })
    const { rotation } = await authorities.startRotation('ssh-user', change)
    const { oldFingerprint = '', newFingerprint = '' } = rotation ?? {}
    const tryBoth = async (): Promise<string[]> => {
      const results = []
      for (const fingerprint of [oldFingerprint, newFingerprint]) {
        const identity = await probes.signedBy(node, fingerprint)
        results.push((await probe.attempt(node, identity, { timeoutMs: 15_000 })).status)
      }
      return results
    }
    // sshd reads the file at each login: delivering is writing it.
    const deliver = async (): Promise<void> => {
      const lines = (await authorities.trustedUserKeys()).map(({ publicKey }) => `${publicKey}\n`)
      await writeFile(join(sshd.directory, 'user_ca.pub'), lines.join(''))
    }
    expect(await tryBoth()).toEqual(['accepted', 'refused'])
    await deliver()
    expect(await tryBoth()).toEqual(['accepted', 'accepted'])
    await authorities.advanceRotation('ssh-user', change)
    await deliver()
    expect(await tryBoth()).toEqual(['accepted', 'accepted'])
    const retired = await probes.signedBy(node, oldFingerprint)
    await authorities.advanceRotation('ssh-user', change)
    await deliver()
    expect((await probe.attempt(node, retired, { timeoutMs: 15_000 })).status).toBe('refused')
    await authorities.advanceRotation('ssh-user', change)
    expect(await failureOf(probes.signedBy(node, oldFingerprint))).toMatchObject({ code: 'NOT_FOUND' })
    const current = await probes.signedBy(node, newFingerprint)
    expect((await probe.attempt(node, current, { timeoutMs: 15_000 })).status).toBe('accepted')
  }, 60_000)
})

describe('the gates of a rotation', () => {
  let rig: PkiRig
  let trust: TrustService
  let identities: Identities<CertificateIdentity>
  let delivered: string[]
  let woken: number
  let gatewayRoot: string
  const dropped: string[] = []

  beforeEach(async () => {
    rig = await createPkiRig()
    delivered = []
    woken = 0
    gatewayRoot = ''
    dropped.length = 0
    identities = createIdentities({ authority: rig.pki.authority, clock: systemClock })
    trust = createTrustService({
      store: rig.store,
      clock: systemClock,
      authorities: rig.pki.authorities,
      revocations: rig.pki.revocations,
      otherIssuerActive: () => rig.pki.stepCa.isActive(),
      identities,
      sshPool: { drop: (nodeId) => dropped.push(nodeId) },
      deliver: async (plans: readonly PlanId[]) => {
        for (const id of plans) delivered.push((await rig.store.getPlan(id))?.kind ?? 'none')
        return plans.length
      },
      terminals: { list: () => [] },
      gateway: {
        status: async () => ({
          settings: null,
          listening: gatewayRoot !== '',
          port: 1,
          url: null,
          problem: null,
          rootFingerprint: gatewayRoot,
          certificateValidBefore: null,
          openConnections: 0,
        }),
        reloadCertificates: async () => undefined,
      },
      renewSoon: () => {
        woken += 1
      },
    })
    await trust.createAuthorities(authorityKinds, 'ann@desk')
  })
  afterEach(() => rig.dispose())

  const save = (node: FleetNode): Promise<void> => rig.store.transact((transaction) => transaction.saveNode(node))
  const applyTrustPlan = async (): Promise<void> => {
    const plans = createPlanService({
      store: rig.store,
      clock: systemClock,
      ids: createIdSource(systemClock),
      contentDigest: contentDigestOf(rig.pki),
    })
    await plans.apply(
      [
        { name: 'trusted keys', kind: 'trust', selector: '*', spec: { file: '/etc/ssh/ca.pub' } },
        { name: 'revoked', kind: 'krl', selector: '*', spec: { file: '/etc/ssh/krl' } },
      ],
      'ann@desk',
    )
  }
  /** As after a run that read the right content back. */
  const observe = async (name: string): Promise<void> => {
    const node = (await rig.store.findNodeByName(name)) as FleetNode
    const runId = RunId.parse('01900000-0000-7000-8000-0000000000cc')
    await save({
      ...node,
      plans: node.plans.map((state) => ({
        ...state,
        observed: { revision: state.desiredRevision, digest: 'a'.repeat(64), verifiedAt: 1, runId },
      })),
    })
  }
  const accept = async (name: string, authorityFingerprint: string): Promise<void> => {
    const node = (await rig.store.findNodeByName(name)) as FleetNode
    const certificate = { serial: '1', authorityFingerprint, validAfter: 0, validBefore: 1e13, acceptedAt: 1 }
    await save({ ...node, certificate })
  }

  it('F55 users: every node must have the new key, then have taken a certificate of it; who waits is named with why', async () => {
    const nodeIds = ['1', '2'].map((digit) => `01900000-0000-7000-8000-00000000000${digit}`)
    await save(aNode({ id: nodeIds[0], name: 'node-01' }))
    await save(aNode({ id: nodeIds[1], name: 'node-02' }))
    expect(await trust.rotationProgress('ssh-user')).toBeNull()
    const started = await trust.startRotation('ssh-user', 'ann@desk')
    expect(await trust.rotationProgress('ssh-user')).toMatchObject({
      total: 2,
      proven: 0,
      ready: false,
      waiting: [{ name: 'node-01', why: 'no plan of kind trust selects it' }, { name: 'node-02' }],
    })
    await applyTrustPlan()
    await observe('node-01')
    const diagnosis = aDiagnosis({ code: 'CONNECTION_REFUSED' })
    const lost = (await rig.store.findNodeByName('node-02')) as FleetNode
    await save({ ...lost, reachability: { status: 'unreachable', since: 0, checkedAt: 0, diagnosis } })
    const blocked = await failureOf(trust.advanceRotation('ssh-user', [], 'ann@desk'))
    expect(blocked).toMatchObject({ code: 'ROTATION_BLOCKED', message: expect.stringContaining('node-02: it cannot') })
    expect(blocked.message).not.toContain('node-01')

    const fresh = started.rotation?.newFingerprint ?? ''
    expect(await trust.advanceRotation('ssh-user', ['node-02'], 'ann@desk')).toMatchObject({ fingerprint: fresh })
    expect(woken).toBeGreaterThan(0)
    const left = (await rig.store.listAudit({ limit: 5 })).find(({ action }) => action === 'authority.leaveBehind')
    expect(left?.detail).toMatchObject({ phase: 'trust', left: [{ name: 'node-02' }] })

    await accept('node-01', started.rotation?.oldFingerprint ?? '')
    expect((await trust.rotationProgress('ssh-user'))?.waiting.map(({ name }) => name)).toEqual(['node-01', 'node-02'])
    await accept('node-01', fresh)
    await accept('node-02', fresh)
    expect(await trust.rotationProgress('ssh-user')).toMatchObject({ ready: true, proven: 2 })
    delivered.length = 0
    await trust.advanceRotation('ssh-user', [], 'ann@desk')
    expect(delivered.sort()).toEqual(['krl', 'trust'])
    // The set of trusted keys is another one: what was read back before counts no more.
    expect(await trust.rotationProgress('ssh-user')).toMatchObject({ proven: 0, ready: false })
    await observe('node-01')
    await observe('node-02')
    expect(await trust.advanceRotation('ssh-user', [], 'ann@desk')).toMatchObject({
      fingerprint: fresh,
      rotation: null,
    })
  })

  it('F55 users: a certificate that somebody holds of the old authority is in the way until it ends', async () => {
    await trust.startRotation('ssh-user', 'ann@desk')
    const [held] = await rig.pki.authority.sign([
      {
        subjectPublicKey: ed25519Blob(generateKeyPairSync('ed25519').publicKey),
        keyId: 'bob',
        principals: ['sync-agent'],
        purpose: 'external',
        lifetimeSeconds: 600,
        requestedBy: 'ann',
        reason: 'by hand',
      },
    ])
    await trust.advanceRotation('ssh-user', [], 'ann@desk')
    expect(await trust.rotationProgress('ssh-user')).toMatchObject({
      waiting: [{ name: 'bob', why: expect.stringContaining(held?.serial ?? '?') }],
    })
  })

  it('F55 users: rolled back, nobody goes on with what the new one signed', async () => {
    await save(aNode())
    await trust.startRotation('ssh-user', 'ann@desk')
    await trust.advanceRotation('ssh-user', ['node-01'], 'ann@desk')
    const identity = await identities.ensure(aNode(), 'automation')
    expect(identity.certificate.authorityFingerprint).toBe((await rig.pki.authority.describe()).fingerprint)
    const rolledBack = await trust.rollBackRotation('ssh-user', 'ann@desk')
    expect(identities.all()).toEqual([])
    expect(dropped).toEqual([])
    const next = await identities.ensure(aNode(), 'automation')
    expect(next.certificate.authorityFingerprint).toBe(rolledBack.rotation?.oldFingerprint)
  })

  it('F54 F55 hosts: our own clients trust both at once; every node must offer a certificate of the new one', async () => {
    const { rotation } = await trust.startRotation('ssh-host', 'ann@desk')
    const offered = (authorityFingerprint: string) => ({
      serial: '1',
      authorityFingerprint,
      validAfter: 0,
      validBefore: 1e13,
      verifiedAt: 1,
    })
    await save(aNode({ hostCertificate: offered(rotation?.oldFingerprint ?? '') }))
    expect(await trust.rotationProgress('ssh-host')).toMatchObject({ total: 0, ready: true })
    await trust.advanceRotation('ssh-host', [], 'ann@desk')
    expect(await trust.rotationProgress('ssh-host')).toMatchObject({ total: 1, ready: false })
    await save(aNode({ hostCertificate: offered(rotation?.newFingerprint ?? '') }))
    expect(await trust.rotationProgress('ssh-host')).toMatchObject({ ready: true })
  })

  it('F55 agents: every one must trust the new root, then it and the gateway must have certificates of it', async () => {
    const { rotation } = await trust.startRotation('x509', 'ann@desk')
    const { oldFingerprint = '', newFingerprint = '' } = rotation ?? {}
    const agent = (trustedRoots: string[], authorityFingerprint: string) =>
      Agent.parse({
        id: AgentId.parse('01900000-0000-7000-8000-0000000000aa'),
        nodeId: aNode().id,
        name: 'edge',
        status: 'active',
        hostname: 'edge',
        platform: 'linux x64',
        version: '1',
        enrolledAt: 0,
        enrolledBy: 'ann',
        lastSeenAt: 0,
        lastSeenFrom: null,
        clockSkewMs: null,
        certificate: { serial: '1', authorityFingerprint, validAfter: 0, validBefore: 1 },
        trustedRoots,
        sshCertificate: null,
        activity: { status: 'idle', nextRunAt: null },
        lock: null,
        spooledReports: 0,
        lastRun: null,
      })
    const saveAgent = (one: Agent) => rig.store.transact((transaction) => transaction.saveAgent(one))
    gatewayRoot = oldFingerprint
    await saveAgent(agent([oldFingerprint], oldFingerprint))
    expect((await failureOf(trust.advanceRotation('x509', [], 'ann@desk'))).code).toBe('ROTATION_BLOCKED')
    await saveAgent(agent([oldFingerprint, newFingerprint], oldFingerprint))
    await trust.advanceRotation('x509', [], 'ann@desk')
    expect((await trust.rotationProgress('x509'))?.waiting.map(({ name }) => name)).toEqual(['gateway', 'edge'])
    gatewayRoot = newFingerprint
    await saveAgent(agent([oldFingerprint, newFingerprint], newFingerprint))
    await trust.advanceRotation('x509', [], 'ann@desk')
    expect(await trust.rotationProgress('x509')).toMatchObject({ ready: false, waiting: [{ name: 'edge' }] })
    await saveAgent(agent([newFingerprint], newFingerprint))
    expect(await trust.advanceRotation('x509', [], 'ann@desk')).toMatchObject({ rotation: null })
  })
})
