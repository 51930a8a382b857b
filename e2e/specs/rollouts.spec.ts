import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import AxeBuilder from '@axe-core/playwright'
import type { Page } from '@playwright/test'
import { PlanInput } from '../../src/shared/model/plan.ts'
import { expect, test } from '../fixtures/console.ts'
import { demoInStep } from '../fixtures/demo.ts'
import { Decision } from '../pages/decision.ts'
import { NodeDrawer } from '../pages/drawer.ts'

test.describe.configure({ mode: 'serial' })

const away = 'worker-01'
/** In the home of each node, so that no other plan writes there. */
const plan = PlanInput.parse({
  name: 'e2e-names',
  kind: 'hosts',
  selector: 'kind:worker or kind:laptop',
  spec: { file: '~/e2e-hosts', hosts: { domain: 'example.com' } },
})

const registryOf = (last: number): string =>
  JSON.stringify({ demo: { subdomain: 'demo', ip: `100.64.0.${last}`, port: 80, public: true } })

async function show(page: Page, hash: string): Promise<void> {
  await page.evaluate((next) => {
    location.hash = next
  }, hash)
  await expect(page.getByRole('main').getByRole('heading').first()).toBeVisible()
}

test('S1.5 F18 a saved registry goes to every node it concerns, and each says how far it is', async ({
  console,
  engine,
  shot,
}) => {
  await demoInStep(engine, 6)
  const newest = await engine.registry.get({ registry: 'services' })
  const { nodes } = await engine.demo.status()
  for (const { directory } of nodes) await writeFile(join(directory, 'home', 'e2e-hosts'), '127.0.0.1 localhost\n')
  await engine.plans.apply({ plans: [plan] })
  const baseNumber = newest?.revision.number ?? 0
  const saved = await engine.registry.save({ registry: 'services', text: registryOf(7), baseNumber, comment: '' })
  if (saved.status !== 'saved') throw new Error(saved.status)
  await show(console, '#/runs/rollouts')
  const row = console.getByRole('row', { name: `revision ${saved.revision.number} of the service registry` })
  await expect(row).toContainText('finished', { timeout: 30_000 })
  await shot('rollouts')
  await row.click()
  await expect(console.getByRole('heading')).toContainText(`revision ${saved.revision.number}`)
  await expect(console.getByText('succeeded').first()).toBeVisible()
  await shot('rollout')
})

test('N12 D14 what somebody changed on a node is told, put right and proven', async ({ console, engine, shot }) => {
  const { nodes } = await engine.demo.status()
  const node = nodes.find(({ name }) => name === 'worker-02')
  if (node === undefined) throw new Error('no worker-02')
  await rm(join(node.directory, 'home', 'e2e-hosts'))
  await writeFile(join(node.directory, 'home', 'e2e-hosts'), '10.0.0.1 mine\n')
  await engine.rollouts.start({
    idempotencyKey: 'e2e-rollout-1' as never,
    plans: [plan.name],
    targets: { kind: 'nodes', nodes: ['worker-02'] },
    settings: { canary: null, maxParallel: null, failureLimit: null },
  })
  await expect
    .poll(async () => (await engine.runs.list({ node: 'worker-02', plan: plan.name, limit: 1 })).runs[0]?.status)
    .toBe('succeeded')
  await show(console, `#/plans/drift?plan=${plan.name}`)
  await expect(console.getByRole('row', { name: /as wanted worker-02/ })).toBeVisible()
  await shot('drift')
})

test('S1.7 S1.40 S1.72 a node that is away holds nobody, is behind, and is as wanted by itself when it is back', async ({
  console,
  engine,
  shot,
}) => {
  await engine.demo.fault({ node: away, fault: 'offline' })
  const baseNumber = (await engine.registry.get({ registry: 'services' }))?.revision.number ?? 0
  await engine.registry.save({ registry: 'services', text: registryOf(8), baseNumber, comment: '' })
  await show(console, `#/plans/drift?plan=${plan.name}`)
  await expect(console.getByRole('row', { name: new RegExp(`behind ${away}`) })).toBeVisible({ timeout: 30_000 })
  await show(console, '#/runs/rollouts')
  await expect(console.getByRole('row').nth(1)).toContainText('finished', { timeout: 30_000 })
  await console.getByRole('row').nth(1).click()
  await expect(console.getByText('1 away')).toBeVisible()
  await shot('rollout-away')
  await engine.demo.heal({ node: away })
  await show(console, `#/plans/drift?plan=${plan.name}&node=${away}`)
  await expect(console.getByRole('row', { name: new RegExp(`as wanted ${away}`) })).toBeVisible({ timeout: 60_000 })
})

test('S1.106 the guide of a node finds the cause and offers one button', async ({ console, engine, shot }) => {
  await engine.nodes.update({ node: away, patch: { maintenance: true } })
  const { id } = await engine.nodes.get({ node: away })
  await show(console, `#/fleet?node=${id}`)
  const { drawer } = new NodeDrawer(console, away)
  await drawer.getByRole('button', { name: 'Why does it stay pending?' }).click()
  await expect(drawer).toContainText(`${away} is in maintenance, so nothing is delivered to it`, { timeout: 30_000 })
  await shot('guide')
  await drawer.getByRole('button', { name: 'End the maintenance' }).click()
  await expect.poll(async () => (await engine.nodes.get({ node: away })).maintenance).toBe(false)
})

test('S1.105 whoever waits for runs that do not come is told what is right and what is wrong', async ({
  console,
  shot,
}) => {
  await show(console, '#/runs')
  await console.getByRole('button', { name: 'Nothing is synced?' }).click()
  const guide = console.getByRole('complementary', { name: 'Nothing is synced?' })
  await guide.getByRole('button', { name: 'Go through it' }).click()
  await expect(guide).toContainText('Is the service running?')
  await expect(guide).toContainText('lockstep diagnose nothing-is-synced')
  await shot('guide-fleet')
})

test('the way changes go out is changed by a decision, and kept', async ({ console, engine }) => {
  await show(console, '#/runs/rollouts')
  await console.getByRole('button', { name: 'How changes go out…' }).click()
  const { dialog } = new Decision(console)
  await dialog.getByLabel('First wave', { exact: true }).selectOption('count')
  await dialog.getByLabel('First wave: how many').fill('2')
  await dialog.getByRole('button', { name: 'Use this from now on' }).click()
  await expect(dialog).toBeHidden()
  expect((await engine.rollouts.settings()).canary).toEqual({ kind: 'count', count: 2 })
})

for (const colorScheme of ['dark', 'light'] as const) {
  test(`rollouts and drift in ${colorScheme}: nothing serious for axe`, async ({ console, engine, shot }) => {
    await console.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    const [newest] = await engine.rollouts.list({ limit: 1 })
    for (const [name, hash] of [
      ['rollouts', '#/runs/rollouts'],
      ['rollout', `#/runs/rollout/${newest?.id}`],
      ['drift', '#/plans/drift'],
    ] as const) {
      await show(console, hash)
      await shot(`${name}-${colorScheme}`)
      const { violations } = await new AxeBuilder({ page: console }).setLegacyMode(true).analyze()
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
      expect
        .soft(
          serious.map(({ id }) => id),
          `${name} in ${colorScheme}`,
        )
        .toEqual([])
    }
  })
}
