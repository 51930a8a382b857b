import { expect, test } from '../fixtures/console.ts'
import { demoInStep } from '../fixtures/demo.ts'
import { CertificatesPage } from '../pages/certificates.ts'
import { NodeDrawer } from '../pages/drawer.ts'
import { FleetPage } from '../pages/fleet.ts'

test.describe.configure({ mode: 'serial' })

test('a node that goes away is unreachable, not denied, and says why', async ({ console, engine, shot }) => {
  await demoInStep(engine, 4)
  const fleet = new FleetPage(console)
  await fleet.expectCount('in step', 4)
  await engine.demo.fault({ node: 'edge-fra-1', fault: 'offline' })
  await fleet.openDrawer('edge-fra-1')
  const drawer = new NodeDrawer(console, 'edge-fra-1')
  await drawer.button('Resync').click()
  await fleet.expectTile('edge-fra-1', 'unreachable')
  await expect(drawer.why).toContainText(/refused|no answer|does not answer|unreachable/i)
  await expect(drawer.drawer).not.toContainText(/permission denied/i)
  await shot('unreachable')
})

test('when it is back it turns green by itself', async ({ console, engine, shot }) => {
  await engine.demo.heal({ node: 'edge-fra-1' })
  const fleet = new FleetPage(console)
  await fleet.expectTile('edge-fra-1', 'in step', { timeoutMs: 60_000 })
  await shot('healed')
})

test('a certificate that the node does not take is named as such', async ({ console, engine, shot }) => {
  await engine.demo.fault({ node: 'worker-01', fault: 'wrong-principal' })
  const fleet = new FleetPage(console)
  await fleet.openDrawer('worker-01')
  const drawer = new NodeDrawer(console, 'worker-01')
  await drawer.button('Renew').click()
  await drawer.expectNote(/Issued, not proven/)
  await expect(drawer.drawer.getByText('Renewed:')).toHaveCount(0)
  await shot('renew-not-accepted')
  await engine.demo.heal({ node: 'worker-01' })
})

test('a renewal is done only when the node has let us in with it', async ({ console, engine, shot }) => {
  const before = (await engine.nodes.get({ node: 'worker-01' })).certificate?.serial
  const drawer = new NodeDrawer(console, 'worker-01')
  await drawer.button('Renew').click()
  await drawer.expectNote(/Renewed: the node accepted certificate/)
  const after = (await engine.nodes.get({ node: 'worker-01' })).certificate
  expect(after?.serial).not.toBe(before)
  expect(after?.acceptedAt).not.toBeNull()
  await shot('renewed')
  const certificates = new CertificatesPage(console)
  await certificates.open()
  await expect(certificates.row('worker-01')).toContainText('accepted')
  await expect(certificates.row('worker-01')).toContainText(after?.serial ?? 'no serial')
})
