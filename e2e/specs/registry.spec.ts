import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import AxeBuilder from '@axe-core/playwright'
import type { EngineClient } from '../../src/shared/contract/index.ts'
import { PlanInput } from '../../src/shared/model/plan.ts'
import { expect, test } from '../fixtures/console.ts'
import { demoInStep } from '../fixtures/demo.ts'
import { Decision } from '../pages/decision.ts'
import { NodeDrawer } from '../pages/drawer.ts'
import { RegistryPage } from '../pages/registry.ts'

test.describe.configure({ mode: 'serial' })

/** In the home of each node: nothing of this machine is written. */
const hosts = PlanInput.parse({
  name: 'names',
  kind: 'hosts',
  selector: 'kind:worker or kind:laptop',
  spec: { file: '~/registry-hosts', hosts: { domain: 'example.com' } },
})
const sizes = [
  { width: 1280, height: 800 },
  { width: 1920, height: 1080 },
] as const

async function hostsFiles(engine: EngineClient): Promise<string[]> {
  const { nodes } = await engine.demo.status()
  const carriers = nodes.filter(({ kind }) => kind === 'worker' || kind === 'laptop')
  return Promise.all(carriers.map(({ directory }) => readFile(join(directory, 'home', 'registry-hosts'), 'utf8')))
}

async function newestText(engine: EngineClient): Promise<string> {
  return (await engine.registry.get({ registry: 'services' }))?.text ?? ''
}

/** What the other one of two saves. */
async function saveElsewhere(engine: EngineClient, change: (services: Record<string, { port: number }>) => void) {
  const newest = await engine.registry.get({ registry: 'services' })
  const services = JSON.parse(newest?.text ?? '{}')
  change(services)
  const baseNumber = newest?.revision.number ?? 0
  const text = JSON.stringify(services)
  return engine.registry.save({ registry: 'services', text, baseNumber, comment: 'from elsewhere' })
}

test('S1.22 S1.23 S1.24 S1.25 S1.26 S1.33 a service is written with the keyboard, checked field by field, and reaches every node', async ({
  console,
  engine,
  shot,
}) => {
  await demoInStep(engine, 6)
  const { nodes } = await engine.demo.status()
  for (const { directory } of nodes) await writeFile(join(directory, 'home', 'registry-hosts'), '127.0.0.1 localhost\n')
  await engine.plans.apply({ plans: [hosts] })

  const registry = new RegistryPage(console)
  await registry.open()
  await expect(console.getByRole('heading', { name: 'No services yet' })).toBeVisible()
  await registry.grid.focus()
  await console.keyboard.press('Insert')
  for (const word of ['demo', '', '100.64.0.x', '70000']) {
    if (word !== '') await console.keyboard.type(word)
    await console.keyboard.press('Tab')
  }
  await expect(registry.standing).toContainText('2 mistakes')
  await expect(registry.mistakes).toContainText('100.64.0.x')
  await expect(registry.mistakes).toContainText('70000')
  await expect(console.getByRole('button', { name: 'Save…' })).toBeDisabled()
  await shot('registry-mistakes')

  await registry.mistakes.getByRole('listitem').filter({ hasText: 'demo › ip' }).getByRole('button').click()
  await console.keyboard.type('100.64.0.7')
  await console.keyboard.press('Tab')
  await console.keyboard.type('3000')
  await console.keyboard.press('Tab')
  await console.keyboard.press('Space')
  await expect(registry.row('demo')).toContainText('demo.example.com')
  await expect(registry.standing).toContainText(/1 added\. \d+ of 6 nodes would change/)

  await console.getByRole('button', { name: 'Save…' }).click()
  const { dialog } = new Decision(console)
  await expect(dialog.getByRole('list', { name: 'Nodes that change' })).toContainText('demo.example.com # lockstep')
  await expect(dialog).toContainText('lockstep registry apply services services.json')
  await shot('registry-save')
  await dialog.getByLabel('Comment').fill('the first one')
  await dialog.getByRole('button', { name: 'Save the revision' }).click()
  await expect(dialog).toBeHidden()
  await expect(console.getByText('Saved as revision 1.')).toBeVisible()
  await expect(registry.standing).toContainText('Revision 1 is in force')
  await expect
    .poll(async () => (await hostsFiles(engine)).every((text) => text.includes('100.64.0.7\tdemo.example.com')))
    .toBe(true)
  await console.getByRole('link', { name: 'Watch the rollout' }).click()
  await expect(console).toHaveURL(/#\/runs\/rollout\//)
})

test('S1F.4 a text with mistakes names the line and goes there; the old revision stays in force', async ({
  console,
  engine,
  shot,
}) => {
  const registry = new RegistryPage(console)
  await registry.open('services?as=text&format=yaml')
  const before = await newestText(engine)
  await registry.replaceText(
    'demo:\n  subdomain: demo\n  ip: 100.64.0.7\n  port: 3000\n  public: true\ngit:\n  subdomain: Git\n  ip: 100.64.0.8\n  port: 3001\n  public: false\n',
  )
  await expect(registry.standing).toContainText('1 mistake. Revision 1 stays in force')
  await expect(registry.mistakes).toContainText('line 7')
  await shot('registry-text')
  await registry.mistakes.getByRole('button', { name: 'line 7' }).click()
  await expect(console.locator('.cm-activeLineGutter', { hasText: '7' })).toBeVisible()
  expect(await newestText(engine)).toBe(before)

  await console.getByRole('button', { name: 'Table', exact: true }).click()
  await expect(registry.row('git')).toContainText('Git')
  await registry.mistakes.getByRole('button', { name: 'line 7' }).click()
  await expect(registry.grid).toBeFocused()
  await expect.poll(() => registry.activeText()).toBe('Git')
  await console.keyboard.type('git')
  await expect(console.getByRole('textbox', { name: 'Subdomain of git' })).toHaveValue('git')
  await console.keyboard.press('Enter')
  await expect.poll(() => registry.activeText()).toBe('git')
  await expect(registry.mistakes).toBeHidden()
  await registry.save('git comes')
  await expect(registry.standing).toContainText('Revision 2 is in force')
  expect(JSON.parse(await newestText(engine))).toMatchObject({ git: { subdomain: 'git', port: 3001 } })
})

test('S1F.4 what cannot be read is kept while one looks elsewhere', async ({ console }) => {
  const registry = new RegistryPage(console)
  await registry.open('services?as=text')
  await registry.replaceText('{"demo": {')
  await console.getByRole('button', { name: 'Table', exact: true }).click()
  await expect(console.getByText('The text cannot be read')).toBeVisible()
  await registry.open('sources')
  await registry.open('services?as=text')
  await expect(registry.text).toHaveText('{"demo": {')
  await console.getByRole('button', { name: 'Discard…' }).click()
  await new Decision(console).confirm('Discard the draft')
  await expect(registry.standing).toContainText('Nothing is changed here')
})

test('S1F.6 the second of two savers is told of the first, and both changes are kept', async ({
  console,
  engine,
  shot,
}) => {
  const registry = new RegistryPage(console)
  await registry.open()
  for (const [name, port] of [
    ['demo', '4000'],
    ['git', '4001'],
  ] as const) {
    await registry.walkTo(name)
    for (let steps = 0; steps < 4; steps += 1) await console.keyboard.press('ArrowRight')
    await console.keyboard.type(port)
    await console.keyboard.press('Enter')
  }
  await saveElsewhere(engine, (services) => {
    services.demo = { ...services.demo, port: 5000 }
    services.wiki = { subdomain: 'wiki', ip: '100.64.0.9', port: 80, public: false } as never
  })
  await expect(registry.standing).toContainText('saved revision 3 meanwhile')
  await registry.save()
  const merge = console.getByRole('region', { name: 'Two saves' })
  await expect(merge.getByRole('status')).toContainText('saved revision 3')
  await expect(merge.getByRole('list', { name: 'Entries that clash' })).toContainText('5000')
  await expect(merge.getByRole('button', { name: 'Go on with both…' })).toBeDisabled()
  await shot('registry-merge')
  await merge.getByRole('radio', { name: 'Yours' }).check()
  await merge.getByRole('button', { name: 'Go on with both…' }).click()
  await registry.save('both')
  await expect(registry.standing).toContainText('Revision 4 is in force')
  expect(JSON.parse(await newestText(engine))).toMatchObject({
    demo: { port: 4000 },
    git: { port: 4001 },
    wiki: { port: 80 },
  })
})

test('S1F.6 any revision is compared with any other, and put in force again with one press', async ({
  console,
  engine,
  shot,
}) => {
  const registry = new RegistryPage(console)
  await registry.open('history')
  await registry.row('the first one').click()
  const drawer = console.getByRole('complementary', { name: 'Revision 1' })
  await expect(drawer).toContainText('1 added')
  await drawer.getByLabel('Compared with').selectOption('4')
  await expect(drawer).toContainText('1 changed, 2 removed')
  await shot('registry-history')
  await drawer.getByRole('button', { name: 'Return to revision 1…' }).click()
  const { dialog } = new Decision(console)
  await expect(dialog).toContainText('1 changed, 2 removed')
  await dialog.getByRole('button', { name: 'Return to revision 1', exact: true }).click()
  await expect(dialog).toBeHidden()
  await expect(registry.row('revision 1 again')).toContainText('in force')
  expect(Object.keys(JSON.parse(await newestText(engine)))).toEqual(['demo'])
})

test('F9 says which node carries a service, proven or not, and which services a node carries', async ({
  console,
  engine,
  shot,
}) => {
  const registry = new RegistryPage(console)
  await registry.open('where')
  await expect(registry.row('demo')).toContainText('demo.example.com')
  await registry.row('demo').click()
  const drawer = console.getByRole('complementary', { name: 'Service demo' })
  await expect(drawer.getByRole('list', { name: 'Nodes of names' })).toContainText('worker-01')
  await expect(drawer).toContainText(/\d+ proven/)
  await shot('registry-where')
  const { id } = await engine.nodes.get({ node: 'worker-01' })
  await drawer.getByRole('link', { name: 'worker-01' }).click()
  await expect(console).toHaveURL(new RegExp(`node=${id}`))
  await expect(new NodeDrawer(console, 'worker-01').drawer).toContainText('1 service: demo')
})

test('S1.15 S1.16 S1.17 S1.18 nodes that are not registered are named, and go into the list of their kind', async ({
  console,
  engine,
  shot,
}) => {
  const registry = new RegistryPage(console)
  await registry.open('nodes')
  await expect(console.getByText(/nodes of the fleet could be registered/)).toBeVisible()
  await console.getByRole('button', { name: 'Add them to the draft' }).click()
  await expect(registry.row('worker-01')).toContainText('workers')
  await registry.save('as the fleet has them')
  await expect(registry.standing).toContainText('Revision 1 is in force')
  const saved = JSON.parse((await engine.registry.get({ registry: 'nodes' }))?.text ?? '{}')
  expect(saved.worker_nodes.map(({ name }: { readonly name: string }) => name)).toContain('worker-01')
  await shot('registry-nodes')
})

test('S1.27 S1F.7 a file is followed, what is wrong with it is said, and the webhook shows its secret once', async ({
  console,
  engine,
  host,
  shot,
}) => {
  const file = join(host.home, 'services.json')
  await writeFile(file, '{"photos": {"subdomain": "photos", "ip": "100.64.0.20", "port": 2342, "public": false}}')
  const registry = new RegistryPage(console)
  await registry.open('sources')
  await console.getByRole('button', { name: 'Add a source…' }).click()
  const form = console.getByRole('form', { name: 'Add a source' })
  await form.getByRole('button', { name: 'Follow it' }).click()
  await expect(form.getByLabel('Name')).toHaveAttribute('aria-invalid', 'true')
  await form.getByLabel('Name').fill('photo file')
  await form.getByLabel('Path').fill(file)
  await form.getByRole('button', { name: 'Follow it' }).click()
  const card = console.getByRole('list', { name: 'Sources' }).getByRole('listitem')
  await expect(card).toContainText('followed')
  await expect.poll(async () => Object.keys(JSON.parse(await newestText(engine)))).toContain('photos')
  await writeFile(file, '{"photos": {"subdomain": "photos"')
  await expect(card).toContainText('failing')
  await expect(card).toContainText('The last good revision stays in force')
  expect(Object.keys(JSON.parse(await newestText(engine)))).toContain('photos')

  await console.getByRole('button', { name: 'Switch it on' }).click()
  const secret = console.getByRole('complementary', { name: 'Webhook' }).getByRole('status')
  await expect(secret).toContainText('It is shown this once')
  const shown = (await secret.locator('code').textContent()) ?? ''
  expect(shown.length).toBeGreaterThan(20)
  await registry.open('history')
  await registry.open('sources')
  await expect(console.getByText('On, at')).toBeVisible()
  await expect(console.getByText(shown)).toHaveCount(0)
  await shot('registry-sources')
})

test('S1F.8 a sensitive value is sealed when it is saved, shown to nobody, and leaves only under a passphrase', async ({
  console,
  engine,
}) => {
  const canary = 'canary-9f3b1c'
  const registry = new RegistryPage(console)
  await registry.open('services?as=text')
  const services = JSON.parse(await newestText(engine))
  await registry.replaceText(JSON.stringify({ ...services, demo: { ...services.demo, db_password: canary } }))
  await console.getByRole('button', { name: 'Save…' }).click()
  const { dialog } = new Decision(console)
  await expect(dialog.getByRole('list', { name: 'Changed entries' })).toContainText('db_password')
  await expect(dialog).not.toContainText(canary)
  await dialog.getByRole('button', { name: 'Save the revision' }).click()
  await expect(registry.text).toContainText('$sealed')
  await expect(registry.text).not.toContainText(canary)
  expect(await newestText(engine)).not.toContain(canary)

  await registry.open('history')
  await console.getByRole('button', { name: 'Export…' }).click()
  await expect(dialog).toContainText('Sensitive values are left out')
  const file = console.waitForEvent('download')
  await dialog.getByRole('button', { name: 'Export to a file' }).click()
  const exported = await readFile(await (await file).path(), 'utf8')
  expect(exported).toContain('"demo"')
  expect(exported).not.toContain(canary)
  await expect(dialog.getByRole('status')).toContainText('1 left out')
  await dialog.getByRole('button', { name: 'Cancel' }).click()

  await console.getByRole('button', { name: 'Import…' }).click()
  const chosen = { name: 'services.json', mimeType: 'application/json', buffer: Buffer.from(exported) }
  await dialog.getByLabel('File to import').setInputFiles(chosen)
  await dialog.getByRole('button', { name: 'Load it into the draft' }).click()
  await expect(registry.standing).toContainText('1 changed')
  await console.getByRole('button', { name: 'Save…' }).click()
  await expect(dialog.getByRole('list', { name: 'Changed entries' })).toContainText('db_password')
  await dialog.getByRole('button', { name: 'Cancel' }).click()
  await console.getByRole('button', { name: 'Undo (Ctrl+Z)' }).click()
  await expect(registry.standing).toContainText('Nothing is changed here')
})

for (const colorScheme of ['dark', 'light'] as const) {
  test(`the registry in ${colorScheme}: nothing serious for axe, and a picture of it`, async ({ console, shot }) => {
    await console.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    const registry = new RegistryPage(console)
    for (const place of [
      'services',
      'services?as=text',
      'nodes',
      'where',
      'where?by=node',
      'where?service=demo',
      'history?revision=2',
      'sources',
    ]) {
      await registry.open(place)
      if (place.includes('as=text')) await expect(registry.text).toBeVisible()
      for (const size of sizes) {
        await console.setViewportSize(size)
        await shot(`registry-${place.replaceAll(/[?=]/g, '-')}-${colorScheme}-${size.width}`)
      }
      const { violations } = await new AxeBuilder({ page: console }).setLegacyMode(true).analyze()
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
      expect
        .soft(
          serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`),
          `${place} in ${colorScheme}`,
        )
        .toEqual([])
    }
  })
}
