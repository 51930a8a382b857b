import AxeBuilder from '@axe-core/playwright'
import { AgentHost } from '../fixtures/agentHost.ts'
import { expect, test } from '../fixtures/console.ts'
import { untilFinal } from '../fixtures/demo.ts'
import { AgentDrawer, AgentsPage } from '../pages/agents.ts'
import { Decision } from '../pages/decision.ts'
import { RunPage, RunsPage } from '../pages/runs.ts'

test.describe.configure({ mode: 'serial' })

const name = 'db-export-01'
let host: AgentHost | null = null

test.afterAll(() => {
  host?.close()
  host = null
})

test('nothing listens until a person has switched the gateway on, and said where', async ({
  console,
  engine,
  shot,
}) => {
  const agents = new AgentsPage(console)
  await agents.open()
  await expect(console.getByText('No agents yet')).toBeVisible()
  expect((await engine.gateway.status()).settings).toBeNull()
  await agents.openAdd()
  await shot('agents-gateway-off')
  await agents.switchGatewayOn('127.0.0.1')
  const status = await engine.gateway.status()
  expect(status).toMatchObject({ listening: true, problem: null, settings: { address: '127.0.0.1', port: 0 } })
  await expect(agents.addDrawer).toContainText(status.url ?? 'no address')
})

test('a join token that was withdrawn enrolls nobody', async ({ console, engine }) => {
  const agents = new AgentsPage(console)
  const secret = await agents.createToken('never-01')
  const [token] = await engine.agents.joinTokens()
  expect(JSON.stringify(token)).not.toContain(secret)
  await agents.openTokens()
  await agents.token('never-01').getByRole('button', { name: 'Withdraw…' }).click()
  await new Decision(console).confirm('Withdraw the token')
  await expect(agents.token('never-01')).toContainText('withdrawn')
  await engine.demo.up({ nodes: 5 })
  const [storage] = await engine.nodes.list({ filter: 'kind:storage' })
  if (storage === undefined) throw new Error('the demo has no storage')
  host = new AgentHost(storage, name, 200)
  const refused = await host.enroll(secret)
  expect(refused.exitCode, refused.output).not.toBe(0)
  expect(refused.output).not.toContain(secret)
  expect(await engine.agents.list()).toEqual([])
})

test('one command on the host, and the console says who enrolled', async ({ console, engine, shot }) => {
  const agents = new AgentsPage(console)
  await agents.open()
  await agents.openAdd()
  const secret = await agents.createToken(name)
  const enrolled = await host?.enroll(secret)
  expect(enrolled?.exitCode, enrolled?.output).toBe(0)
  await expect(agents.addDrawer.getByText(`Enrolled: ${name}`)).toBeVisible()
  await shot('agents-enrolled')
  const [agent] = await engine.agents.list()
  expect(agent).toMatchObject({ name, status: 'active' })
  await agents.openTokens()
  await expect(agents.token(name)).toContainText(/used.*enrolled/)
})

test('S0.41 its run shows eleven states and its output while it works, and what it compared', async ({
  console,
  engine,
  shot,
}) => {
  const [storage] = await engine.nodes.list({ filter: 'kind:storage' })
  await engine.demo.fault({ node: storage?.name ?? '', fault: 'slow' })
  const agents = new AgentsPage(console)
  await agents.open()
  await agents.card(name).getByRole('link', { name }).click()
  const drawer = new AgentDrawer(console, name)
  await expect(drawer.drawer).toBeVisible()
  const running = host?.run()
  await expect(drawer.track).toHaveCount(11, { timeout: 60_000 })
  await shot('agents-running')
  await expect(drawer.log).toContainText(/\S/)
  const result = await running
  expect(result?.exitCode, result?.output).toBe(0)
  await engine.demo.heal({ node: storage?.name ?? '' })
  const [newest] = (await engine.runs.list({ node: name, limit: 1 })).runs
  if (newest === undefined) throw new Error('the agent registered no run')
  const run = await untilFinal(engine, newest.id)
  expect(run).toMatchObject({ status: 'succeeded', trigger: 'agent', proof: { verify: { mode: 'agent' } } })
  const page = new RunPage(console)
  await page.open(run.id)
  await page.expectStatus('succeeded')
  await expect(page.state('VERIFY')).toHaveAccessibleName(/done/)
  await expect(page.log).toContainText(/\S/)
  await expect(page.facts).toContainText(`by the agent on ${name}`)
  await expect(page.facts.getByRole('region', { name: 'What was proven' })).toContainText('files by the agent')
  await shot('agents-run')
  const history = new RunsPage(console)
  await history.open()
  await expect(history.row(name)).toContainText('its agent')
})

for (const colorScheme of ['dark', 'light'] as const) {
  test(`the agents in ${colorScheme}: nothing serious for axe`, async ({ console, shot }) => {
    await console.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    const agents = new AgentsPage(console)
    await agents.open()
    await expect(agents.card(name)).toBeVisible()
    for (const hash of ['#/agents', '#/agents?view=table', '#/agents/tokens', '#/settings']) {
      await console.evaluate((next) => {
        location.hash = next
      }, hash)
      await expect(console.getByRole('main').getByRole('heading').first()).toBeVisible()
      await shot(`agents-${hash.replace(/\W+/g, '-')}-${colorScheme}`)
      const { violations } = await new AxeBuilder({ page: console }).setLegacyMode(true).analyze()
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
      expect
        .soft(
          serious.map(({ id }) => id),
          hash,
        )
        .toEqual([])
    }
  })
}

test('with the demo fleet up a real agent is one press away', async ({ console, engine, shot }) => {
  const agents = new AgentsPage(console)
  await agents.open()
  await agents.openAdd()
  await agents.addDrawer.getByRole('button', { name: 'Enroll a demo agent' }).click()
  await expect(agents.addDrawer.getByRole('status')).toContainText('demo-agent-01 is enrolled', { timeout: 60_000 })
  await expect(agents.addDrawer.getByText(/ run --config /)).toBeVisible()
  await shot('agents-demo')
  expect((await engine.agents.get({ agent: 'demo-agent-01' })).status).toBe('active')
  await console.keyboard.press('Escape')
})

test('revoked means out at once: the next run is refused, node and runs stay', async ({ console, engine }) => {
  const agents = new AgentsPage(console)
  await agents.open()
  await agents.card(name).getByRole('link', { name }).click()
  const drawer = new AgentDrawer(console, name)
  await drawer.button('Revoke…').click()
  const decision = new Decision(console)
  await decision.expectRadius(name)
  await decision.dialog.getByLabel('Why').fill('the host was sold')
  await decision.confirm('Revoke the agent')
  await expect(drawer.drawer).toContainText('the gateway refuses its certificate')
  const before = (await engine.runs.list({ node: name, limit: 10 })).runs.length
  const refused = await host?.run()
  expect(refused?.exitCode, refused?.output).not.toBe(0)
  expect((await engine.runs.list({ node: name, limit: 10 })).runs).toHaveLength(before)
  expect((await engine.nodes.get({ node: name })).name).toBe(name)
  await drawer.button('Remove…').click()
  await new Decision(console).confirm('Remove the agent')
  await expect(drawer.drawer).toBeHidden()
  await expect(agents.card(name)).toHaveCount(0)
})
