import AxeBuilder from '@axe-core/playwright'
import type { EngineClient } from '../../src/shared/contract/index.ts'
import type { EngineStatus } from '../../src/shared/model/system.ts'
import { expect, test } from '../fixtures/console.ts'
import { demoInStep } from '../fixtures/demo.ts'
import { CertificatesPage } from '../pages/certificates.ts'
import { Decision } from '../pages/decision.ts'
import { NodeDrawer } from '../pages/drawer.ts'
import { FleetPage } from '../pages/fleet.ts'

test.describe.configure({ mode: 'serial' })

const nodes = 4

async function userFingerprint(engine: EngineClient): Promise<string | undefined> {
  return (await engine.certificates.authorities()).find(({ kind }) => kind === 'ssh-user')?.fingerprint
}

test('F53 renews the whole fleet in one press, done only where a login proved it', async ({ console, engine }) => {
  await demoInStep(engine, nodes)
  const page = new CertificatesPage(console)
  await page.openTab('By node')
  await expect(page.row('worker-01')).toBeVisible()
  const before = (await engine.nodes.get({ node: 'worker-01' })).certificate?.serial
  await console.getByRole('button', { name: 'Choose all', exact: true }).click()
  await console.getByRole('button', { name: `Renew (${nodes})…` }).click()
  const decision = new Decision(console)
  await decision.expectRadius(`${nodes} of ${nodes} nodes`)
  await decision.confirm(`Renew ${nodes} certificates`)
  await expect(console.getByRole('status', { name: 'Result of the renewal' })).toContainText(
    `${nodes} of ${nodes} new certificates accepted.`,
    { timeout: 60_000 },
  )
  const after = (await engine.nodes.get({ node: 'worker-01' })).certificate
  expect(after?.serial).not.toBe(before)
  expect(after?.acceptedAt).not.toBeNull()
})

test('N4 finds in the issue log who asked for a certificate and why, by the hour in which it ends', async ({
  console,
  engine,
  shot,
}) => {
  const page = new CertificatesPage(console)
  const { certificate } = await engine.nodes.get({ node: 'worker-01' })
  const serial = certificate?.serial ?? 'none'
  await page.openTab('Issue log')
  await console.getByRole('searchbox', { name: 'Search' }).fill(serial)
  await page.logRow(serial).click()
  const drawer = console.getByRole('complementary', { name: `Certificate ${serial}` })
  await expect(drawer).toContainText('worker-01')
  await expect(drawer).toContainText('sync-agent')
  await shot('certificate')
  await drawer.getByRole('button', { name: 'Close (Esc)' }).click()
  await console.getByRole('searchbox', { name: 'Search' }).fill('')
  await page.hours
    .getByRole('button', { name: /certificates? ends?/ })
    .first()
    .click()
  await expect(console.getByRole('button', { name: /^ends / })).toBeVisible()
  await expect(page.log.getByRole('row').nth(1)).toBeVisible()
  await shot('issue-log-hour')
})

test('S0.4 S0.17 makes the missing authorities and exports what nodes and clients need', async ({
  console,
  engine,
  shot,
}) => {
  const page = new CertificatesPage(console)
  await page.openTab('Authorities')
  for (const name of ['SSH host authority', 'X.509 authority'] as const) {
    await page.authority(name).getByRole('button', { name: 'Create it' }).click()
    await expect(page.authority(name)).toContainText('Fingerprint')
  }
  const made = await engine.certificates.authorities()
  expect(made.map(({ kind }) => kind).sort()).toEqual(['ssh-host', 'ssh-user', 'x509'])
  const user = page.authority('SSH user authority')
  await user.getByRole('button', { name: 'Export' }).click()
  await expect(user.getByRole('region', { name: 'trusted_user_ca.pub' })).toContainText('ssh-ed25519 AAAA')
  await shot('authorities')
})

test('F56 delivers the revocation list to every node and proves it on each', async ({ console, engine, shot }) => {
  const page = new CertificatesPage(console)
  await page.openTab('Revocation list')
  await console.getByRole('button', { name: 'Deliver it to all nodes…' }).click()
  const decision = new Decision(console)
  await decision.expectRadius(`${nodes} nodes`)
  await expect(decision.dialog).toContainText('.machine/etc/ssh/lockstep.krl')
  await decision.confirm('Make the plan')
  await expect(page.coverage).toBeVisible()
  await console.getByRole('button', { name: /^Deliver now \(/ }).click()
  await new Decision(console).confirm(`Deliver to ${nodes} nodes`)
  await page.expectObeyed(nodes, nodes, { timeoutMs: 90_000 })
  await shot('krl-covered')
  const proven = await engine.nodes.list({ filter: '' })
  expect(proven.every(({ krl }) => krl !== null)).toBe(true)
})

test('F55 revokes with the blast radius named, and every node proves that it refuses', async ({
  console,
  engine,
  shot,
}) => {
  const page = new CertificatesPage(console)
  const { certificate } = await engine.nodes.get({ node: 'worker-01' })
  const serial = certificate?.serial ?? 'none'
  await page.openTab('Issue log')
  await console.getByRole('searchbox', { name: 'Search' }).fill(serial)
  await page.logRow(serial).click()
  await console
    .getByRole('complementary', { name: `Certificate ${serial}` })
    .getByRole('button', { name: 'Revoke…' })
    .click()
  const decision = new Decision(console)
  await decision.expectRadius('1 certificate of 1 node')
  await expect(decision.dialog).toContainText(`delivered to ${nodes} nodes`)
  await expect(decision.dialog.getByRole('button', { name: 'Revoke 1 certificate' })).toBeDisabled()
  await decision.dialog.getByLabel('Why').fill('the e2e laptop was lost')
  await shot('revoke-decision')
  await decision.confirm('Revoke 1 certificate')
  await expect(console.getByRole('complementary', { name: `Certificate ${serial}` })).toContainText(
    'the e2e laptop was lost',
  )
  const { version } = await engine.certificates.krl()
  await page.openTab('Revocation list')
  await expect(console.getByText(`Version ${version}`, { exact: true })).toBeVisible()
  await page.expectObeyed(nodes, nodes, { timeoutMs: 90_000 })
  await shot('krl-after-revocation')
})

test('a rotation that was begun goes back: the old authority signs on', async ({ console, engine, shot }) => {
  const page = new CertificatesPage(console)
  await page.openTab('Authorities')
  const user = page.authority('SSH user authority')
  const before = await userFingerprint(engine)
  await user.getByRole('button', { name: 'Rotate…' }).click()
  const decision = new Decision(console)
  await decision.expectRadius(`${nodes} push nodes`)
  await expect(decision.dialog).toContainText(`No plan of kind trusted authorities reaches ${nodes} nodes`)
  await decision.confirm('Start the rotation')
  await expect(user).toContainText('Both are trusted; the old one still signs.')
  await expect(user.getByRole('list', { name: 'Waiting for' })).toContainText('no plan of kind trust selects it')
  await expect(user.getByRole('button', { name: 'Let the new one sign…' })).toBeDisabled()
  await shot('rotation-blocked')
  await user.getByRole('button', { name: 'Roll back…' }).click()
  await new Decision(console).confirm('Roll back')
  await expect(user).toContainText('The old one signs again')
  expect(await userFingerprint(engine)).toBe(before)
})

test('the drawer of a node says which list it obeys', async ({ console }) => {
  const fleet = new FleetPage(console)
  await fleet.open()
  await fleet.openDrawer('worker-01')
  const { drawer } = new NodeDrawer(console, 'worker-01')
  await expect(drawer.getByText(/Version \d+ was proven/)).toBeVisible()
})

const openRuns = ({ counts }: EngineStatus): number => counts.runsQueued + counts.runsRunning

test('S0.21 S0.22 S0.23 S0.24 S0.25 makes a node a storage: every line first, proven by a fresh login, and undone', async ({
  console,
  engine,
  shot,
}) => {
  const { user } = await engine.nodes.get({ node: 'worker-01' })
  // What the tests before have set going changes sshd of the same node.
  await expect.poll(async () => openRuns(await engine.system.status())).toBe(0)
  const { drawer } = new NodeDrawer(console, 'worker-01')
  await drawer.getByRole('button', { name: 'Make this node a storage…' }).click()
  const wizard = console.getByRole('complementary', { name: 'Make worker-01 a storage' })
  await wizard.getByRole('button', { name: 'See what would change' }).click()
  await expect(wizard).toContainText('say which way in you have tried')
  await wizard.getByLabel('Which, and who can use it').fill('this machine itself, tried by the test')
  await wizard.getByLabel('Login user').fill(user)
  await shot('storage-settings')
  await wizard.getByRole('button', { name: 'See what would change' }).click()
  await expect(wizard.getByRole('region', { name: /sshd_config$/ }).first()).toContainText('AuthorizedKeysFile none')
  await shot('storage-preview')
  await wizard.getByRole('checkbox', { name: /I have tried it/ }).check()
  await wizard.getByRole('button', { name: 'Apply to worker-01' }).click()
  await expect(wizard.getByRole('status')).toContainText('Verified by a fresh login', { timeout: 60_000 })
  await shot('storage-applied')
  expect((await engine.nodes.get({ node: 'worker-01' })).storage?.settings.user).toBe(user)
  await wizard.getByRole('button', { name: 'Close', exact: true }).click()
  await drawer.getByRole('button', { name: 'Undo…' }).click()
  await new Decision(console).confirm('Put it back')
  await expect(drawer.getByRole('button', { name: 'Make this node a storage…' })).toBeVisible()
  expect((await engine.nodes.get({ node: 'worker-01' })).storage).toBeNull()
})

for (const tab of ['By node', 'Issue log', 'Authorities', 'Revocation list', 'step-ca'] as const) {
  test(`${tab}: nothing serious for axe, in dark and light`, async ({ console, shot }) => {
    await new CertificatesPage(console).openTab(tab)
    for (const colorScheme of ['dark', 'light'] as const) {
      await console.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      const { violations } = await new AxeBuilder({ page: console }).setLegacyMode(true).analyze()
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
      expect
        .soft(
          serious.map(({ id, nodes: found }) => `${id}: ${found.map((node) => node.html.slice(0, 160)).join(' | ')}`),
        )
        .toEqual([])
      await shot(`certificates-${tab.replace(' ', '-')}-${colorScheme}`)
    }
  })
}
