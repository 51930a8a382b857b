import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { createServer, request, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { connectEngine } from '../../../src/daemon/connect.ts'
import { type RunningDaemon, serve } from '../../../src/daemon/serve.ts'
import { connectSocket, requestLoginLink } from '../../../src/daemon/socketClient.ts'
import { type HomePaths, homePaths } from '../../../src/platform/paths.ts'

let home: HomePaths
let daemon: RunningDaemon
let port: number

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

/** Sends the path as it is: `fetch` would tidy it up before the server sees it. */
function ask(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { host: '127.0.0.1', port, path, method, headers: { host: `127.0.0.1:${port}`, ...headers } },
      (response) => {
        let body = ''
        response.setEncoding('utf8')
        response.on('data', (part: string) => {
          body += part
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
      },
    )
    asked.once('error', reject)
    asked.end()
  })
}

async function signIn(): Promise<string> {
  const link = new URL(daemon.newLoginLink())
  const { headers } = await ask(`${link.pathname}${link.search}`)
  return String(headers['set-cookie']).split(';')[0] as string
}

/** @returns the status of a refused upgrade, or 101 */
function upgrade(path: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers })
    socket.once('open', () => {
      socket.terminate()
      resolve(101)
    })
    socket.once('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0))
    socket.once('error', () => resolve(0))
  })
}

describe('the console over loopback', () => {
  beforeAll(async () => {
    home = homePaths(await mkdtemp(join(tmpdir(), 'ls-http-')))
    daemon = await serve({ home, port: 0, passphrase: {}, version: 'test' })
    port = Number(new URL(daemon.url).port)
  })
  afterAll(async () => {
    await daemon.stop()
    await rm(home.home, { recursive: true, force: true })
  })

  it('a link works once; what it gives is a cookie that no script and no other site can use', async () => {
    const link = new URL(daemon.newLoginLink())
    const first = await ask(`${link.pathname}${link.search}`)
    expect(first.status).toBe(200)
    expect(String(first.headers['set-cookie'])).toMatch(
      /^lockstep_[0-9a-f]{8}=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/; Max-Age=\d+$/,
    )
    const second = await ask(`${link.pathname}${link.search}`)
    expect(second).toMatchObject({ status: 401 })
    expect(second.body).toContain('open-link')
    expect(second.headers['set-cookie']).toBeUndefined()
  })

  it('nothing of the console is given without a cookie, and a made-up one is none', async () => {
    expect(await ask('/')).toMatchObject({ status: 401 })
    const name = (await signIn()).split('=')[0] as string
    expect(await ask('/', { cookie: `${name}=${'A'.repeat(43)}` })).toMatchObject({ status: 401 })
    expect(await ask('/healthz')).toMatchObject({ status: 200, body: 'ok\n' })
  })

  it('every page has a strict policy with a nonce of its own', async () => {
    const policies = await Promise.all([ask('/'), ask('/')])
    const [one, other] = policies.map((answer) => String(answer.headers['content-security-policy']))
    expect(one).toContain("default-src 'none'")
    expect(one).not.toContain("script-src 'unsafe")
    expect(one).not.toBe(other)
    expect(policies[0]?.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    })
  })

  it.each(['evil.example', 'evil.example:1', '127.0.0.1', 'localhost.evil.example'])(
    'a name that was rebound to us (%s) gets nothing',
    async (host) => {
      expect(await ask('/', { host, cookie: await signIn() })).toMatchObject({ status: 403 })
    },
  )

  it('a request from a page of somebody else gets nothing', async () => {
    const cookie = await signIn()
    expect(await ask('/', { origin: 'https://evil.example', cookie })).toMatchObject({ status: 403 })
    expect(await ask('/', { cookie }, 'POST')).toMatchObject({ status: 405 })
  })

  it.each([
    '/../../../etc/passwd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/..%2f..%2fetc%2fpasswd',
    '/assets/..\\..\\x.js',
    '/index.html%00.js',
    '/engine.lock',
  ])('a path that climbs or names no file of the console (%s) is not found', async (path) => {
    const { status } = await ask(path, { cookie: await signIn() })
    expect([403, 404]).toContain(status)
  })

  it('calls and terminals need our own page and the cookie', async () => {
    const cookie = await signIn()
    const origin = `http://127.0.0.1:${port}`
    expect(await upgrade('/rpc', { origin, cookie })).toBe(101)
    expect(await upgrade('/rpc', { origin })).toBe(403)
    expect(await upgrade('/rpc', { cookie })).toBe(403)
    expect(await upgrade('/rpc', { origin: 'https://evil.example', cookie })).toBe(403)
    expect(await upgrade('/terminal/01900000-0000-7000-8000-000000000000', { origin })).toBe(403)
    expect(await upgrade('/elsewhere', { origin, cookie })).toBe(0)
  })

  it('survives a client that breaks off while its upgrade is refused', async () => {
    const request = `GET /rpc HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`
    for (let index = 0; index < 100; index += 1) {
      await new Promise<void>((resolve) => {
        const socket = connect(port, '127.0.0.1', () => {
          socket.write(request + 'z'.repeat(200_000))
          setImmediate(() => socket.resetAndDestroy())
        })
        socket.on('error', () => undefined)
        socket.once('close', () => resolve())
      })
    }
    expect(await ask('/healthz')).toMatchObject({ status: 200 })
  })

  it('the socket is for its user alone, answers calls and makes links', async () => {
    expect((await stat(home.engineSocket)).mode & 0o777).toBe(0o600)
    expect((await stat(home.runDirectory)).mode & 0o777).toBe(0o700)
    const connection = await connectSocket(home)
    expect((await connection?.client.system.status())?.host).toBe('daemon')
    await connection?.close()
    expect(await requestLoginLink(home)).toMatch(new RegExp(`^http://127.0.0.1:${port}/login\\?token=[\\w-]{43}$`))
  })

  it('a second engine is not started: whoever comes is connected to the first', async () => {
    await expect(serve({ home, port: 0, passphrase: {}, version: 'test' })).rejects.toMatchObject({
      code: 'HOME_IN_USE',
    })
    const connection = await connectEngine({ home, whenUnowned: 'embed', work: false, passphrase: {}, version: 'test' })
    expect(connection.owner).toBe('daemon')
    await connection.close()
  })

  it('a port that is taken is named, with the way out, and nothing keeps running', async () => {
    const other: Server = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const taken = (other.address() as AddressInfo).port
    const elsewhere = homePaths(await mkdtemp(join(tmpdir(), 'ls-http-')))
    await expect(serve({ home: elsewhere, port: taken, passphrase: {}, version: 'test' })).rejects.toMatchObject({
      code: 'ADDRESS_IN_USE',
      message: expect.stringMatching(new RegExp(`Port ${taken}.*--port`)),
    })
    await expect(readFile(elsewhere.lockFile)).rejects.toMatchObject({ code: 'ENOENT' })
    other.close()
    await rm(elsewhere.home, { recursive: true, force: true })
  })

  it('without a passphrase the vault stays locked and says which ways there are; the console can open it', async () => {
    const connection = await connectSocket(home)
    const client = connection?.client
    await expect(client?.certificates.exportAuthority({ kind: 'ssh-user' })).rejects.toMatchObject({
      code: 'VAULT_LOCKED',
      message: expect.stringContaining('--passphrase-file'),
    })
    expect((await client?.system.unlock({ passphrase: 'correct horse battery' }))?.vault).toMatchObject({
      kind: 'passphrase',
      unlocked: true,
    })
    expect(await client?.certificates.authorities()).toHaveLength(1)
    await connection?.close()
  })

  it('no secret of it is written anywhere in the open (U31)', async () => {
    const cookie = await signIn()
    const files = [home.engineLogFile, join(home.keysDirectory, 'sessions.json')]
    for (const file of files) {
      const text = await readFile(file, 'utf8')
      expect(text).not.toContain('correct horse battery')
      expect(text).not.toContain(cookie.split('=')[1])
    }
  })

  it('pictures on a page of somebody else use up no tries', async () => {
    for (let tries = 0; tries < 12; tries += 1) {
      expect(await ask('/login?token=x', { 'sec-fetch-mode': 'no-cors' })).toMatchObject({ status: 403 })
    }
    expect(await signIn()).toMatch(/^lockstep_/)
  })

  it('a passphrase that was wrong does not stand in the way of the next try', async () => {
    const other = homePaths(await mkdtemp(join(tmpdir(), 'ls-http-')))
    const first = await serve({ home: other, port: 0, passphrase: {}, version: 'test' })
    const connection = await connectSocket(other)
    await connection?.client.system.unlock({ passphrase: 'the right passphrase' })
    await connection?.close()
    await first.stop()
    const second = await serve({ home: other, port: 0, passphrase: {}, version: 'test' })
    const again = await connectSocket(other)
    await expect(again?.client.system.unlock({ passphrase: 'the wrong passphrase' })).rejects.toMatchObject({
      code: 'VAULT_PASSPHRASE_WRONG',
    })
    expect((await again?.client.system.unlock({ passphrase: 'the right passphrase' }))?.vault.unlocked).toBe(true)
    await again?.close()
    await second.stop()
    await rm(other.home, { recursive: true, force: true })
  })

  it('ten wrong links make even right ones wait', async () => {
    for (let tries = 0; tries < 10; tries += 1) await ask(`/login?token=wrong-${tries}`)
    const link = new URL(daemon.newLoginLink())
    expect(await ask(`${link.pathname}${link.search}`)).toMatchObject({ status: 429 })
  })
})

describe('sessions', () => {
  it('outlive a restart of the daemon, so that an open page comes back by itself', async () => {
    home = homePaths(await mkdtemp(join(tmpdir(), 'ls-http-')))
    daemon = await serve({ home, port: 0, passphrase: {}, version: 'test' })
    port = Number(new URL(daemon.url).port)
    const cookie = await signIn()
    await daemon.stop()
    daemon = await serve({ home, port, passphrase: {}, version: 'test' })
    expect(await upgrade('/rpc', { origin: `http://127.0.0.1:${port}`, cookie })).toBe(101)
    await daemon.stop()
    await rm(home.home, { recursive: true, force: true })
  })
})
