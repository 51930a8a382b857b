import type { EngineClient } from '../../src/shared/contract/index.ts'
import { expect, test } from '../fixtures/console.ts'
import { demoInStep, newKey } from '../fixtures/demo.ts'
import { CertificatesPage } from '../pages/certificates.ts'
import { Decision } from '../pages/decision.ts'

test.describe.configure({ mode: 'serial' })

const nodes = 3

const pushAll = (engine: EngineClient) =>
  engine.runs.push({ idempotencyKey: newKey(), plans: [], targets: { kind: 'all' } })

const renewAll = (engine: EngineClient) =>
  engine.certificates.renew({ idempotencyKey: newKey(), targets: { kind: 'all' } })

test('a form writes the plan that brings the trusted authorities, beside the sshd_config of the nodes', async ({
  console,
  engine,
}) => {
  await demoInStep(engine, nodes)
  await console.evaluate(() => {
    location.hash = '#/plans/new?kind=trust'
  })
  await expect(console.getByLabel('File on the node')).toHaveValue(/\.machine\/etc\/ssh\/ca\/trusted_user_ca\.pub$/)
  await console.getByRole('button', { name: 'Apply…' }).click()
  const decision = new Decision(console)
  await decision.expectRadius(`${nodes} of ${nodes} nodes`)
  await decision.confirm('Apply 1 plan')
  await pushAll(engine)
  await expect
    .poll(
      async () => {
        const fleet = await engine.nodes.list({ filter: '' })
        return fleet.filter((node) => node.plans.every((plan) => plan.observed?.revision === plan.desiredRevision))
          .length
      },
      { timeout: 90_000 },
    )
    .toBe(nodes)
})

test('S0.18 replaces the user authority phase by phase, each proven on every node before the next', async ({
  console,
  engine,
  shot,
}) => {
  test.setTimeout(240_000)
  const page = new CertificatesPage(console)
  await page.openTab('Authorities')
  const user = page.authority('SSH user authority')
  await user.getByRole('button', { name: 'Rotate…' }).click()
  await new Decision(console).confirm('Start the rotation')
  await expect(user).toContainText('Both are trusted; the old one still signs.')
  const rotating = (await engine.certificates.authorities()).find(({ kind }) => kind === 'ssh-user')
  const newFingerprint = rotating?.rotation?.newFingerprint ?? 'no new one'

  const advance = async (button: string): Promise<void> => {
    await expect(user.getByRole('button', { name: `${button}…` })).toBeEnabled({ timeout: 90_000 })
    await user.getByRole('button', { name: `${button}…` }).click()
    await new Decision(console).confirm(button)
  }
  await pushAll(engine)
  await advance('Let the new one sign')
  await expect(user).toContainText('Both are trusted; the new one signs.')
  await shot('rotation-sign')
  await renewAll(engine)
  await advance('Let the old one go')
  await expect(user).toContainText('the old one is being taken away')
  await pushAll(engine)
  await shot('rotation-retire')
  await advance('Finish')
  await expect(user.getByRole('region', { name: 'Rotation' })).toHaveCount(0)
  await expect(user).toContainText(newFingerprint.slice(0, 20))
  const renewed = await renewAll(engine)
  expect(renewed.every(({ accepted }) => accepted)).toBe(true)
})
