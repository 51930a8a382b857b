import { expect, test } from '../fixtures/console.ts'
import { waitUntil } from '../fixtures/waitUntil.ts'

test.describe('the desktop app @desktop', () => {
  test('asks for a sandboxed, isolated window without node', async ({ calls, console: _ }) => {
    const [options] = calls.find(({ api }) => api === 'BrowserWindow')?.args ?? []
    expect(options).toMatchObject({
      webPreferences: {
        sandbox: true,
        contextIsolation: true,
        nodeIntegration: false,
        webviewTag: false,
        webSecurity: true,
      },
    })
    expect(calls.map(({ api }) => api)).toContain('app.enableSandbox')
    expect(calls.map(({ api }) => api)).toContain('session.setPermissionRequestHandler')
  })

  test('hands no secret to the engine by argument or environment', async ({ calls, console: _ }) => {
    const fork = calls.find(({ api }) => api === 'utilityProcess.fork')
    expect(fork?.args.slice(1)).toEqual([[], { serviceName: 'Lockstep engine' }])
  })

  test('the page has neither node nor Electron, only the named bridge', async ({ console }) => {
    const found = await console.evaluate(() => ({
      node: ['require', 'process', 'module', 'Buffer', 'global'].filter((name) => name in globalThis),
      bridge: Object.keys(window.lockstep ?? {}).sort(),
      frozen: Object.isFrozen(window.lockstep),
    }))
    expect(found.node).toEqual([])
    expect(found.frozen).toBe(true)
    expect(found.bridge).toEqual(
      [
        'connectTo',
        'copyText',
        'notify',
        'onCommand',
        'onEngineRestarted',
        'onEngineState',
        'onNavigate',
        'openExternal',
        'openWindow',
        'platform',
        'recentControlPlanes',
        'requestEnginePort',
        'requestTerminalPort',
        'restartEngine',
        'versions',
      ].sort(),
    )
  })

  test('cannot be led away from its page', async ({ calls, console }) => {
    const before = console.url()
    await console.evaluate(() => {
      location.href = 'https://example.org/'
    })
    await waitUntil('the refusal', () => calls.find(({ api }) => api === 'navigation.denied'))
    expect(console.url()).toBe(before)
  })

  test('opens no window of its own; https goes to the browser, the rest nowhere', async ({ calls, console }) => {
    await console.evaluate(() => {
      window.open('https://example.org/docs')
      window.lockstep?.openExternal('file:///etc/passwd')
      window.lockstep?.openExternal('javascript:alert(1)')
    })
    const opened = (): unknown[] => calls.filter(({ api }) => api === 'shell.openExternal').map(({ args }) => args[0])
    await waitUntil('the link in the browser', () => opened().length > 0)
    expect(opened()).toEqual(['https://example.org/docs'])
    expect(calls.filter(({ api }) => api === 'BrowserWindow')).toHaveLength(1)
  })

  test('runs no inline script and no eval', async ({ host, console }) => {
    host.watch.allow(/policy violation|Content Security Policy/)
    const ran = await console.evaluate(() => {
      const script = document.createElement('script')
      script.textContent = 'window.inlineRan = true'
      document.body.append(script)
      return 'inlineRan' in window
    })
    expect(ran).toBe(false)
    const headers = await console.evaluate(async () =>
      (await fetch('index.html')).headers.get('content-security-policy'),
    )
    expect(headers).toContain("default-src 'none'")
    expect(headers).not.toContain('unsafe-eval')
  })

  test('a second start gives way to the first and shows what its link names', async ({ desktop, console }) => {
    expect(await desktop.startSecondInstance(['lockstep://certificates'])).toBe(0)
    await expect(console).toHaveURL(/#\/certificates$/)
    await expect(console.getByRole('heading', { name: 'Certificates', exact: true })).toBeVisible()
  })

  test('a link that names anything else changes nothing', async ({ desktop, console }) => {
    const before = console.url()
    desktop.emit('app', 'open-url', 'lockstep://runs/../../etc/passwd')
    desktop.emit('app', 'open-url', 'lockstep://settings')
    await expect(console).toHaveURL(/#\/settings$/)
    expect(before).not.toMatch(/settings/)
  })

  test('the menu opens the palette in the page', async ({ desktop, console }) => {
    desktop.clickMenu('palette')
    await expect(console.getByRole('combobox', { name: 'Find nodes, agents, runs, plans and actions' })).toBeFocused()
    await console.keyboard.press('Escape')
  })

  test('copies through the main process', async ({ calls, console }) => {
    await console.evaluate(() => window.lockstep?.copyText('lockstep push worker-01'))
    expect(calls.filter(({ api }) => api === 'clipboard.writeText').at(-1)?.args).toEqual(['lockstep push worker-01'])
  })
})
