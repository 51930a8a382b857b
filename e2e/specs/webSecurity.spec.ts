import { request as httpRequest } from 'node:http'
import { expect, test } from '../fixtures/console.ts'

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** A request with headers that a browser would not let a page choose. */
function ask(url: string, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { headers }, (response) => {
      response.resume()
      resolve({ status: response.statusCode ?? 0, headers: response.headers })
    })
    request.once('upgrade', (_response, socket) => {
      socket.destroy()
      resolve({ status: 101, headers: {} })
    })
    request.once('error', reject)
    request.end()
  })
}

const upgradeHeaders = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': Buffer.alloc(16).toString('base64'),
}

test.describe('the console over loopback @web', () => {
  test('a link opens it once', async ({ console: first, web, browser }) => {
    await expect(first.getByRole('main')).toBeVisible()
    const link = await web.newLink()
    const one = await browser.newPage()
    await one.goto(link)
    await expect(one.getByRole('navigation', { name: 'Views' })).toBeVisible()
    const context = await browser.newContext()
    const two = await context.newPage()
    expect((await two.goto(link))?.status()).toBe(401)
    await expect(two.getByRole('heading', { name: 'This link was used' })).toBeVisible()
    await one.close()
    await context.close()
  })

  test('without a session there is no page, no file and no channel', async ({ web }) => {
    expect((await ask(`${web.origin}/`)).status).toBe(401)
    expect((await ask(`${web.origin}/beforeModules.js`)).status).toBe(401)
    expect((await ask(`${web.origin}/rpc`, { ...upgradeHeaders, origin: web.origin })).status).toBe(403)
  })

  test('another origin and another name for this machine are refused, with the cookie too', async ({
    console,
    web,
  }) => {
    const cookies = await console.context().cookies()
    const session = cookies.find(({ name }) => name.startsWith('lockstep_'))
    expect(session).toMatchObject({ httpOnly: true, sameSite: 'Strict' })
    const cookie = `${session?.name}=${session?.value}`
    const upgrade = { ...upgradeHeaders, cookie }
    expect((await ask(`${web.origin}/rpc`, { ...upgrade, origin: web.origin })).status).toBe(101)
    expect((await ask(`${web.origin}/rpc`, { ...upgrade, origin: 'https://example.org' })).status).toBe(403)
    expect((await ask(`${web.origin}/rpc`, upgrade)).status).toBe(403)
    expect((await ask(`${web.origin}/`, { cookie, host: 'rebound.example.org' })).status).toBe(403)
    expect((await ask(`${web.origin}/`, { cookie })).status).toBe(200)
  })

  test('the page runs under a strict policy', async ({ console, web }) => {
    const cookies = await console.context().cookies()
    const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ')
    const policy = String((await ask(`${web.origin}/`, { cookie })).headers['content-security-policy'])
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("script-src 'self';")
    expect(policy).not.toContain('unsafe-eval')
  })

  test('there is no desktop bridge in a browser', async ({ console }) => {
    expect(await console.evaluate(() => 'lockstep' in window)).toBe(false)
  })
})
