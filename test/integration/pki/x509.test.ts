import { spawnSync } from 'node:child_process'
import { generateKeyPairSync, type KeyObject, sign, webcrypto, X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, request as httpsRequest, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AgentId } from '../../../src/shared/model/ids.ts'
import { createManualClock } from '../../fakes/manualClock.ts'
import { createPkiRig, failureOf, type PkiRig } from './pkiRig.ts'

const opensslMissing = existsSync('/usr/bin/openssl') ? null : 'openssl is not installed (Debian: openssl)'
if (opensslMissing !== null) console.warn(`skipped: ${opensslMissing}`)

const agentId = AgentId.parse('01900000-0000-7000-8000-0000000000aa')
const dayMs = 86_400_000
const server = { names: ['control.internal', '127.0.0.1'], requestedBy: 'engine' }

interface Requester {
  readonly pem: string
  readonly privateKeyPem: string
}

/** A request by the library's own generator; the name in it must count for nothing. */
async function makeRequest(namedCurve = 'P-256'): Promise<Requester> {
  await import('reflect-metadata')
  const { Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } = await import('@peculiar/x509')
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve })
  const algorithm = { name: 'ECDSA', namedCurve, hash: 'SHA-256' }
  const keys = {
    privateKey: await webcrypto.subtle.importKey('pkcs8', der(privateKey, 'pkcs8'), algorithm, false, ['sign']),
    publicKey: await webcrypto.subtle.importKey('spki', der(publicKey, 'spki'), algorithm, true, ['verify']),
  }
  const request = await Pkcs10CertificateRequestGenerator.create(
    {
      name: [{ CN: ['root of everything'] }],
      keys: keys as never,
      signingAlgorithm: algorithm,
      extensions: [new SubjectAlternativeNameExtension([{ type: 'url', value: 'lockstep:agent:somebody-else' }])],
    },
    webcrypto as never,
  )
  return {
    pem: request.toString('pem'),
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

function der(key: KeyObject, type: 'pkcs8' | 'spki'): Buffer {
  return key.export({ type: type as 'spki', format: 'der' })
}

describe('X.509 for the gateway and its agents', () => {
  let rig: PkiRig
  let directory: string
  beforeEach(async () => {
    rig = await createPkiRig()
    directory = await mkdtemp(join(tmpdir(), 'lockstep-x509-'))
  })
  afterEach(async () => {
    await rig.dispose()
    await rm(directory, { recursive: true })
  })

  const issueClient = async (pem: string) =>
    rig.pki.x509.issueClient({ certificateRequestPem: pem, agentId, requestedBy: 'ann@desk', reason: 'enrolment' })

  it('S0.11 S0.13 the root is ECDSA P-256, ends after ten years, and may sign leaves only', async () => {
    const [root] = await rig.pki.x509.roots()
    const certificate = new X509Certificate(root?.pem ?? '')
    expect(certificate).toMatchObject({ subject: 'CN=Lockstep agents', issuer: 'CN=Lockstep agents', ca: true })
    expect(certificate.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1')
    const years = (certificate.validToDate.getTime() - Date.now()) / (365.25 * dayMs)
    expect(years).toBeGreaterThan(9.9)
    expect(years).toBeLessThan(10.1)
    expect(await (await rig.reopen()).x509.roots()).toEqual([root])
  })

  it.skipIf(opensslMissing !== null)(
    'openssl verifies both chains for their purpose and refuses the exchanged one',
    async () => {
      const [root] = await rig.pki.x509.roots()
      const issuedServer = await rig.pki.x509.issueServer(server)
      const issuedClient = await issueClient((await makeRequest()).pem)
      const files = { root: root?.pem ?? '', server: issuedServer.certificatePem, client: issuedClient.certificatePem }
      for (const [name, pem] of Object.entries(files)) await writeFile(join(directory, name), pem)
      const verify = (purpose: string, name: string) =>
        spawnSync('openssl', ['verify', '-x509_strict', '-CAfile', 'root', '-purpose', purpose, name], {
          cwd: directory,
          encoding: 'utf8',
        })
      expect(verify('sslserver', 'server').stdout).toBe('server: OK\n')
      expect(verify('sslclient', 'client').stdout).toBe('client: OK\n')
      expect(verify('sslserver', 'client').status).not.toBe(0)
      expect(verify('sslclient', 'server').status).not.toBe(0)
      const text = spawnSync('openssl', ['x509', '-in', 'root', '-noout', '-text'], {
        cwd: directory,
        encoding: 'utf8',
      })
      expect(text.stdout).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/)
      expect(text.stdout).toMatch(/Key Usage: critical\s+Certificate Sign\n/)
    },
  )

  it('a client is who we say, whatever its request says; audited before, with a serial of its own', async () => {
    const requester = await makeRequest()
    const issued = await issueClient(requester.pem)
    const certificate = new X509Certificate(issued.certificatePem)
    expect(certificate.subjectAltName).toBe(`URI:lockstep:agent:${agentId}`)
    expect(certificate.subject).toBe(`CN=${agentId}`)
    expect(certificate.serialNumber.toLowerCase()).toBe(issued.serial)
    expect(issued.validBefore - Date.now()).toBeLessThanOrEqual(7 * dayMs)
    expect(issued.authorityFingerprint).toBe((await rig.pki.x509.roots())[0]?.fingerprint)
    const [row] = await rig.store.listAudit({ limit: 1 })
    expect(row).toMatchObject({
      action: 'x509.issue',
      actor: 'ann@desk',
      subject: agentId,
      detail: { serial: issued.serial },
    })
    expect((await issueClient(requester.pem)).serial).not.toBe(issued.serial)
  })

  it('a server and a client meet over TLS 1.3, and neither takes a stranger', async () => {
    const [root] = await rig.pki.x509.roots()
    const issuedServer = await rig.pki.x509.issueServer(server)
    const requester = await makeRequest()
    const issuedClient = await issueClient(requester.pem)
    const stranger = await createPkiRig()
    const [strangeRoot] = await stranger.pki.x509.roots()
    const strange = await makeRequest()
    const strangeClient = await stranger.pki.x509.issueClient({
      certificateRequestPem: strange.pem,
      agentId,
      requestedBy: 'mallory',
      reason: 'enrolment',
    })
    await stranger.dispose()
    const options: ServerOptions = {
      key: issuedServer.privateKeyPem,
      cert: issuedServer.certificatePem,
      ca: [root?.pem ?? ''],
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.3',
    }
    const listening = createServer(options, (request, response) => {
      response.end((request.socket as TLSSocket).getPeerCertificate().subjectaltname)
    })
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve))
    const { port } = listening.address() as AddressInfo
    const ask = (ca: string, key: string, cert: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const sent = httpsRequest({ host: '127.0.0.1', port, ca: [ca], key, cert, agent: false }, (response) => {
          response.setEncoding('utf8')
          response.once('data', resolve)
        })
        sent.once('error', reject)
        sent.end()
      })
    try {
      const good = [requester.privateKeyPem, issuedClient.certificatePem] as const
      expect(await ask(root?.pem ?? '', ...good)).toBe(`URI:lockstep:agent:${agentId}`)
      await expect(ask(strangeRoot?.pem ?? '', ...good)).rejects.toThrow()
      await expect(ask(root?.pem ?? '', strange.privateKeyPem, strangeClient.certificatePem)).rejects.toThrow()
    } finally {
      listening.closeAllConnections()
      await new Promise((resolve) => listening.close(resolve))
    }
  })

  it('refuses a request that is none, over another curve, with a broken signature, or too long; and signs nothing', async () => {
    const { pem } = await makeRequest()
    const bytes = Buffer.from(pem.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64')
    bytes[bytes.length - 3] = (bytes[bytes.length - 3] ?? 0) ^ 1
    const broken = `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString('base64')}\n-----END CERTIFICATE REQUEST-----`
    const [root] = await rig.pki.x509.roots()
    const audited = (await rig.store.listAudit({ limit: 1 }))[0]?.seq
    const worlds = [
      '',
      'hello',
      broken,
      (await makeRequest('P-384')).pem,
      root?.pem ?? '',
      `${pem}${'A'.repeat(20_000)}`,
    ]
    for (const world of worlds) expect((await failureOf(issueClient(world))).code).toBe('INVALID_INPUT')
    expect((await rig.store.listAudit({ limit: 1 }))[0]?.seq).toBe(audited)
  })

  it('F55 old and new root together verify both generations of certificates', async () => {
    const before = await rig.pki.x509.issueServer(server)
    await rig.pki.authorities.startRotation('x509', { operator: 'ann@desk' })
    await rig.pki.authorities.advanceRotation('x509', { operator: 'ann@desk' })
    const after = await rig.pki.x509.issueServer(server)
    const roots = await rig.pki.x509.roots()
    expect(roots[0]?.fingerprint).toBe(after.authorityFingerprint)
    for (const issued of [before, after]) {
      const root = roots.find(({ fingerprint }) => fingerprint === issued.authorityFingerprint)
      expect(new X509Certificate(issued.certificatePem).verify(new X509Certificate(root?.pem ?? '').publicKey)).toBe(
        true,
      )
    }
  })

  it('the server key is new each time and in nothing that is stored', async () => {
    const issued = await rig.pki.x509.issueServer(server)
    const other = await rig.pki.x509.issueServer(server)
    expect(issued.privateKeyPem).not.toBe(other.privateKeyPem)
    const canary = issued.privateKeyPem.split('\n')[1] as string
    expect(JSON.stringify(await rig.store.listAudit({ limit: 100 }))).not.toContain(canary)
    expect(sign('sha256', Buffer.from('x'), issued.privateKeyPem).length).toBeGreaterThan(60)
  })
})

describe('the life of X.509 certificates', () => {
  it('U10 starts an hour early for clocks that are behind, and is whole seconds', async () => {
    const clock = createManualClock(Date.UTC(2026, 5, 1, 12, 0, 0, 777))
    const rig = await createPkiRig({ clock })
    try {
      const issued = new X509Certificate((await rig.pki.x509.issueServer(server)).certificatePem)
      expect(issued.validFromDate.toISOString()).toBe('2026-06-01T11:00:00.000Z')
      expect(issued.validToDate.toISOString()).toBe('2026-07-01T12:00:00.000Z')
    } finally {
      await rig.dispose()
    }
  })
})
