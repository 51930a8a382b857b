import { expect, test } from '../fixtures/console.ts'
import { demoInStep, pushOne, untilFinal } from '../fixtures/demo.ts'
import { connectEngine } from '../fixtures/engineClient.ts'
import { waitUntil } from '../fixtures/waitUntil.ts'
import { FleetPage } from '../pages/fleet.ts'
import { RunPage } from '../pages/runs.ts'

test.describe.configure({ mode: 'serial' })

test('a page that is loaded again in the middle of a run shows it go on', async ({ console, engine }) => {
  await demoInStep(engine, 3)
  await engine.demo.fault({ node: 'worker-01', fault: 'slow' })
  const run = await pushOne(engine, 'worker-01')
  const page = new RunPage(console)
  await page.open(run.id)
  await console.reload()
  await expect(page.states).toHaveCount(11)
  await page.expectStatus(/succeeded/i)
  expect((await untilFinal(engine, run.id)).attempts).toHaveLength(1)
})

test('two windows show the same', async ({ console, host, engine }) => {
  const second = await host.openPage()
  const run = await pushOne(engine, 'edge-fra-1')
  for (const page of [console, second]) {
    const view = new RunPage(page)
    await view.open(run.id)
    await view.expectStatus(/succeeded/i)
  }
  await second.close()
})

test('S0.86 an engine that is killed in the middle of a run comes back and finishes the same run', async ({
  console,
  host,
  engine,
}) => {
  host.watch.allow(/ERR_CONNECTION_REFUSED|WebSocket connection|Failed to load resource/)
  const run = await pushOne(engine, 'worker-01')
  const page = new RunPage(console)
  await page.open(run.id)
  await waitUntil('the run under way', async () => (await engine.runs.get({ runId: run.id })).state !== 'INIT')
  await host.killEngine()
  await page.expectStatus(/succeeded/i, { timeoutMs: 90_000 })
  const again = await connectEngine(host.home)
  const ended = await untilFinal(again.client, run.id)
  expect(ended.id).toBe(run.id)
  expect(ended.status).toBe('succeeded')
  const { runs } = await again.client.runs.list({ node: 'worker-01', limit: 20 })
  expect(runs.filter((each) => each.idempotencyKey === run.idempotencyKey)).toHaveLength(1)
  await again.client.demo.heal({ node: 'worker-01' })
  again.close()
  await new FleetPage(console).open()
  await new FleetPage(console).expectTile('worker-01', 'in step')
})
