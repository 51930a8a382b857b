import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import AxeBuilder from '@axe-core/playwright'
import type { EngineClient } from '../../src/shared/contract/index.ts'
import { createGitRemote, type GitRemote } from '../../test/support/gitRemote.ts'
import { expect, test } from '../fixtures/console.ts'
import { RepositoriesPage } from '../pages/repositories.ts'

test.describe.configure({ mode: 'serial' })

const nodes = 3
const sizes = [
  { width: 1280, height: 800 },
  { width: 1920, height: 1080 },
] as const
/** Made for this test; opens nothing. Put together here, so that no file holds it. */
const secret = `gh${'p_'}${'A1b2C3d4E5f6G7h8J9k0L1m2N3p4Q5r6S7t8'}`

let remote: GitRemote
let first = ''
let second = ''

test.beforeAll(async () => {
  remote = await createGitRemote()
  first = await remote.commit({ 'index.html': 'one', 'lib/a.txt': 'a' }, 'The first page')
})
test.afterAll(() => remote.remove())

const onEachNode = async (engine: EngineClient, file: string): Promise<string[]> => {
  const status = await engine.demo.status()
  return Promise.all(
    status.nodes.map(({ directory }) => readFile(join(directory, 'home', 'site', file), 'utf8').catch(() => 'absent')),
  )
}

test('S2.2 S2.4 S2.12 S2.14 a repository is added, planned to three nodes and synced: all at the commit', async ({
  console,
  engine,
  shot,
}) => {
  test.setTimeout(180_000)
  await engine.demo.up({ nodes })
  await engine.plans.remove({ plan: 'demo-site' })
  const repositories = new RepositoriesPage(console)
  await repositories.open()
  await expect(console.getByRole('heading', { name: 'No repositories yet' })).toBeVisible()
  await repositories.add('site', remote.url)
  await expect(console.getByRole('heading', { name: 'No plan delivers it yet' })).toBeVisible()
  await expect(console.getByText(first.slice(0, 10)).first()).toBeVisible()

  await console.getByRole('button', { name: 'Write the plan' }).click()
  await expect(console.getByLabel('Repository', { exact: true })).toHaveValue('site')
  await expect(console.getByLabel('Directory on the node')).toHaveValue('~/site')
  await console.getByLabel('Which nodes').fill('*')
  await console.getByLabel('Hashed on the node, besides the sentinel').selectOption('full')
  await console.getByRole('button', { name: 'Apply…' }).click()
  const applying = console.getByRole('alertdialog')
  await expect(applying).toContainText(`${nodes} of ${nodes} nodes`)
  await applying.getByRole('button', { name: 'Apply 1 plan' }).click()
  await expect(applying).toBeHidden()

  await repositories.open('site')
  await expect(repositories.rowsWith(repositories.targets, 'never delivered')).toHaveCount(nodes)
  await shot('repositories-new')
  await repositories.sync()
  await expect(repositories.rowsWith(repositories.targets, 'at the commit')).toHaveCount(nodes, { timeout: 60_000 })
  expect(await onEachNode(engine, 'index.html')).toEqual(['one', 'one', 'one'])
  expect((await onEachNode(engine, '.sync_rev')).every((text) => text.includes(first))).toBe(true)
})

test('S2.7 S2.15 another commit: one behind on every node, a preview of it, and synced', async ({
  console,
  engine,
  shot,
}) => {
  test.setTimeout(120_000)
  second = await remote.commit({ 'index.html': 'two', 'lib/a.txt': null, 'lib/b.txt': 'b' }, 'The second page')
  const repositories = new RepositoriesPage(console)
  await repositories.open('site')
  await repositories.fetch()
  await expect(repositories.rowsWith(repositories.targets, '1 commit')).toHaveCount(nodes)
  await shot('repositories-behind')
  await repositories.rowsWith(repositories.targets, '1 commit').first().click()
  await console.getByRole('button', { name: 'Preview changes' }).click()
  const preview = console.getByRole('complementary', { name: /^What a sync would change/ })
  await expect(preview).toContainText('1 added, 1 changed, 1 deleted', { timeout: 30_000 })
  await shot('repositories-preview')
  await console.keyboard.press('Escape')
  await repositories.sync()
  await expect(repositories.rowsWith(repositories.targets, 'at the commit')).toHaveCount(nodes, { timeout: 60_000 })
  expect(await onEachNode(engine, 'lib/a.txt')).toEqual(['absent', 'absent', 'absent'])
  await console.getByRole('button', { name: 'Verify all now' }).click()
  await expect(console.getByText(/3 at the wanted commit/)).toBeVisible({ timeout: 30_000 })
})

test('S2.10 rolls back to the commit before, and follows the branch again', async ({ console, engine, shot }) => {
  test.setTimeout(120_000)
  const repositories = new RepositoriesPage(console)
  await repositories.open('site/commits')
  await expect(repositories.rowsWith(repositories.commits, 'The second page')).toContainText('3 of 3 nodes')
  await console.getByRole('button', { name: 'Roll back…' }).click()
  const asked = console.getByRole('alertdialog')
  await expect(asked).toContainText(`back to ${first.slice(0, 10)}`)
  await shot('repositories-rollback')
  await asked.getByRole('button', { name: 'Roll back', exact: true }).click()
  await expect(asked).toBeHidden()
  await expect(repositories.rowsWith(repositories.commits, 'The first page')).toContainText('3 of 3 nodes', {
    timeout: 60_000,
  })
  expect(await onEachNode(engine, 'index.html')).toEqual(['one', 'one', 'one'])

  await repositories.rowsWith(repositories.commits, 'The second page').click()
  await console.getByRole('button', { name: 'Deploy this one…' }).click()
  await expect(asked).toContainText('--default-branch')
  await asked.getByRole('button', { name: 'Deploy it' }).click()
  await expect(asked).toBeHidden()
  await expect(repositories.rowsWith(repositories.commits, 'The second page')).toContainText('3 of 3 nodes', {
    timeout: 60_000,
  })
  expect(await engine.plans.get({ plan: 'site' })).toMatchObject({ spec: { ref: { kind: 'branch', name: null } } })
  expect(second).not.toBe(first)
})

test('S2.17 S2.33 U40 a secret holds every node back and is shown by its place; allowed, the runs go on', async ({
  console,
  engine,
  shot,
}) => {
  test.setTimeout(180_000)
  await remote.commit({ 'notes.md': `Use ${secret} to push.\n` }, 'Notes')
  const repositories = new RepositoriesPage(console)
  await repositories.open('site')
  await repositories.sync()
  await expect(repositories.rowsWith(repositories.targets, 'held back')).toHaveCount(nodes, { timeout: 60_000 })
  expect(await onEachNode(engine, 'notes.md')).toEqual(['absent', 'absent', 'absent'])
  await repositories.rowsWith(repositories.targets, 'held back').first().getByRole('link').click()
  const held = console.getByRole('region', { name: 'Held back' })
  await expect(held).toContainText('notes.md:1')
  await shot('repositories-held-run')
  await held.getByRole('link', { name: 'See the findings of site' }).click()
  await expect(repositories.rowsWith(repositories.findings, 'notes.md:1')).toContainText('github-token')
  await shot('repositories-findings')
  await repositories.rowsWith(repositories.findings, 'notes.md:1').getByRole('button', { name: 'Allow…' }).click()
  const asked = console.getByRole('alertdialog')
  await asked.getByLabel('Why it may lie there').fill('Made for a test; opens nothing.')
  await asked.getByRole('button', { name: 'Allow it' }).click()
  await expect(asked).toBeHidden()
  await expect(repositories.rowsWith(repositories.findings, 'notes.md:1')).toContainText('ends in')
  expect(await console.content()).not.toContain(secret)

  await repositories.open('site')
  await repositories.rowsWith(repositories.targets, 'held back').first().getByRole('link').click()
  await console.getByRole('button', { name: 'Look again and go on' }).click()
  await expect(held).toBeHidden({ timeout: 60_000 })
  await repositories.open('site')
  await repositories.sync()
  await expect(repositories.rowsWith(repositories.targets, 'at the commit')).toHaveCount(nodes, { timeout: 60_000 })
  expect(await onEachNode(engine, 'notes.md')).toEqual(Array(nodes).fill(`Use ${secret} to push.\n`))
})

for (const colorScheme of ['dark', 'light'] as const) {
  test(`every page in ${colorScheme}: nothing serious for axe, and a picture of it`, async ({ console, shot }) => {
    await console.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    const repositories = new RepositoriesPage(console)
    const places = ['', 'add', 'add?by=import', 'site/targets', 'site/commits', 'site/findings', 'site/settings']
    for (const place of places) {
      await repositories.open(place)
      for (const size of sizes) {
        await console.setViewportSize(size)
        await shot(`repositories-${place.replaceAll(/[^a-z]+/g, '-')}-${colorScheme}-${size.width}`)
      }
      const { violations } = await new AxeBuilder({ page: console }).setLegacyMode(true).analyze()
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
      const lines = serious.map(
        ({ id, nodes: found }) => `${id}: ${found.map(({ html }) => html.slice(0, 120)).join(' | ')}`,
      )
      expect.soft(lines, `${place} in ${colorScheme}`).toEqual([])
    }
  })
}
