import { expect, test } from '../fixtures/console.ts'
import { FirstRunPage } from '../pages/firstRun.ts'
import { FleetPage } from '../pages/fleet.ts'

test.describe.configure({ mode: 'serial' })

test('an empty home shows two ways in, and the demo fleet is one press away', async ({ console, engine, shot }) => {
  const firstRun = new FirstRunPage(console)
  await firstRun.expectEmpty()
  await shot('first-run')
  await firstRun.startDemo()
  const fleet = new FleetPage(console)
  await expect(fleet.map.getByRole('option')).toHaveCount(12, { timeout: 60_000 })
  await expect.poll(async () => (await engine.demo.status()).nodes.filter((node) => node.running).length).toBe(12)
})

test('what was started stays when the page is loaded again', async ({ console }) => {
  await console.reload()
  await expect(new FleetPage(console).map.getByRole('option')).toHaveCount(12)
})
