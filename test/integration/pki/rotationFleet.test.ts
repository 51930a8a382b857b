import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Config } from '../../../src/platform/config.ts'
import type { AuthorityKind } from '../../../src/shared/model/certificate.ts'
import { IdempotencyKey } from '../../../src/shared/model/ids.ts'
import { PlanInput } from '../../../src/shared/model/plan.ts'
import { startTestEngine, type TestEngine } from '../../support/engine.ts'
import { sshdMissing } from '../../support/sshd.ts'
import { waitFor } from '../../support/waitFor.ts'

if (sshdMissing !== null) console.warn(`skipped: ${sshdMissing}`)

const nodes = 4

describe.skipIf(sshdMissing !== null)('trust that reaches a fleet', () => {
  let test: TestEngine
  beforeAll(async () => {
    test = await startTestEngine({ config: { unreachableProbeIntervalMs: 500 } })
    await test.client.demo.up({ nodes })
    await test.client.plans.apply({
      plans: [
        PlanInput.parse({ name: 'trusted keys', kind: 'trust', selector: '*', spec: {} }),
        PlanInput.parse({ name: 'revoked', kind: 'krl', selector: '*', spec: {} }),
      ],
    })
    await test.client.runs.push({
      idempotencyKey: IdempotencyKey.parse('first-delivery-0001'),
      plans: [],
      targets: { kind: 'all' },
    })
  }, 60_000)
  afterAll(() => test.dispose())

  const ready = (what: string, kind: AuthorityKind = 'ssh-user') =>
    waitFor(
      what,
      async () => {
        const progress = await test.client.certificates.rotationProgress({ kind })
        if (progress?.ready === true && progress.total === nodes) return progress
        throw new Error(JSON.stringify(progress?.waiting))
      },
      { timeoutMs: 90_000 },
    )
  const inStep = () =>
    waitFor(
      'all plans to be read back',
      async () => {
        const behind = (await test.client.nodes.list({ filter: '' })).filter(({ plans }) =>
          plans.some(({ desiredRevision, observed }) => observed?.revision !== desiredRevision),
        )
        if (behind.length === 0) return true
        throw new Error(behind.map(({ name, statusReason }) => `${name}: ${statusReason?.sentence}`).join('; '))
      },
      { timeoutMs: 90_000 },
    )

  it('F55 F56 S0.18 the user authority of a whole fleet is replaced, each phase proven on every node by itself', async () => {
    await inStep()
    const rotate = test.client.certificates
    const { rotation } = await rotate.startRotation({ kind: 'ssh-user' })
    const fresh = rotation?.newFingerprint
    await ready('both keys to be trusted everywhere')
    expect(await rotate.advanceRotation({ kind: 'ssh-user' })).toMatchObject({ fingerprint: fresh })
    await ready('a certificate of the new key on every node')
    for (const { certificate } of await test.client.nodes.list({ filter: '' }))
      expect(certificate).toMatchObject({ authorityFingerprint: fresh, acceptedAt: expect.any(Number) })
    await rotate.advanceRotation({ kind: 'ssh-user' })
    await ready('the old key to be gone everywhere')
    expect(await rotate.advanceRotation({ kind: 'ssh-user' })).toMatchObject({ fingerprint: fresh, rotation: null })
    await inStep()
  }, 240_000)

  it('F55 F56 U9 a revocation is on its way to every node when the answer comes, and proven there', async () => {
    await inStep()
    const [first] = await test.client.nodes.list({ filter: '' })
    const targets = { kind: 'nodes' as const, nodes: [first?.name ?? ''] }
    const preview = await test.client.certificates.previewRevocation({ targets })
    expect(preview).toMatchObject({ coveredNodes: nodes, uncoveredNodes: [], nodes: [first?.id] })
    const { revoked, krl, runs } = await test.client.certificates.revoke({ targets, reason: 'lost' })
    expect(revoked.length).toBe(preview.certificates.length)
    expect(runs).toBe(nodes)
    await inStep()
    for (const node of await test.client.nodes.list({ filter: '' })) expect(node.krl?.version).toBe(krl.version)
  }, 120_000)

  it('F55 from the phase sign there is a way back, and the fleet follows', async () => {
    const rotate = test.client.certificates
    const [before] = await rotate.authorities()
    await rotate.startRotation({ kind: 'ssh-user' })
    await ready('both keys to be trusted everywhere')
    await rotate.advanceRotation({ kind: 'ssh-user' })
    await ready('a certificate of the new key on every node')
    await rotate.rollBackRotation({ kind: 'ssh-user' })
    await ready('the new key to be gone everywhere')
    expect(await rotate.advanceRotation({ kind: 'ssh-user' })).toEqual(before)
    const renewals = await rotate.renew({ targets: { kind: 'all' } })
    expect(renewals.map(({ accepted }) => accepted)).toEqual(Array.from({ length: nodes }, () => true))
  }, 240_000)

  it('F54 F55 the host authority is replaced, and every node is seen to offer a certificate of the new one', async () => {
    const rotate = test.client.certificates
    await rotate.createAuthorities({ kinds: ['ssh-host'] })
    await test.client.plans.apply({
      plans: [PlanInput.parse({ name: 'host certificates', kind: 'host-certificate', selector: '*', spec: {} })],
    })
    const idempotencyKey = IdempotencyKey.parse('host-certificates-0001')
    await test.client.runs.push({ idempotencyKey, plans: ['host certificates'], targets: { kind: 'all' } })
    await inStep()
    const { rotation } = await rotate.startRotation({ kind: 'ssh-host' })
    await rotate.advanceRotation({ kind: 'ssh-host' })
    await ready('host certificates of the new key', 'ssh-host')
    for (const { hostCertificate } of await test.client.nodes.list({ filter: '' }))
      expect(hostCertificate?.authorityFingerprint).toBe(rotation?.newFingerprint)
    for (let step = 0; step < 2; step += 1) await rotate.advanceRotation({ kind: 'ssh-host' })
    const [exported] = await rotate.exportAuthority({ kind: 'ssh-host' })
    expect(exported?.fingerprints).toEqual([rotation?.newFingerprint])
  }, 240_000)
})

describe.skipIf(sshdMissing !== null)('certificates that end while nobody looks', () => {
  let test: TestEngine
  beforeAll(async () => {
    // Due from the first second on.
    const certificate = { ...Config.parse({}).certificate, lifetimeSeconds: 600, minValidSeconds: 599 }
    test = await startTestEngine({ config: { certificate } })
    await test.client.demo.up({ nodes })
    await test.client.certificates.renew({ targets: { kind: 'all' } })
  }, 60_000)
  afterAll(() => test.dispose())

  it('F51 U8 S0.38 are renewed when the machine wakes up, on every node at once, and proven by a login', async () => {
    const before = new Map(
      (await test.client.nodes.list({ filter: '' })).map(({ id, certificate }) => [id, certificate]),
    )
    await waitFor(
      'new certificates on all nodes',
      async () => {
        test.engine.wake()
        const now = await test.client.nodes.list({ filter: '' })
        return now.every(
          ({ id, certificate }) => certificate?.serial !== before.get(id)?.serial && certificate?.acceptedAt,
        )
      },
      { timeoutMs: 30_000 },
    )
    const [issued] = await test.client.certificates.list({ purposes: ['automation'], limit: 1 })
    expect(issued).toMatchObject({ requestedBy: 'engine', reason: 'ends soon' })
  }, 60_000)
})
