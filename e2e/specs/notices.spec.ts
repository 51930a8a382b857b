import { expect, test } from '../fixtures/console.ts'
import { demoInStep } from '../fixtures/demo.ts'
import { waitUntil } from '../fixtures/waitUntil.ts'
import { NodeDrawer } from '../pages/drawer.ts'
import { FleetPage } from '../pages/fleet.ts'

test('a change of state is told on the desktop while nobody looks, once, and a click shows the node @desktop', async ({
  console,
  desktop,
  calls,
  host,
  engine,
}) => {
  await demoInStep(engine, 3)
  const second = await host.openPage()
  for (const page of [console, second]) {
    await new FleetPage(page).expectCount('in step', 3)
    await page.evaluate(() => {
      document.hasFocus = () => false
    })
  }
  const told = (): unknown[] => calls.filter(({ api }) => api === 'Notification.show').map(({ args }) => args[0])
  expect(told()).toEqual([])
  await engine.demo.fault({ node: 'worker-01', fault: 'offline' })
  await engine.nodes.check({ node: 'worker-01' })
  await waitUntil('the notice', () => told().length > 0)
  for (const page of [console, second]) await new FleetPage(page).expectTile('worker-01', 'unreachable')
  expect(told()).toEqual([{ title: 'worker-01: unreachable', body: expect.stringContaining('worker-01') }])
  desktop.emit('notification', 'click')
  // It comes to the window that was in front last.
  await expect(new NodeDrawer(second, 'worker-01').drawer).toBeVisible()
  await engine.demo.heal({ node: 'worker-01' })
  await waitUntil('the good news', () => told().length > 1)
  expect(told()[1]).toMatchObject({ title: 'worker-01: in step' })
})
