import { expect, test } from '../fixtures/console.ts'
import { newKey } from '../fixtures/demo.ts'
import { Decision } from '../pages/decision.ts'
import { NodeDrawer } from '../pages/drawer.ts'
import { FleetPage } from '../pages/fleet.ts'
import { Palette } from '../pages/palette.ts'
import { RunPage, RunsPage } from '../pages/runs.ts'

test.describe.configure({ mode: 'serial' })

test('one press brings one node in step: green only after it was read back', async ({ console, engine, shot }) => {
  await engine.demo.up({ nodes: 6 })
  const fleet = new FleetPage(console)
  await expect(fleet.map.getByRole('option')).toHaveCount(6, { timeout: 60_000 })
  await fleet.openDrawer('worker-01')
  const drawer = new NodeDrawer(console, 'worker-01')
  await drawer.button('Resync').click()
  await drawer.expectNote(/verified on the node, \d+ files? read back/)
  await fleet.expectTile('worker-01', 'in step')
  const node = await engine.nodes.get({ node: 'worker-01' })
  expect(node.plans[0]?.observed?.digest).toMatch(/^[0-9a-f]{64}$/)
  await shot('drawer-in-step')
})

test('the run shows its eleven states, its output and what was proven', async ({ console, engine, shot }) => {
  const { runs } = await engine.runs.list({ node: 'worker-01', limit: 1 })
  const run = runs[0]
  if (run === undefined) throw new Error('no run')
  const page = new RunPage(console)
  await page.open(run.id)
  await expect(page.state('VERIFY')).toHaveAccessibleName(/done/)
  await expect(page.state('FINALIZE')).toHaveAccessibleName(/done/)
  await expect(page.log).toContainText(/\S/)
  await expect(page.facts.getByRole('region', { name: 'What was proven' })).toContainText(
    run.proof?.digest.slice(0, 8) ?? 'no proof',
  )
  await shot('run-succeeded')
  const history = new RunsPage(console)
  await history.open()
  await expect(history.row('worker-01')).toContainText('succeeded')
})

test('all nodes at once, with the blast radius named first', async ({ console, engine, shot }) => {
  const fleet = new FleetPage(console)
  await fleet.open()
  await console.keyboard.press('Escape')
  await console.getByRole('button', { name: 'Resync all…' }).click()
  const decision = new Decision(console)
  await decision.expectRadius('6 of 6 nodes')
  await shot('resync-all-decision')
  await decision.confirm('Resync')
  await fleet.expectCount('in step', 6)
  await shot('fleet-in-step')
  const nodes = await engine.nodes.list({ filter: '' })
  expect(nodes.every((node) => node.plans.every((plan) => plan.observed !== null))).toBe(true)
})

test('the log is watched while it is written', async ({ console, engine }) => {
  await engine.demo.fault({ node: 'edge-fra-1', fault: 'slow' })
  const { runs } = await engine.runs.push({
    idempotencyKey: newKey(),
    plans: [],
    targets: { kind: 'nodes', nodes: ['edge-fra-1'] },
  })
  const run = runs[0]
  if (run === undefined) throw new Error('no run')
  const page = new RunPage(console)
  await page.open(run.id)
  await page.expectStatus(/succeeded/i)
  await expect(page.log).toContainText(/\S/)
  await engine.demo.heal({ node: 'edge-fra-1' })
})

test('the palette finds a node and opens it', async ({ console }) => {
  await new Palette(console).choose('storage-01')
  await expect(new NodeDrawer(console, 'storage-01').drawer).toBeVisible()
})
