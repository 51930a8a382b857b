import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { consoleSchemePrivileges, createConsoleHandler } from './protocol.ts'

let directory: string
let handle: (request: Request) => Promise<Response>

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lockstep-page-'))
  const root = join(directory, 'renderer')
  await mkdir(join(root, 'assets'), { recursive: true })
  await writeFile(join(root, 'index.html'), '<meta name="csp-nonce" content="__CSP_NONCE__">')
  await writeFile(join(root, 'assets/app.js'), 'export {}')
  await writeFile(join(root, 'assets/notes.txt'), 'not part of the page')
  await writeFile(join(directory, 'secret.json'), '{}')
  handle = createConsoleHandler(root)
})
afterAll(() => rm(directory, { recursive: true, force: true }))

const get = (path: string): Promise<Response> => handle(new Request(`app://console${path}`))

describe('app://console', () => {
  it('serves the page with a policy and a nonce that is new each time', async () => {
    const [first, second] = [await get('/index.html'), await get('/')]
    const policies = [first, second].map((response) => response.headers.get('content-security-policy') ?? '')
    const nonces = policies.map((policy) => /'nonce-([A-Za-z0-9+/=]{24})'/.exec(policy)?.[1])
    expect(nonces[0]).toBeDefined()
    expect(nonces[0]).not.toBe(nonces[1])
    expect(await first.text()).toBe(`<meta name="csp-nonce" content="${nonces[0]}">`)
    expect(first.headers.get('cache-control')).toBe('no-store')
  })

  it('runs no inline script, no eval, no foreign source', async () => {
    const policy = (await get('/')).headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("script-src 'self';")
    expect(policy).toContain("connect-src 'self'")
    expect(policy).not.toMatch(/unsafe-eval|https?:|\*/)
    expect(policy.replace("style-src-attr 'unsafe-inline'", '')).not.toContain('unsafe-inline')
  })

  it('serves scripts with their type and forbids guessing it', async () => {
    const response = await get('/assets/app.js')
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/javascript; charset=utf-8')
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  })

  it.each([
    '/../secret.json',
    '/assets/../../secret.json',
    '/%2e%2e/secret.json',
    '/..%2fsecret.json',
    '/..%5csecret.json',
    '/assets/app.js%00.html',
    '/%ff.js',
    '/assets/notes.txt',
    '/assets',
    '/missing.js',
  ])('finds nothing outside of the page: %s', async (path) => {
    const response = await get(path)
    expect(response.status).toBe(404)
    expect(await response.text()).toBe('')
  })

  it.each(['app://other/index.html', 'app://console.example.org/index.html', 'https://console/index.html'])(
    'answers no other host and no other scheme: %s',
    async (url) => {
      expect((await handle(new Request(url))).status).toBe(404)
    },
  )

  it('takes nothing but GET and HEAD', async () => {
    expect((await handle(new Request('app://console/index.html', { method: 'POST', body: 'x' }))).status).toBe(405)
  })

  it('is a standard, secure scheme that does not bypass the policy', () => {
    expect(consoleSchemePrivileges.privileges).toMatchObject({ standard: true, secure: true })
    expect(consoleSchemePrivileges.privileges?.bypassCSP ?? false).toBe(false)
    expect(consoleSchemePrivileges.privileges?.allowServiceWorkers ?? false).toBe(false)
  })
})
