import { rmSync } from 'node:fs'
import { expect, newHome, test } from '../fixtures/console.ts'
import { demoInStep, pushOne } from '../fixtures/demo.ts'
import { startDesktop } from '../fixtures/desktopHost.ts'
import { connectEngine } from '../fixtures/engineClient.ts'
import { startDaemon, stopDaemon } from '../fixtures/webHost.ts'
import { FleetPage } from '../pages/fleet.ts'
import { RunPage } from '../pages/runs.ts'
import { TerminalDock } from '../pages/terminal.ts'

test('the window of a home that a daemon owns is its client, and takes over when the daemon ends @desktop', async () => {
  const home = newHome()
  const { process: daemon } = await startDaemon(home, 0)
  const { client, close } = await connectEngine(home)
  await demoInStep(client, 3)
  const desktop = startDesktop(home, {})
  const page = await desktop.openPage()
  await new FleetPage(page).expectCount('in step', 3)
  expect((await client.system.status()).host).toBe('daemon')

  const run = await pushOne(client, 'worker-01')
  const view = new RunPage(page)
  await view.open(run.id)
  await view.expectStatus(/succeeded/i)
  const terminal = new TerminalDock(page)
  await terminal.openOn('worker-01')
  await terminal.type('worker-01', 'echo "through: $((40 + 2))"')
  await terminal.expectText('worker-01', /through: 42/)

  // The window has the right kind of vault for this home only while somebody types its passphrase.
  await client.demo.down()
  close()
  await stopDaemon(daemon)
  await expect(page.getByRole('region', { name: 'Locked vault' })).toBeVisible({ timeout: 30_000 })
  const own = await connectEngine(home)
  expect((await own.client.system.status()).host).toBe('desktop')
  expect((await own.client.runs.get({ runId: run.id })).status).toBe('succeeded')
  own.close()
  await desktop.close()
  expect(desktop.watch.take()).toEqual([])
  rmSync(home, { recursive: true, force: true })
})
