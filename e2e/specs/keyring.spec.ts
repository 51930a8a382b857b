import { expect, test } from '../fixtures/console.ts'

test.use({ world: { keyring: 'basic_text' } })

test('a keyring that writes plain text is refused: a passphrase opens the vault in the window @desktop', async ({
  console,
  engine,
  shot,
}) => {
  const gate = console.getByRole('region', { name: 'Locked vault' })
  await expect(gate).toBeVisible()
  expect((await engine.system.status()).vault.unlocked).toBe(false)
  await shot('vault-locked')
  await gate.getByLabel('Passphrase').fill('correct horse battery staple')
  await gate.getByLabel('Once more').fill('correct horse battery stapel')
  await expect(gate).toContainText('The two differ.')
  await expect(gate.getByRole('button', { name: 'Choose this passphrase' })).toBeDisabled()
  await gate.getByLabel('Once more').fill('correct horse battery staple')
  await gate.getByRole('button', { name: 'Choose this passphrase' }).click()
  await expect(gate).toBeHidden()
  expect((await engine.system.status()).vault).toMatchObject({ kind: 'passphrase', unlocked: true })
})

test('after a restart it is locked again and knows a wrong passphrase @desktop', async ({ console, host }) => {
  await host.killEngine()
  const gate = console.getByRole('region', { name: 'Locked vault' })
  await expect(gate).toBeVisible({ timeout: 30_000 })
  await gate.getByLabel('Passphrase').fill('not the one')
  await gate.getByRole('button', { name: 'Unlock' }).click()
  await expect(gate).toContainText(/wrong/i)
  await gate.getByLabel('Passphrase').fill('correct horse battery staple')
  await gate.getByRole('button', { name: 'Unlock' }).click()
  await expect(gate).toBeHidden()
})
