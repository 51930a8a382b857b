import AxeBuilder from '@axe-core/playwright'
import type { Page } from '@playwright/test'
import { expect, test } from '../fixtures/console.ts'
import { demoInStep } from '../fixtures/demo.ts'
import { FleetPage } from '../pages/fleet.ts'

test.describe.configure({ mode: 'serial' })

const views = ['fleet', 'fleet?view=table', 'runs', 'agents', 'certificates', 'plans', 'audit', 'settings'] as const
const sizes = [
  { width: 1280, height: 800 },
  { width: 1920, height: 1080 },
] as const

async function show(page: Page, hash: string): Promise<void> {
  await page.evaluate((next) => {
    location.hash = next
  }, hash)
  await expect(page.getByRole('main').getByRole('heading').first()).toBeVisible()
}

/** What axe calls serious or critical, one line for each rule. */
async function seriousProblems(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).setLegacyMode(true).analyze()
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 120)).join(' | ')}`)
}

test('a fleet to look at: in step, unreachable, in maintenance', async ({ console, engine }) => {
  await demoInStep(engine, 12)
  await engine.demo.fault({ node: 'edge-fra-1', fault: 'offline' })
  await engine.nodes.check({ node: 'edge-fra-1' })
  await engine.nodes.update({ node: 'storage-01', patch: { maintenance: true } })
  const fleet = new FleetPage(console)
  await fleet.expectTile('edge-fra-1', 'unreachable')
  await fleet.expectTile('storage-01', 'in maintenance')
})

for (const colorScheme of ['dark', 'light'] as const) {
  test(`every view in ${colorScheme}: nothing serious for axe, and a picture of it`, async ({
    console,
    engine,
    shot,
  }) => {
    await console.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    const newest = (await engine.runs.list({ limit: 1 })).runs[0]?.id
    const drawer = (await engine.nodes.get({ node: 'edge-fra-1' })).id
    for (const view of [...views, `runs/${newest}`, `fleet?node=${drawer}`]) {
      const name = view.startsWith('runs/')
        ? 'run'
        : view.startsWith('fleet?node')
          ? 'drawer'
          : view.replace('?view=', '-')
      await show(console, `#/${view}`)
      for (const size of sizes) {
        await console.setViewportSize(size)
        await shot(`${name}-${colorScheme}-${size.width}`)
      }
      expect.soft(await seriousProblems(console), `${name} in ${colorScheme}`).toEqual([])
    }
  })
}
