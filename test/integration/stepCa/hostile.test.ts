import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/platform/clock.ts'
import { connectStepCa, type StepCaClient } from '../../../src/platform/stepCa/client.ts'
import { openWithPassword } from '../../../src/platform/stepCa/pbes2.ts'
import { freePort } from '../../support/sshd.ts'
import {
  issueServerCertificate,
  startStepCa,
  stepCaMissing,
  stepCaStartTimeoutMs,
  type TestStepCa,
} from '../../support/stepCa.ts'
import { waitFor } from '../../support/waitFor.ts'
import {
  type AgentKey,
  agentKey,
  connect,
  failureOf,
  type Impostor,
  type ImpostorAnswer,
  orderFor,
  relayTo,
  removeDirectory,
  startImpostor,
  temporaryDirectory,
  text,
} from './harness.ts'

if (stepCaMissing !== null) console.warn(`skipped: ${stepCaMissing}`)

describe.skipIf(stepCaMissing !== null)('a step-ca that fails or lies', () => {
  let directory: string
  let ca: TestStepCa
  /** Somebody else's authority. */
  let other: TestStepCa
  let key: AgentKey
  /** Server certificates for 127.0.0.1: from the pinned authority, and from the other. */
  let pinnedPem: string
  let otherPem: string
  const impostors: Impostor[] = []

  beforeAll(async () => {
    directory = await temporaryDirectory()
    const [own, foreign] = [join(directory, 'ca'), join(directory, 'other')]
    ca = await startStepCa({ directory: own })
    other = await startStepCa({ directory: foreign })
    key = await agentKey(directory)
    pinnedPem = await issueServerCertificate(own, '127.0.0.1')
    otherPem = await issueServerCertificate(foreign, '127.0.0.1')
  }, stepCaStartTimeoutMs)
  afterEach(async () => {
    await Promise.all(impostors.splice(0).map((impostor) => impostor.stop()))
  })
  afterAll(async () => {
    await Promise.all([ca?.stop(), other?.stop()])
    await removeDirectory(directory)
  })

  const impostor = async (pem: string, answer: ImpostorAnswer): Promise<Impostor> => {
    const started = await startImpostor(pem, answer)
    impostors.push(started)
    return started
  }
  const pinned = (url: string, timeoutMs = 10_000): Promise<StepCaClient> =>
    connectStepCa({ url, rootFingerprint: ca.rootFingerprint }, { clock: systemClock, timeoutMs })
  /** Answers the root honestly and everything else with `answer`. */
  const honestRoot =
    (answer: ImpostorAnswer): ImpostorAnswer =>
    (request, response) =>
      request.url?.startsWith('/root/') ? relayTo(ca)(request, response) : answer(request, response)
  const json = (response: ServerResponse, status: number, content: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(content))
  }

  describe('the pin', () => {
    it('S0.29 refuses a step-ca that does not have the pinned root', async () => {
      const refusal = await failureOf(connect(ca, { rootFingerprint: other.rootFingerprint }))
      expect(refusal).toMatchObject({ code: 'AUTHORITY_ROOT_MISMATCH', data: { fingerprint: other.rootFingerprint } })
      expect(refusal.message).toContain('step certificate fingerprint root_ca.crt')
    })

    it.each([
      [
        'another root',
        () => relayTo(ca, { answer: () => JSON.stringify({ ca: readFileSync(other.rootFile, 'utf8') }) }),
      ],
      ['nonsense', () => relayTo(ca, { answer: () => JSON.stringify({ ca: 'no certificate' }) })],
      ['nothing', () => relayTo(ca, { answer: () => '{}' })],
    ])('S0.29 takes no answer to the pin on trust: %s', async (_label, answer) => {
      const lying = await impostor(otherPem, answer())
      expect(await failureOf(pinned(lying.url))).toMatchObject({ code: 'AUTHORITY_ROOT_MISMATCH' })
    })

    it('S0.29 tells nothing to somebody who can show the root but has no certificate from it', async () => {
      const middle = await impostor(otherPem, relayTo(ca))
      const client = await pinned(middle.url)
      const refusals = [
        await failureOf(client.health()),
        await failureOf(client.orderCertificate(orderFor(ca, key.publicKey))),
      ]
      for (const refusal of refusals) expect(refusal.code).toBe('AUTHORITY_ROOT_MISMATCH')
      expect(middle.asked).toEqual([`/root/${ca.rootFingerprint}`])
    })

    it('S0.29 pins a root, not whatever certificate a server shows', async () => {
      const shown = new X509Certificate(pinnedPem)
      const rootFingerprint = shown.fingerprint256.replaceAll(':', '').toLowerCase()
      const showing = await impostor(pinnedPem, (_request, response) => json(response, 200, { ca: shown.toString() }))
      const refusal = await failureOf(connect(ca, { url: showing.url, rootFingerprint }))
      expect(refusal).toMatchObject({ code: 'AUTHORITY_ROOT_MISMATCH', data: { fingerprint: rootFingerprint } })
    })

    it('S0.29 compares the name, too', async () => {
      const misnamed = await impostor(
        await issueServerCertificate(join(directory, 'ca'), 'elsewhere.internal'),
        relayTo(ca),
      )
      expect(await failureOf((await pinned(misnamed.url)).health())).toMatchObject({
        code: 'AUTHORITY_UNREACHABLE',
        data: { reason: 'certificate' },
        message: expect.stringContaining('dnsNames'),
      })
    })

    it.each(['', 'abc', `${'0'.repeat(63)}g`, '0'.repeat(65)])(
      'S0.29 takes no such pin: %j',
      async (rootFingerprint) => {
        expect(await failureOf(connect(ca, { rootFingerprint }))).toMatchObject({ code: 'INVALID_INPUT' })
      },
    )

    it('S0.29 reads the pin in the forms in which other programs print it', async () => {
      const colons = ca.rootFingerprint.toUpperCase().replace(/..(?=.)/g, '$&:')
      await (await connect(ca, { rootFingerprint: ` ${colons}\n` })).health()
    })

    it.each([
      'http://127.0.0.1:9000',
      'ca.internal:9000',
      'https://',
      'https://u:p@127.0.0.1',
      'https://127.0.0.1/x?y',
      '',
    ])('S0.36 takes no such address: %j', async (url) => {
      expect(await failureOf(connect(ca, { url }))).toMatchObject({ code: 'INVALID_INPUT' })
    })
  })

  describe('the way', () => {
    it('S0.36 says that nothing listens there', async () => {
      const url = `https://127.0.0.1:${await freePort()}`
      expect(await failureOf(pinned(url))).toMatchObject({
        code: 'AUTHORITY_UNREACHABLE',
        message: `step-ca at ${url} cannot be used now: the connection was refused. Is it running, and is this its port?`,
        data: { reason: 'refused' },
        retry: { kind: 'after' },
      })
    })

    it.each<[string, string, string]>([
      ['speaks SSH', 'SSH-2.0-OpenSSH_9.2\r\n', 'lost'],
      ['speaks plain HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'lost'],
      ['says nothing at all', '', 'timed-out'],
    ])('S0.36 gives up on a port that %s', async (_label, greeting, reason) => {
      const server = createServer((socket) => {
        socket.on('error', () => undefined).resume()
        if (greeting !== '') socket.end(greeting)
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      try {
        const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
        const refusal = await failureOf(pinned(url, reason === 'timed-out' ? 300 : 10_000))
        expect(refusal).toMatchObject({ code: 'AUTHORITY_UNREACHABLE', data: { reason } })
      } finally {
        await new Promise((resolve) => server.close(resolve))
      }
    })

    it('gives up on one that takes the request and never answers, and closes the connection', async () => {
      const silent = await impostor(
        pinnedPem,
        honestRoot(() => undefined),
      )
      const client = await pinned(silent.url)
      expect(await failureOf(client.health({ timeoutMs: 200 }))).toMatchObject({
        code: 'AUTHORITY_UNREACHABLE',
        message: expect.stringContaining('no complete answer within 0.2 s'),
        data: { reason: 'timed-out' },
      })
      await waitFor('no connection to be open', async () => (await silent.openConnections()) === 0)
    })

    it('gives up on one that begins to answer and stops half-way', async () => {
      const slow = await impostor(
        pinnedPem,
        honestRoot((_request, response) => {
          response.writeHead(200, { 'content-type': 'application/json' }).write('{"status":')
        }),
      )
      const refusal = await failureOf((await pinned(slow.url)).health({ timeoutMs: 200 }))
      expect(refusal).toMatchObject({ code: 'AUTHORITY_UNREACHABLE', data: { reason: 'timed-out' } })
    })

    it('is canceled while it waits, and before it begins', async () => {
      const canceling = new AbortController()
      const silent = await impostor(
        pinnedPem,
        honestRoot(() => canceling.abort()),
      )
      const client = await pinned(silent.url)
      const { signal } = canceling
      expect(await failureOf(client.health({ signal }))).toMatchObject({ code: 'CANCELED' })
      const asked = silent.asked.length
      expect(await failureOf(client.health({ signal }))).toMatchObject({ code: 'CANCELED' })
      expect(silent.asked).toHaveLength(asked)
    })

    it('reads no more than it has to of an answer without end', async () => {
      let sentBytes = 0
      const flood = await impostor(
        pinnedPem,
        honestRoot((_request, response) => {
          const chunk = Buffer.alloc(65_536, ' ')
          const pump = (): void => {
            while (!response.destroyed && sentBytes < 1e9) {
              sentBytes += chunk.length
              if (!response.write(chunk)) return void response.once('drain', pump)
            }
          }
          pump()
        }),
      )
      expect(await failureOf((await pinned(flood.url)).health())).toMatchObject({
        code: 'AUTHORITY_UNREACHABLE',
        message: expect.stringContaining('larger than 1048576 bytes'),
        data: { reason: 'unusable-answer' },
      })
      await waitFor('no connection to be open', async () => (await flood.openConnections()) === 0)
      expect(sentBytes).toBeLessThan(1e8)
    })

    it.each<[string, number, string]>([
      ['a page of a proxy', 200, '<html>'],
      ['another health', 200, '{"status":"starting"}'],
      ['a redirect', 302, '{}'],
      ['a broken back end', 502, '{"message":"bad gateway"}'],
      ['too many requests', 429, '{}'],
    ])('calls %s no answer of a step-ca, and says that it may pass', async (_label, status, body) => {
      const proxy = await impostor(
        pinnedPem,
        honestRoot((_request, response) => void response.writeHead(status, { location: ca.url }).end(body)),
      )
      expect(await failureOf((await pinned(proxy.url)).health())).toMatchObject({
        code: 'AUTHORITY_UNREACHABLE',
        data: { reason: 'unusable-answer' },
        retry: { kind: 'after' },
      })
    })

    it('asks no longer when the list of provisioners has no end', async () => {
      const endless = await impostor(
        pinnedPem,
        honestRoot((_request, response) => json(response, 200, { provisioners: [], nextCursor: 'again' })),
      )
      const refusal = await failureOf((await pinned(endless.url)).provisioners())
      expect(refusal.message).toContain('more than 2000 provisioners')
      expect(endless.asked.length).toBeLessThan(30)
    })

    it('leaves no connection open behind a whole order', async () => {
      const relay = await impostor(pinnedPem, relayTo(ca))
      await (await pinned(relay.url)).orderCertificate(orderFor(ca, key.publicKey))
      expect(relay.asked).toHaveLength(4)
      await waitFor('no connection to be open', async () => (await relay.openConnections()) === 0)
    })
  })

  describe('the answer', () => {
    const changed = async (change: Parameters<typeof relayTo>[1]): Promise<unknown> => {
      const relay = await impostor(pinnedPem, relayTo(ca, change))
      return (await pinned(relay.url)).orderCertificate(orderFor(ca, key.publicKey))
    }
    const onSign =
      (edit: (content: Record<string, unknown>) => Record<string, unknown>) =>
      (content: string, path: string): string =>
        path === '/1.0/ssh/sign' ? JSON.stringify(edit(JSON.parse(content))) : content

    it('refuses a certificate over another key, signed by the right authority', async () => {
      const strangers = await agentKey(directory, 'strangers_key')
      const publicKey = strangers.publicKey.toString('base64')
      expect(await failureOf(changed({ body: onSign((body) => ({ ...body, publicKey })) }))).toMatchObject({
        code: 'CERTIFICATE_INVALID',
        data: { flaws: ['it is about another key than ours'] },
      })
    })

    it('refuses a certificate from a key that the authority does not list', async () => {
      const foreign = other.sshUserCaKey.split(' ')[1]
      const answer = (content: string, path: string): string =>
        path === '/ssh/roots' ? JSON.stringify({ userKey: [foreign] }) : content
      expect(await failureOf(changed({ answer }))).toMatchObject({
        code: 'CERTIFICATE_INVALID',
        data: { flaws: [expect.stringContaining('not among the SSH authority keys')] },
      })
    })

    it.each([
      ['a certificate whose signature has a changed byte', withLastByteChanged],
      ['half a certificate', (crt: string) => crt.slice(0, 200)],
      ['a plain key', () => ca.sshUserCaKey.split(' ')[1] ?? ''],
    ])('refuses %s', async (_label, edit) => {
      const answer = onSign((content) => ({ ...content, crt: edit(String(content.crt)) }))
      expect(await failureOf(changed({ answer }))).toMatchObject({ code: 'CERTIFICATE_INVALID' })
    })

    it('refuses an answer without a certificate', async () => {
      expect(await failureOf(changed({ answer: onSign(() => ({})) }))).toMatchObject({ code: 'AUTHORITY_UNREACHABLE' })
    })

    it('U10 sees by the date of the refusal that the clocks differ', async () => {
      const slow = { ...systemClock, nowMs: () => Date.now() - 600_000 }
      const client = await connectStepCa({ url: ca.url, rootFingerprint: ca.rootFingerprint }, { clock: slow })
      const refusal = await failureOf(client.orderCertificate(orderFor(ca, key.publicKey)))
      expect(refusal).toMatchObject({ code: 'AUTHORITY_REFUSED', data: { reason: 'not-authorized' } })
      expect(refusal.message).toMatch(/Its clock is (59|60)\d s ahead of ours/)
    })
  })

  describe('secrets', () => {
    const wrongPassword = 'canary-wrong-password-7f3a'
    const secretsOf = async (): Promise<string[]> => {
      const client = await connect(ca)
      const [provisioner] = await client.provisioners()
      const opened = await openWithPassword(provisioner?.encryptedKey ?? '', ca.password)
      if (opened.kind !== 'opened') throw new Error(opened.kind)
      return [ca.password, wrongPassword, JSON.parse(opened.plaintext.toString('utf8')).d]
    }
    /** All that a log, a crash report or a client could show of it. */
    const everythingOf = (error: unknown): string =>
      [inspect(error, { depth: 10, showHidden: true }), JSON.stringify(error), String(error)].join('\n')

    it('S0.8 a wrong password is named as such; nothing is sent with it', async () => {
      const asked = (await ca.log()).split('path=/1.0/ssh/sign').length
      const credential = { kind: 'password', provisioner: ca.provisioner, password: wrongPassword } as const
      const client = await connect(ca)
      const refusal = await failureOf(client.orderCertificate(orderFor(ca, key.publicKey, { credential })))
      expect(refusal).toMatchObject({
        code: 'AUTHORITY_REFUSED',
        message: expect.stringContaining('this password does not open its key'),
        data: { reason: 'password-wrong', provisioner: 'sync-provisioner' },
      })
      expect((await ca.log()).split('path=/1.0/ssh/sign')).toHaveLength(asked)
      for (const secret of await secretsOf()) expect(everythingOf(refusal)).not.toContain(secret)
    })

    it('a refusal that repeats our token is not passed on with it', async () => {
      let token = ''
      const echo = honestRoot(async (request, response) => {
        if (request.url !== '/1.0/ssh/sign') return relayTo(ca)(request, response)
        token = JSON.parse(await text(request)).ott
        json(response, 403, { status: 403, message: `forbidden:\n${token} ${'x'.repeat(10_000)}` })
      })
      const echoing = await impostor(pinnedPem, echo)
      const client = await pinned(echoing.url)
      const refusal = await failureOf(client.orderCertificate(orderFor(ca, key.publicKey)))
      expect(refusal).toMatchObject({
        code: 'AUTHORITY_REFUSED',
        message: expect.stringContaining('forbidden: [token] x'),
      })
      expect(refusal.message.length).toBeLessThan(500)
      expect(token).toMatch(/^eyJ/)
      for (const part of token.split('.')) expect(everythingOf(refusal)).not.toContain(part)
    })

    it('neither password nor provisioner key leaves this process', async () => {
      const sent: string[] = []
      const relay = await impostor(
        pinnedPem,
        relayTo(ca, {
          body: (body, path) => {
            sent.push(path, body)
            return body
          },
        }),
      )
      await (await pinned(relay.url)).orderCertificate(orderFor(ca, key.publicKey))
      expect(sent.join('\n')).toContain('"ott":"eyJ')
      const readable = [...sent, ...sent.flatMap((part) => part.split(/["./]/)).map((part) => decoded(part))].join('\n')
      for (const secret of await secretsOf()) expect(readable).not.toContain(secret)
    })
  })
})

function withLastByteChanged(base64: string): string {
  const bytes = Buffer.from(base64, 'base64')
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
  return bytes.toString('base64')
}

function decoded(part: string): string {
  return Buffer.from(part, 'base64url').toString('latin1')
}
