import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { type createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect as connectTcp, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { draftLeaf, makeRootCertificate, signLeaf } from '../../../src/engine/pki/x509Certificates.ts'
import { agentApiPaths, agentVersionHeader } from '../../../src/shared/agentApi/index.ts'
import { AppError } from '../../../src/shared/errors.ts'
import {
  aHeartbeat,
  aRegistration,
  type ClientIdentity,
  type EnrolledAgent,
  type GatewayRig,
  newKey,
  operator,
  startGateway,
} from '../../support/gatewayRig.ts'
import { waitFor } from '../../support/waitFor.ts'

const run = promisify(execFile)

/** A certificate for what we like, under an authority of ours or theirs. */
async function certificateFor(
  signer: { readonly privateKey: ReturnType<typeof createPrivateKey>; readonly certificatePem: string },
  options: {
    readonly commonName: string
    readonly url?: string
    readonly use?: 'client' | 'server'
    readonly atMs?: number
  },
): Promise<ClientIdentity> {
  const key = newKey()
  const names =
    options.url === undefined
      ? [{ type: 'dns' as const, value: 'host' }]
      : [{ type: 'url' as const, value: options.url }]
  const content = draftLeaf(
    { commonName: options.commonName, publicKey: createPublicKey(key.publicKey), use: options.use ?? 'client', names },
    options.atMs ?? Date.now(),
  )
  return { cert: await signLeaf(content, signer), key: key.privateKey }
}

/** Every address of the gateway that is for agents, with a body that would be taken. */
const agentCalls = (): readonly (readonly [string, string, unknown])[] => [
  ['POST', agentApiPaths.heartbeat, aHeartbeat()],
  ['POST', agentApiPaths.clientCertificate, { certificateRequest: 'x' }],
  ['POST', agentApiPaths.sshCertificate, { publicKey: 'x' }],
  ['GET', agentApiPaths.deliveries, undefined],
  ['PUT', agentApiPaths.delivery('key-of-a-test'), {}],
  ['PUT', agentApiPaths.registration('key-of-a-test'), aRegistration()],
  ['PUT', agentApiPaths.state('01900000-0000-7000-8000-000000000001'), {}],
  ['PUT', `${agentApiPaths.log('01900000-0000-7000-8000-000000000001')}?offset=0`, new Uint8Array(1)],
]

describe('who gets in', () => {
  let rig: GatewayRig
  let agent: EnrolledAgent

  beforeAll(async () => {
    rig = await startGateway()
    agent = await rig.enroll('vm-1')
  })

  afterAll(() => rig.dispose())

  const beat = (identity: ClientIdentity | null) =>
    rig.call('POST', agentApiPaths.heartbeat, { identity, body: aHeartbeat() })

  it('S4.20 nothing for agents answers without a client certificate, and the document says the same', async () => {
    for (const [method, path, body] of agentCalls()) {
      const { status, body: answer, headers } = await rig.call(method, path, { body })
      expect([path, status, answer.error.code]).toEqual([path, 401, 'UNAUTHORIZED'])
      expect(headers.connection).toBe('close')
    }
    const { body: document } = await rig.call('GET', agentApiPaths.openApi)
    const open = Object.entries<Record<string, { security: unknown[] }>>(document.paths).flatMap(
      ([path, operations]) => (Object.values(operations).some(({ security }) => security.length === 0) ? [path] : []),
    )
    expect(open.sort()).toEqual(
      [agentApiPaths.health, agentApiPaths.openApi, agentApiPaths.enroll, agentApiPaths.roots].sort(),
    )
    const guarded = Object.keys(document.paths).length - open.length
    expect(guarded).toBe(agentCalls().length)
  })

  it('an enrolled agent gets in', async () => {
    expect((await beat(agent)).status).toBe(200)
  })

  it('a certificate of a foreign authority with the right name is refused', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const foreign = { privateKey, certificatePem: await makeRootCertificate(privateKey, Date.now()) }
    const url = `lockstep:agent:${agent.agentId}`
    expect((await beat(await certificateFor(foreign, { commonName: agent.agentId, url }))).status).toBe(401)
  })

  it('identity by common name alone, an expired certificate and one of a server are refused though ours', async () => {
    const signer = await rig.pki.authorities.x509Signer()
    const url = `lockstep:agent:${agent.agentId}`
    const byName = await beat(await certificateFor(signer, { commonName: url }))
    expect([byName.status, byName.body.error.message]).toEqual([401, expect.stringContaining('names no agent')])
    const longAgo = Date.now() - 30 * 86_400_000
    const expired = await beat(await certificateFor(signer, { commonName: 'x', url, atMs: longAgo }))
    expect([expired.status, expired.body.error.data.reason]).toEqual([401, 'CERT_HAS_EXPIRED'])
    const server = await beat(await certificateFor(signer, { commonName: 'x', url, use: 'server' }))
    expect([server.status, server.body.error.data.reason]).toEqual([401, 'INVALID_PURPOSE'])
  })

  it('a certificate of ours for this agent that was never handed out is refused: the serial is not its', async () => {
    const signer = await rig.pki.authorities.x509Signer()
    const url = `lockstep:agent:${agent.agentId}`
    expect((await beat(await certificateFor(signer, { commonName: 'x', url }))).status).toBe(401)
    const nobody = 'lockstep:agent:01900000-0000-7000-8000-0000000000ff'
    expect((await beat(await certificateFor(signer, { commonName: 'x', url: nobody }))).status).toBe(401)
    for (const odd of [`${url},x`, `x-${url}`, 'lockstep:agent:1'])
      expect((await beat(await certificateFor(signer, { commonName: 'x', url: odd }))).status).toBe(401)
  })

  it('TLS 1.2 is refused', async () => {
    const { port } = new URL(await rig.url())
    const twelve = await run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-tls1_2', '-brief'], {
      timeout: 20_000,
    })
      .then(({ stderr }) => stderr)
      .catch((error: { stderr: string }) => error.stderr)
    expect(twelve).toMatch(/protocol version/i)
    expect(twelve).not.toMatch(/CONNECTION ESTABLISHED/)
  })

  it('no session is resumed: neither with a saved session nor within one client', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'ls-session-'))
    try {
      const { port } = new URL(await rig.url())
      const [cert, key, session] = ['cert.pem', 'key.pem', 'session'].map((name) => join(directory, name)) as [
        string,
        string,
        string,
      ]
      await writeFile(cert, agent.cert)
      await writeFile(key, agent.key)
      const shake = (more: readonly string[]): Promise<string> =>
        opensslClient(['-connect', `127.0.0.1:${port}`, '-tls1_3', '-cert', cert, '-key', key, ...more])
      const first = await shake(['-sess_out', session])
      expect(first).toMatch(/New, TLSv1\.3/)
      // Without a ticket nothing was saved; with one it must not open a door.
      const saved = await run('openssl', ['sess_id', '-in', session, '-noout']).then(
        () => true,
        () => false,
      )
      if (saved) {
        const second = await shake(['-sess_in', session])
        expect(second).toMatch(/New, TLSv1\.3/)
        expect(second).not.toMatch(/Reused/)
      }
      const again = await resumed(Number(port), agent, await rig.roots())
      expect(again).toBe(false)
    } finally {
      await rm(directory, { recursive: true })
    }
  })

  it('curl with the client certificate gets in, and trusts the gateway by its root alone', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'ls-curl-'))
    try {
      const files = { cert: agent.cert, key: agent.key, ca: (await rig.roots()).join('\n') }
      for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text)
      const { stdout } = await run('curl', [
        ...['--silent', '--tlsv1.3', '--cacert', join(directory, 'ca'), '--cert', join(directory, 'cert')],
        ...[
          '--key',
          join(directory, 'key'),
          '--header',
          `${agentVersionHeader}: 0.1.0`,
          '--data',
          JSON.stringify(aHeartbeat()),
        ],
        `${await rig.url()}${agentApiPaths.heartbeat}`,
      ])
      expect(JSON.parse(stdout)).toMatchObject({ renewClientCertificate: false })
    } finally {
      await rm(directory, { recursive: true })
    }
  })
})

describe('revoked means disconnected', () => {
  let rig: GatewayRig

  beforeAll(async () => {
    rig = await startGateway()
  })

  afterAll(() => rig.dispose())

  it('open connections of a revoked agent end, its certificate counts no more, others stay connected', async () => {
    const [revoked, other] = [await rig.enroll('vm-1'), await rig.enroll('vm-2')]
    const open = await openConnection(rig, revoked)
    const stays = await openConnection(rig, other)
    await rig.side.agents.revoke('vm-1', 'stolen', operator)
    await waitFor('the end of the connection', () => open.destroyed)
    expect(stays.destroyed).toBe(false)
    const { status, body } = await rig.call('POST', agentApiPaths.heartbeat, { identity: revoked, body: aHeartbeat() })
    expect([status, body.error.code]).toEqual([401, 'UNAUTHORIZED'])
    expect(await resumed(Number(new URL(await rig.url()).port), revoked, await rig.roots())).toBe(false)
    stays.destroy()
  })

  it('a client certificate that has ended since the handshake counts no more', async () => {
    const agent = await rig.enroll('vm-long')
    const beat = async (): Promise<number> =>
      (await rig.call('POST', agentApiPaths.heartbeat, { identity: agent, body: aHeartbeat() })).status
    expect(await beat()).toBe(200)
    // TLS looks at the real clock and would let it in: as on a connection that was opened while it was valid.
    rig.clock.shiftMs = 8 * 86_400_000
    expect(await beat()).toBe(401)
    rig.clock.shiftMs = 0
    expect(await beat()).toBe(200)
  })

  it('its SSH certificates are revoked with it, and its open runs end with a reason', async () => {
    const agent = await rig.enroll('vm-3')
    const ssh = await rig.call('POST', agentApiPaths.sshCertificate, {
      identity: agent,
      body: { publicKey: agent.sshPublicKey },
    })
    const { body } = await rig.call('PUT', agentApiPaths.registration('key-of-vm-3'), {
      identity: agent,
      body: aRegistration(),
    })
    await rig.side.agents.revoke('vm-3', 'retired', operator)
    await rig.side.agents.revoke('vm-3', 'again', operator)
    const [certificate] = await rig.store.listCertificates({ serials: [ssh.body.serial], nowMs: Date.now(), limit: 1 })
    expect(certificate?.revocation).toMatchObject({ revokedBy: operator, reason: 'retired' })
    expect((await rig.pki.revocations.status()).revokedCertificates).toBeGreaterThan(0)
    expect(await rig.store.getRun(body.run.id)).toMatchObject({ status: 'failed', failure: { short: 'agent revoked' } })
    expect((await rig.store.getNode(agent.nodeId))?.activeRunId).toBeNull()
  })

  it('an agent is removed only after it was revoked; its node and plan go with it', async () => {
    const agent = await rig.enroll('vm-4')
    await rig.call('POST', agentApiPaths.heartbeat, { identity: agent, body: aHeartbeat() })
    expect(await rig.store.findPlanByName('vm-4 to storage.internal')).not.toBeNull()
    await expect(rig.side.agents.remove('vm-4', operator)).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' })
    await rig.side.agents.revoke('vm-4', 'retired', operator)
    expect(await rig.side.agents.remove('vm-4', operator)).toBe('vm-4')
    expect(await rig.store.findNodeByName('vm-4')).toBeNull()
    expect(await rig.store.findPlanByName('vm-4 to storage.internal')).toBeNull()
    await expect(rig.side.agents.get('vm-4')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('a renewed certificate replaces the old one from its first use on, and not before', async () => {
    const { makeCertificateRequest } = await import('../../../src/agent/control/certificateRequest.ts')
    const agent = await rig.enroll('vm-5')
    const beat = async (identity: ClientIdentity): Promise<number> =>
      (await rig.call('POST', agentApiPaths.heartbeat, { identity, body: aHeartbeat() })).status
    const renew = async (identity: ClientIdentity): Promise<ClientIdentity> => {
      const key = newKey()
      const certificateRequest = await makeCertificateRequest(key, 'host')
      const { body } = await rig.call('POST', agentApiPaths.clientCertificate, {
        identity,
        body: { certificateRequest },
      })
      return { cert: body.clientCertificate, key: key.privateKey }
    }
    const lost = await renew(agent)
    expect(await beat(agent)).toBe(200)
    const renewed = await renew(agent)
    expect(await beat(lost)).toBe(401)
    expect(await beat(agent)).toBe(200)
    expect(await beat(renewed)).toBe(200)
    expect(await beat(agent)).toBe(401)
  })
})

describe('what is sent', () => {
  let rig: GatewayRig
  let agent: EnrolledAgent

  beforeAll(async () => {
    rig = await startGateway({
      limits: { headersTimeoutMs: 400, requestTimeoutMs: 600, handshakeTimeoutMs: 400, maxConnectionsPerAddress: 20 },
    })
    agent = await rig.enroll('vm-1')
  })

  afterAll(() => rig.dispose())

  it('an agent that asks without end is told to wait, and others are served', async () => {
    const [chatty, other] = [await rig.enroll('vm-chatty'), await rig.enroll('vm-other')]
    const ask = (identity: EnrolledAgent) =>
      rig.call('POST', agentApiPaths.sshCertificate, { identity, body: { publicKey: identity.sshPublicKey } })
    let answer = await ask(chatty)
    for (let tries = 1; answer.status === 200 && tries < 200; tries += 1) answer = await ask(chatty)
    expect([answer.status, answer.body.error.code]).toEqual([429, 'RATE_LIMITED'])
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0)
    expect((await ask(other)).status).toBe(200)
    const issued = await rig.store.listCertificates({ nodeId: chatty.nodeId, nowMs: Date.now(), limit: 1_000 })
    expect(issued.length).toBeLessThan(150)
    const beat = await rig.call('POST', agentApiPaths.heartbeat, { identity: chatty, body: aHeartbeat() })
    expect(beat.status).toBe(200)
  })

  it('a body that is too large is refused with 413, said beforehand or not, and the connection ends', async () => {
    const large = 'x'.repeat(1_048_577)
    const said = await rig.call('POST', agentApiPaths.heartbeat, { identity: agent, body: { large } })
    expect([said.status, said.body.error.code]).toEqual([413, 'PAYLOAD_TOO_LARGE'])
    const chunked = await raw(
      rig,
      agent,
      `POST ${agentApiPaths.heartbeat} HTTP/1.1\r\nhost: x\r\n${agentVersionHeader}: 0.1.0\r\ntransfer-encoding: chunked\r\n\r\n${large.length.toString(16)}\r\n${large}\r\n0\r\n\r\n`,
    )
    expect(chunked).toMatch(/^HTTP\/1\.1 413 /)
    const path = `${agentApiPaths.log('01900000-0000-7000-8000-000000000001')}?offset=0`
    expect((await rig.call('PUT', path, { identity: agent, body: new Uint8Array(262_145) })).status).toBe(413)
  })

  it('headers without end, a body that never comes and what is no HTTP are answered and cut', async () => {
    const start = `POST ${agentApiPaths.heartbeat} HTTP/1.1\r\nhost: x\r\n`
    expect(await raw(rig, agent, `${start}x-long: ${'a'.repeat(20_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 431 .*PAYLOAD_TOO_LARGE/s,
    )
    expect(await raw(rig, agent, start)).toMatch(/^HTTP\/1\.1 408 .*TIMED_OUT/s)
    expect(await raw(rig, agent, `${start}${agentVersionHeader}: 0.1.0\r\ncontent-length: 100\r\n\r\nslow`)).toMatch(
      /^HTTP\/1\.1 408 |^$/,
    )
    expect(await raw(rig, agent, 'not http at all\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 .*INVALID_INPUT/s)
    expect((await rig.call('GET', agentApiPaths.health)).status).toBe(200)
  })

  it('a socket that says nothing is cut, and too many from one address are not let in', async () => {
    const { port } = new URL(await rig.url())
    const open = Array.from({ length: 30 }, () => connectTcp(Number(port), '127.0.0.1').on('error', () => undefined))
    await waitFor('all to be cut', () => open.every((socket) => socket.destroyed || socket.readableEnded))
    for (const socket of open) socket.destroy()
    await waitFor('no connection', async () => (await rig.side.gateway.status()).openConnections === 0)
  })

  it.each([
    ['GET', agentApiPaths.heartbeat, 405],
    ['DELETE', agentApiPaths.health, 405],
    ['GET', '/v1/sync/nothing', 404],
    ['GET', '/', 404],
    ['GET', '/v1/sync/runs/%2e%2e/state', 404],
    ['GET', '/../../etc/passwd', 404],
    ['PUT', '/v1/sync/registrations/a%2Fb', 401],
  ])('%s %s is answered with %i and an error body', async (method, path, expected) => {
    const { status, body, headers } = await rig.call(method, path)
    expect(status).toBe(expected)
    expect(body.error.message).not.toBe('')
    if (expected === 405) expect(headers.allow).toMatch(/^(GET|POST|PUT)$/)
  })

  it('what does not read is named by its field, without what stood there and without a stack', async () => {
    const canary = 'canary-7f3a'
    const wrong = await rig.call('POST', agentApiPaths.heartbeat, {
      identity: agent,
      body: aHeartbeat({ sentAt: canary }),
    })
    expect(wrong.status).toBe(400)
    expect(wrong.body.error.data.fields[0].field).toBe('sentAt')
    const noJson = await rig.call('POST', agentApiPaths.heartbeat, { identity: agent, body: Buffer.from(`{${canary}`) })
    expect([noJson.status, noJson.body.error.code]).toEqual([400, 'INVALID_INPUT'])
    expect(JSON.stringify([wrong.body, noJson.body])).not.toMatch(/canary|\.ts:|at async/)
    for (const key of ['short', 'with%20space', '%00'.repeat(9), 'x'.repeat(129)]) {
      const refused = await rig.call('PUT', `/v1/sync/registrations/${key}`, { identity: agent, body: aRegistration() })
      expect([key, refused.status]).toEqual([key, 400])
    }
  })

  it.each([
    ['missing', {}, 'missing'],
    ['no version', { [agentVersionHeader]: 'latest' }, 'no version'],
    ['too old', { [agentVersionHeader]: '0.0.9' }, 'too old'],
    ['of a later major version', { [agentVersionHeader]: '1.0.0' }, 'newer'],
  ])('an agent whose version is %s is told what to upgrade', async (_what, headers, words) => {
    const { status, body } = await rig.call('POST', agentApiPaths.heartbeat, {
      identity: agent,
      body: aHeartbeat(),
      tls: { headers },
    })
    expect([status, body.error.code]).toEqual([426, 'AGENT_VERSION_UNSUPPORTED'])
    expect(body.error.message).toContain(words)
  })

  it('an agent of a later minor version is served, and fields that are not known here are let pass', async () => {
    const headers = { [agentVersionHeader]: '0.9.3-beta.1' }
    const body = { ...aHeartbeat(), mood: 'good' }
    expect((await rig.call('POST', agentApiPaths.heartbeat, { identity: agent, headers, body })).status).toBe(200)
  })
})

describe('the port', () => {
  let rig: GatewayRig
  afterEach(() => rig.dispose())

  it('is closed until it is switched on, stays chosen over a restart, and is closed again when switched off', async () => {
    rig = await startGateway()
    const { port } = new URL(await rig.url())
    await rig.side.gateway.enable({ address: '127.0.0.1', port: Number(port), names: ['127.0.0.1'] }, operator)
    rig = await rig.restart()
    expect(await rig.side.gateway.status()).toMatchObject({ listening: true, port: Number(port), problem: null })
    expect(await rig.side.gateway.disable(operator)).toMatchObject({ listening: false, settings: null, url: null })
    await expect(fetchRoots(Number(port))).rejects.toThrow('ECONNREFUSED')
  })

  it('an engine that does not listen knows what was chosen', async () => {
    rig = await startGateway()
    const chosen = (await rig.side.gateway.status()).settings
    rig = await rig.restart({ listen: false })
    expect(await rig.side.gateway.status()).toMatchObject({ settings: chosen, listening: false, problem: null })
    await expect(rig.token()).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' })
  })

  it('listens on the chosen address alone', async () => {
    rig = await startGateway()
    await rig.side.gateway.enable({ address: '127.0.0.5', port: 0, names: ['127.0.0.5'] }, operator)
    const { port } = await rig.side.gateway.status()
    await expect(fetchRoots(Number(port), '127.0.0.1')).rejects.toThrow('ECONNREFUSED')
    expect((await rig.call('GET', agentApiPaths.health)).status).toBe(200)
  })

  it('a port that is taken and an address that is not ours are shown as a problem, and nothing else stops', async () => {
    rig = await startGateway()
    const other = createServer().listen(0, '127.0.0.1')
    try {
      await waitFor('the other program', () => other.listening)
      const { port } = other.address() as { port: number }
      const taken = await rig.side.gateway.enable({ address: '127.0.0.1', port, names: ['127.0.0.1'] }, operator)
      expect(taken).toMatchObject({ listening: false, problem: expect.stringContaining('taken by another program') })
      const foreign = await rig.side.gateway.enable({ address: '192.0.2.1', port: 8_443, names: ['x'] }, operator)
      expect(foreign).toMatchObject({ listening: false, problem: expect.stringContaining('no address 192.0.2.1') })
      expect(await rig.side.agents.list()).toEqual([])
    } finally {
      other.close()
    }
  })

  it('waits for a vault that is locked, says so, and listens once it is open', async () => {
    rig = await startGateway()
    await rig.stop()
    const { directory } = rig
    let locked = true
    const vault = {
      ...rig.vault,
      unlock: () => {
        if (locked)
          return Promise.reject(new AppError('VAULT_LOCKED', 'The key vault is locked. Enter the passphrase.'))
        return rig.vault.unlock()
      },
    }
    const opened = await startGateway({ directory, vault })
    try {
      const problem = 'The key vault is locked. Enter the passphrase.'
      expect(await opened.side.gateway.status()).toMatchObject({ listening: false, problem })
      locked = false
      opened.side.wake()
      await waitFor('the gateway', async () => (await opened.side.gateway.status()).listening)
      expect((await opened.side.gateway.status()).problem).toBeNull()
    } finally {
      await opened.stop()
    }
    rig = await startGateway({ directory, vault })
  })

  it('takes new certificates without losing connections, and agents of the old root still get in', async () => {
    rig = await startGateway()
    const agent = await rig.enroll('vm-1')
    const open = await openConnection(rig, agent)
    const before = await rig.side.gateway.status()
    await rig.pki.authorities.startRotation('x509', { operator })
    await waitFor('both roots', async () => (await rig.call('GET', agentApiPaths.roots)).body.roots.length === 2)
    await rig.pki.authorities.advanceRotation('x509', { operator })
    await waitFor(
      'the new root to sign',
      async () => (await rig.side.gateway.status()).rootFingerprint !== before.rootFingerprint,
    )
    expect(open.destroyed).toBe(false)
    const { body } = await rig.call('POST', agentApiPaths.heartbeat, { identity: agent, body: aHeartbeat() })
    expect(body.renewClientCertificate).toBe(true)
    expect(body.roots).toHaveLength(2)
    open.destroy()
  })
})

/** Handshake alone; what openssl says about it. */
function opensslClient(options: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child: ChildProcess = spawn('openssl', ['s_client', ...options], { stdio: ['pipe', 'pipe', 'pipe'] })
    let output = ''
    const take = (piece: Buffer): void => {
      output += piece.toString()
      // A request makes the server speak, so that tickets it may send are seen.
      if (output.includes('Verify return code') && child.stdin?.writableEnded === false)
        child.stdin.end(`GET ${agentApiPaths.health} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)
    }
    child.stdout?.on('data', take)
    child.stderr?.on('data', take)
    child.once('error', reject)
    child.once('close', () => resolve(output))
  })
}

function tlsTo(port: number, identity: ClientIdentity, ca: readonly string[], session?: Buffer): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      host: '127.0.0.1',
      port,
      ca: [...ca],
      ...identity,
      ...(session === undefined ? {} : { session }),
    })
    socket.once('secureConnect', () => resolve(socket))
    socket.once('error', reject)
  })
}

/** True when a second handshake went on with the session of the first. */
async function resumed(port: number, identity: ClientIdentity, ca: readonly string[]): Promise<boolean> {
  const first = await tlsTo(port, identity, ca)
  let session: Buffer | undefined
  first.on('session', (offered: Buffer) => {
    session = offered
  })
  first.on('error', () => undefined)
  first.write(`GET ${agentApiPaths.health} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)
  first.resume()
  await waitFor('the end of the first connection', () => first.destroyed)
  const second = await tlsTo(port, identity, ca, session ?? first.getSession())
  second.on('error', () => undefined)
  const reused = second.isSessionReused()
  second.destroy()
  return reused
}

/** A connection that has proven to be the agent's and stays open. */
async function openConnection(rig: GatewayRig, identity: ClientIdentity): Promise<TLSSocket> {
  const socket = await tlsTo(Number(new URL(await rig.url()).port), identity, await rig.roots())
  socket.on('error', () => undefined)
  const body = JSON.stringify(aHeartbeat())
  let answer = ''
  socket.on('data', (piece: Buffer) => {
    answer += piece.toString()
  })
  socket.write(
    `POST ${agentApiPaths.heartbeat} HTTP/1.1\r\nhost: x\r\n${agentVersionHeader}: 0.1.0\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  )
  await waitFor('the first answer', () => answer.startsWith('HTTP/1.1 200'))
  return socket
}

/** Sends bytes as they are; everything that came back until the gateway ended it. */
async function raw(rig: GatewayRig, identity: ClientIdentity, text: string): Promise<string> {
  const socket = await tlsTo(Number(new URL(await rig.url()).port), identity, await rig.roots())
  let answer = ''
  socket.on('error', () => undefined)
  socket.on('data', (piece: Buffer) => {
    answer += piece.toString()
  })
  socket.write(text)
  await waitFor('the end of the connection', () => socket.destroyed || socket.readableEnded)
  socket.destroy()
  return answer
}

function fetchRoots(port: number, host = '127.0.0.1'): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp(port, host, () => {
      socket.destroy()
      resolve()
    })
    socket.once('error', reject)
  })
}
