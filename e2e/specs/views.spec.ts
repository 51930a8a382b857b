import AxeBuilder from '@axe-core/playwright'
import { expect, test } from '../fixtures/console.ts'
import { demoInStep } from '../fixtures/demo.ts'

test.describe.configure({ mode: 'serial' })

const views = ['fleet', 'fleet?view=table', 'runs', 'certificates', 'plans', 'audit', 'settings'] as const
const sizes = [
  { width: 1280, height: 800 },
  { width: 1920, height: 1080 },
] as const

test('a fleet to look at', async ({ console, engine }) => {
  await demoInStep(engine, 12)
  await engine.demo.fault({ node: 'edge-fra-1', fault: 'offline' })
  await engine.nodes.check({ node: 'edge-fra-1' })
  await engine.nodes.update({ node: 'storage-01', patch: { maintenance: true } })
  await expect(console.getByRole('listbox', { name: /^Fleet map/ }).getByRole('option')).toHaveCount(12)
})

for (const colorScheme of ['dark', 'light'] as const) {
  for (const view of views) {
    test(`${view} in ${colorScheme}: nothing serious for axe, and a picture of it`, async ({ console, shot }) => {
      await console.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      await console.evaluate((hash) => {
        location.hash = hash
      }, `#/${view}`)
      await expect(console.getByRole('main').getByRole('heading').first()).toBeVisible()
      for (const size of sizes) {
        await console.setViewportSize(size)
        await shot(`${view.replace('?view=', '-')}-${colorScheme}-${size.width}`)
      }
      const { violations } = await new AxeBuilder({ page: console }).setLegacyMode(true).analyze()
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
      expect(
        serious.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(' | ')}`),
      ).toEqual([])
    })
  }
}
