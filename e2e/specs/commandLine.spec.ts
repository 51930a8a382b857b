import { test } from '../fixtures/console.ts'
import { demoInStep } from '../fixtures/demo.ts'
import { FleetPage } from '../pages/fleet.ts'
import { RunPage } from '../pages/runs.ts'

test.describe.configure({ mode: 'serial' })

test('the command line works with the engine that the window shows', async ({ console, engine, cli }) => {
  await demoInStep(engine, 3)
  const fleet = new FleetPage(console)
  await fleet.expectCount('in step', 3)
  await cli('demo', 'fault', 'worker-01', 'offline')
  await cli('push', 'worker-01')
  await fleet.expectTile('worker-01', 'unreachable')
  await cli('demo', 'heal', 'worker-01')
  await fleet.expectTile('worker-01', 'in step', { timeoutMs: 60_000 })
})

test('a run that the command line asked for is the same run in the window', async ({ console, engine, cli }) => {
  await cli('push', 'edge-fra-1', '--wait')
  const newest = (await engine.runs.list({ node: 'edge-fra-1', limit: 1 })).runs[0]
  if (newest === undefined) throw new Error('no run')
  const page = new RunPage(console)
  await page.open(newest.id)
  await page.expectStatus(/succeeded/i)
})
