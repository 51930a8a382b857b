import { expect, test } from '../fixtures/console.ts'
import { demoInStep } from '../fixtures/demo.ts'
import { Decision } from '../pages/decision.ts'
import { NodeDrawer } from '../pages/drawer.ts'
import { FleetPage } from '../pages/fleet.ts'
import { Palette } from '../pages/palette.ts'

test.describe.configure({ mode: 'serial' })

test('from the map to a verified node without a mouse', async ({ console, engine }) => {
  await demoInStep(engine, 4)
  const fleet = new FleetPage(console)
  await fleet.expectCount('in step', 4)
  const views = console.getByRole('navigation', { name: 'Views' })
  await console.keyboard.press('Tab')
  await expect(views.getByRole('link', { name: 'Fleet' })).toBeFocused()
  while (!(await fleet.map.evaluate((map) => map === document.activeElement))) await console.keyboard.press('Tab')
  await console.keyboard.press('Home')
  await console.keyboard.press('ArrowRight')
  const name = await fleet.map.evaluate(
    (map) => document.getElementById(map.getAttribute('aria-activedescendant') ?? '')?.dataset.node ?? '',
  )
  expect(name).not.toBe('')
  await console.keyboard.press('r')
  const decision = new Decision(console)
  await decision.expectRadius(name)
  await console.keyboard.press('Tab')
  await console.keyboard.press('Enter')
  const drawer = new NodeDrawer(console, name)
  await drawer.expectNote(/verified on the node/)
  await expect.poll(() => drawer.drawer.evaluate((panel) => panel.contains(document.activeElement))).toBe(true)
  await console.keyboard.press('Escape')
  await expect(drawer.drawer).toBeHidden()
})

test('letters go to views, the question mark shows the keys', async ({ console, shot }) => {
  await console.keyboard.press('g')
  await console.keyboard.press('r')
  await expect(console.getByRole('heading', { name: 'Runs', exact: true })).toBeVisible()
  await console.keyboard.press('g')
  await console.keyboard.press('f')
  await expect(console.getByRole('heading', { name: 'Fleet', exact: true })).toBeVisible()
  await console.keyboard.press('?')
  await expect(console.getByRole('dialog', { name: 'Shortcuts' })).toBeVisible()
  await shot('shortcuts')
  await console.keyboard.press('Escape')
  await expect(console.getByRole('dialog', { name: 'Shortcuts' })).toBeHidden()
})

test('the palette reaches everything', async ({ console, shot }) => {
  const palette = new Palette(console)
  await palette.open()
  await shot('palette')
  await console.keyboard.press('Escape')
  await palette.choose('worker-01')
  await expect(new NodeDrawer(console, 'worker-01').drawer).toBeVisible()
  await palette.choose('Go to certificates')
  await expect(console.getByRole('heading', { name: 'Certificates', exact: true })).toBeVisible()
})
