import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { StepCaSettings } from '../../../src/shared/model/stepCa.ts'
import { startTestEngine, type TestEngine } from '../../support/engine.ts'
import { startStepCa, stepCaMissing, stepCaStartTimeoutMs, type TestStepCa } from '../../support/stepCa.ts'

if (stepCaMissing !== null) console.warn(`skipped: ${stepCaMissing}`)

describe.skipIf(stepCaMissing !== null)('a step-ca as issuer of a whole engine', () => {
  let directory: string
  let ca: TestStepCa
  let test: TestEngine
  let settings: StepCaSettings
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lockstep-step-'))
    ca = await startStepCa({ directory: join(directory, 'ca') })
    settings = { url: ca.url, rootFingerprint: ca.rootFingerprint, provisioner: ca.provisioner }
    test = await startTestEngine()
    await test.client.demo.up({ nodes: 1 })
  }, stepCaStartTimeoutMs)
  afterAll(async () => {
    await test?.dispose()
    await ca?.stop()
    await rm(directory, { recursive: true, force: true })
  })

  const renewAll = () => test.client.certificates.renew({ targets: { kind: 'all' } })

  it('S0.26 S0.29 what does not prove itself is not kept, and nothing is signed by it', async () => {
    await expect(test.client.stepCa.configure({ settings, password: 'a wrong password' })).rejects.toMatchObject({
      code: 'AUTHORITY_REFUSED',
    })
    await expect(
      test.client.stepCa.configure({
        settings: { ...settings, rootFingerprint: 'ab'.repeat(32) },
        password: ca.password,
      }),
    ).rejects.toMatchObject({ code: 'AUTHORITY_ROOT_MISMATCH' })
    expect(await test.client.stepCa.status()).toMatchObject({ settings: null, active: false })
    await expect(test.client.stepCa.use({ issuer: 'step-ca' })).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' })
  })

  it('S0.17 S0.18 S0.26 set up, its keys are among those nodes are told to trust, and the plans follow', async () => {
    const trustPlan = {
      name: 'trusted keys',
      kind: 'trust',
      selector: 'name:nobody',
      spec: { file: '/x/ca.pub' },
    } as const
    const [plan] = await test.client.plans.apply({ plans: [trustPlan] })
    const status = await test.client.stepCa.configure({ settings, password: ca.password })
    expect(status).toMatchObject({ healthy: true, active: false, settings, diagnosis: null })
    expect(status.userAuthorities).toMatchObject([{ publicKey: ca.sshUserCaKey }])
    const [exported] = await test.client.certificates.exportAuthority({ kind: 'ssh-user' })
    expect(exported?.content.split('\n')).toContain(ca.sshUserCaKey)
    expect(exported?.fingerprints).toHaveLength(2)
    expect((await test.client.plans.list()).find(({ id }) => id === plan?.id)?.revision).toBe(2)
    expect((await test.client.plans.apply({ plans: [trustPlan] }))[0]?.revision).toBe(2)
  })

  it('S0.26 S0.27 in use, it signs; a node that trusts it lets us in, and a revoked one of its is on the list', async () => {
    await test.client.stepCa.use({ issuer: 'step-ca' })
    const [refused] = await renewAll()
    expect(refused?.accepted).toBe(false)
    const trusted = join(test.home.demoDirectory)
    const files = (await readdir(trusted, { recursive: true })).filter((name) => name.endsWith('ca.pub'))
    expect(files.length).toBeGreaterThan(0)
    const [{ content } = { content: '' }] = await test.client.certificates.exportAuthority({ kind: 'ssh-user' })
    for (const file of files) await writeFile(join(trusted, file), content)
    const [accepted] = await renewAll()
    expect(accepted).toMatchObject({ accepted: true })
    const [issued] = await test.client.certificates.list({ purposes: ['automation'], limit: 1 })
    expect(issued).toMatchObject({ issuer: 'step-ca', serial: accepted?.serial, principals: ['sync-agent'] })
    const [authority] = (await test.client.stepCa.status()).userAuthorities
    expect(issued?.authorityFingerprint).toBe(authority?.fingerprint)
    expect(accepted?.node.certificate?.authorityFingerprint).toBe(authority?.fingerprint)
  }, 60_000)

  it('S0.26 while it is down what is valid goes on, what is new fails with the cause, and ours signs when told to', async () => {
    const [node] = await test.client.nodes.list({ filter: '' })
    await ca.stop()
    const status = await test.client.stepCa.status()
    expect(status).toMatchObject({
      healthy: false,
      diagnosis: { code: 'AUTHORITY_UNREACHABLE', transient: true, sentence: expect.stringContaining(ca.url) },
    })
    expect((await test.client.nodes.check({ node: node?.name ?? '' })).reachability.status).toBe('reachable')
    await expect(renewAll()).rejects.toMatchObject({ code: 'AUTHORITY_UNREACHABLE' })
    expect((await test.client.nodes.check({ node: node?.name ?? '' })).reachability.status).toBe('reachable')
    await expect(test.client.stepCa.remove()).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' })
    await test.client.stepCa.use({ issuer: 'embedded' })
    expect((await renewAll())[0]).toMatchObject({ accepted: true })
    const [issued] = await test.client.certificates.list({ purposes: ['automation'], limit: 1 })
    expect(issued?.issuer).toBe('embedded')
  }, 90_000)

  it('S0.26 its password survives a restart and is nowhere in the clear; changed settings void it', async () => {
    test = await test.restart()
    expect(await test.client.stepCa.status()).toMatchObject({ settings, active: false })
    const file = join(test.home.keysDirectory, 'step-ca.json')
    for (const entry of await readdir(test.home.home, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const content = await readFile(join(entry.parentPath, entry.name))
      expect(content.includes(ca.password)).toBe(false)
    }
    expect(test.logLines.join('\n')).not.toContain(ca.password)
    const good = await readFile(file, 'utf8')
    await writeFile(file, good.replace(ca.sshUserCaKey, ca.sshHostCaKey))
    test = await test.restart()
    await expect(test.client.certificates.exportAuthority({ kind: 'ssh-user' })).rejects.toMatchObject({
      code: 'VAULT_TAMPERED',
    })
    await writeFile(file, good)
    test = await test.restart()
    await test.client.stepCa.remove()
    expect(await test.client.stepCa.status()).toMatchObject({ settings: null })
    expect((await test.client.certificates.exportAuthority({ kind: 'ssh-user' }))[0]?.fingerprints).toHaveLength(1)
  }, 60_000)
})
