import { expect, test } from '../fixtures/console.ts'
import { demoInStep, pushOne } from '../fixtures/demo.ts'
import { connectEngine } from '../fixtures/engineClient.ts'
import { stopDaemon } from '../fixtures/webHost.ts'
import { FleetPage } from '../pages/fleet.ts'
import { RunPage } from '../pages/runs.ts'
import { TerminalDock } from '../pages/terminal.ts'

test('the window of a home that a daemon owns is its client, and takes over when the daemon ends @desktop', async ({
  ownHome,
  launchDesktop,
  launchDaemon,
}) => {
  const { process: daemon } = await launchDaemon()
  const { client, close } = await connectEngine(ownHome)
  await demoInStep(client, 3)
  const desktop = launchDesktop()
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
  close()
  await stopDaemon(daemon)
  await expect(page.getByRole('region', { name: 'Locked vault' })).toBeVisible({ timeout: 30_000 })
  const own = await connectEngine(ownHome)
  expect((await own.client.system.status()).host).toBe('desktop')
  expect((await own.client.runs.get({ runId: run.id })).status).toBe('succeeded')
  own.close()
})
