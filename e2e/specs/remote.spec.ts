import { readdirSync, readFileSync } from 'node:fs'
import { startRemoteRig } from '../../test/integration/remote/rig.ts'
import { expect, test } from '../fixtures/console.ts'
import { demoInStep, pushOne } from '../fixtures/demo.ts'
import { connectEngine } from '../fixtures/engineClient.ts'
import { waitUntil } from '../fixtures/waitUntil.ts'
import { FleetPage } from '../pages/fleet.ts'
import { RunPage } from '../pages/runs.ts'
import { TerminalDock } from '../pages/terminal.ts'

/** The operator's ssh, by the configuration that only this test uses. */
function tunnels(configuration: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
        return words.includes(configuration) && words.includes('sh')
      } catch {
        return false
      }
    })
}

test('S1.92 S1F.4 connect to the control plane of another machine, and again when the way is cut @desktop', async ({
  ownHome,
  launchDesktop,
  launchDaemon,
}) => {
  // Two engines come and go besides the demo: long on a small machine.
  test.setTimeout(180_000)
  const rig = await startRemoteRig()
  const { PATH } = process.env
  process.env.PATH = rig.environment.PATH
  try {
    await launchDaemon()
    const { client, close } = await connectEngine(ownHome)
    await demoInStep(client, 3)
    const desktop = launchDesktop()
    const page = await desktop.openPage()
    const strip = page.getByRole('region', { name: 'Control plane' })
    await expect(strip).toBeHidden()

    desktop.clickMenu('connect')
    const dialog = page.getByRole('dialog', { name: 'Connect to a control plane' })
    await dialog.getByLabel('Host').fill('control')
    await dialog.getByLabel('Directory there').fill(ownHome)
    await dialog.getByRole('button', { name: 'Connect', exact: true }).click()
    await expect(strip).toContainText('Control plane of control')
    await new FleetPage(page).expectCount('in step', 3)
    const configuration = `${rig.directory}/config`
    expect(tunnels(configuration)).toHaveLength(1)

    const [before] = tunnels(configuration)
    process.kill(before ?? 0, 'SIGKILL')
    await waitUntil('another way', () => tunnels(configuration).some((pid) => pid !== before))
    await expect(strip).toContainText('Control plane of control')
    const run = await pushOne(client, 'worker-01')
    const view = new RunPage(page)
    await view.open(run.id)
    await view.expectStatus(/succeeded/i)
    const terminal = new TerminalDock(page)
    await terminal.openOn('worker-01')
    await terminal.type('worker-01', 'echo "through: $((40 + 2))"')
    await terminal.expectText('worker-01', /through: 42/)

    desktop.clickMenu('connect')
    await dialog.getByRole('button', { name: 'Back to this machine' }).click()
    await expect(strip).toBeHidden()
    await waitUntil('the tunnel to be gone', () => tunnels(configuration).length === 0)
    close()
  } finally {
    process.env.PATH = PATH
    await rig.dispose()
  }
})
