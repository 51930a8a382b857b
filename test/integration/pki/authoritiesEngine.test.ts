import { createPrivateKey, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { connect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { KeyEncryptionKey } from '../../../src/platform/keyVault.ts'
import { authorityKinds } from '../../../src/shared/model/certificate.ts'
import { IdempotencyKey } from '../../../src/shared/model/ids.ts'
import { startTestEngine, type TestEngine } from '../../support/engine.ts'
import { sshdMissing } from '../../support/sshd.ts'

if (sshdMissing !== null) console.warn(`skipped: ${sshdMissing}`)

describe.skipIf(sshdMissing !== null)('authorities in a whole engine', () => {
  let test: TestEngine
  beforeAll(async () => {
    test = await startTestEngine()
    await test.client.demo.up({ nodes: 3 })
  }, 60_000)
  afterAll(() => test.dispose())

  const issuedTo = (node: string) => test.client.certificates.list({ node, purposes: ['automation'] })

  it('N3 F53 a renewal asked for twice with one key is done once; who did not accept is asked again', async () => {
    const names = (await test.client.nodes.list({ filter: '' })).map(({ name }) => name)
    const [silent = '', ...others] = names
    await test.client.demo.fault({ node: silent, fault: 'offline' })
    const idempotencyKey = IdempotencyKey.parse('renew-the-fleet-1')
    const request = { idempotencyKey, targets: { kind: 'all' } } as const
    const first = await test.client.certificates.renew(request)
    const outcome = new Map(first.map(({ node, accepted }) => [node.name, accepted]))
    expect(outcome.get(silent)).toBe(false)
    for (const name of others) expect(outcome.get(name)).toBe(true)
    for (const { node, serial, accepted } of first)
      if (accepted) expect(node.certificate).toMatchObject({ serial, acceptedAt: expect.any(Number) })

    await test.client.demo.heal({ node: silent })
    const before = new Map(await Promise.all(others.map(async (name) => [name, await issuedTo(name)] as const)))
    const second = await test.client.certificates.renew(request)
    expect(second.map(({ accepted }) => accepted)).toEqual(names.map(() => true))
    const serialOf = (renewals: typeof first, name: string) => renewals.find(({ node }) => node.name === name)?.serial
    for (const name of others) {
      expect(serialOf(second, name)).toBe(serialOf(first, name))
      expect(await issuedTo(name)).toEqual(before.get(name))
    }
    expect(serialOf(second, silent)).not.toBe(serialOf(first, silent))
  }, 60_000)

  it('F54 F55 S0.4 is operated through the contract, and a restart finds it as it was', async () => {
    const made = await test.client.certificates.createAuthorities({ kinds: [...authorityKinds] })
    expect(made.map(({ kind }) => kind)).toEqual(authorityKinds)
    for (const kind of authorityKinds)
      expect((await test.client.certificates.exportAuthority({ kind }))[0]?.content.length).toBeGreaterThan(60)
    await test.client.certificates.startRotation({ kind: 'ssh-user' })
    expect(await test.client.certificates.rotationProgress({ kind: 'ssh-user' })).toMatchObject({ total: 3, proven: 0 })
    await expect(test.client.certificates.advanceRotation({ kind: 'ssh-user' })).rejects.toMatchObject({
      code: 'ROTATION_BLOCKED',
    })
    const before = await test.client.certificates.authorities()
    test = await test.restart()
    expect(await test.client.certificates.authorities()).toEqual(before)
    await test.client.certificates.rollBackRotation({ kind: 'ssh-user' })
    const leaveBehind = (await test.client.nodes.list({ filter: '' })).map(({ name }) => name)
    await test.client.certificates.advanceRotation({ kind: 'ssh-user', leaveBehind })
    expect((await test.client.certificates.authorities())[0]).toEqual(made[0])
    const { revoked, krl } = await test.client.certificates.revoke({
      targets: { kind: 'nodes', nodes: leaveBehind.slice(0, 1) },
      reason: 'test',
    })
    expect(krl.revokedCertificates).toBe(revoked.length)
    expect(revoked.length).toBeGreaterThan(0)
  }, 60_000)

  it('F55 the root of the agents is replaced while the gateway serves, and what it shows follows each phase', async () => {
    const rotate = test.client.certificates
    await test.client.gateway.enable({ address: '127.0.0.1', port: 0, names: ['127.0.0.1'] })
    const shown = async (): Promise<string | undefined> => {
      const { port } = await test.client.gateway.status()
      const socket = connect({ host: '127.0.0.1', port: port ?? 0, rejectUnauthorized: false })
      // Without a client certificate the gateway ends the connection, after it has shown its own.
      socket.on('error', () => undefined)
      try {
        await once(socket, 'secureConnect')
        const root = (await rotate.exportAuthority({ kind: 'x509' }))[0]?.content.split(
          /(?<=-----END CERTIFICATE-----)\n/,
        )
        const server = new X509Certificate(socket.getPeerCertificate().raw)
        return root?.find((pem) => pem.includes('BEGIN') && server.verify(new X509Certificate(pem).publicKey))
      } finally {
        socket.destroy()
      }
    }
    const before = await shown()
    const { rotation } = await rotate.startRotation({ kind: 'x509' })
    expect(await shown()).toBe(before)
    await rotate.advanceRotation({ kind: 'x509' })
    const after = await shown()
    expect(after).not.toBe(before)
    expect(await test.client.gateway.status()).toMatchObject({ rootFingerprint: rotation?.newFingerprint })
    for (let step = 0; step < 2; step += 1) await rotate.advanceRotation({ kind: 'x509' })
    expect(await shown()).toBe(after)
    await test.client.gateway.disable()
  }, 60_000)

  it('S0.12 S0.13 no private key is in a log, the audit log, an event, an error or a file in the clear', async () => {
    const key = new KeyEncryptionKey(Buffer.alloc(32, 7))
    const canaries: Buffer[] = []
    for (const name of ['user-ca.json', 'host-ca.json', 'x509-ca.json']) {
      const file = JSON.parse(await readFile(join(test.home.keysDirectory, name), 'utf8'))
      const fingerprint = (await test.client.certificates.authorities()).find(
        ({ kind }) => kind === file.kind,
      )?.fingerprint
      canaries.push(key.open(Buffer.from(file.sealedKey, 'base64'), `ca/${file.kind}/${fingerprint}`))
    }
    key.destroy()
    const secrets = canaries.map((pkcs8) => {
      const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
      return Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url')
    })
    // The private part begins after at most 36 bytes of the encoding, which are 48 characters of base64.
    const encoded = canaries.map((pkcs8) => pkcs8.toString('base64').slice(48, 62))
    const texts = [
      ...encoded,
      ...secrets.flatMap((secret) => [secret.toString('hex'), secret.toString('base64').slice(0, 40)]),
    ]
    const home = dirname(test.home.keysDirectory)
    const files = (await readdir(home, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
    expect(files.map(({ name }) => name)).toContain('user-ca.json')
    const contents = await Promise.all(files.map((entry) => readFile(join(entry.parentPath, entry.name))))
    for (const content of [...contents, Buffer.from(test.logLines.join('\n'))]) {
      expect(secrets.every(({ length }) => length === 32)).toBe(true)
      for (const secret of secrets) expect(content.includes(secret)).toBe(false)
      const text = content.toString('latin1')
      for (const canary of texts) expect(text.includes(canary)).toBe(false)
    }
  })
})
