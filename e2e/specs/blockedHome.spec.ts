import { expect, test } from '../fixtures/console.ts'

test.use({ world: { blockedHome: true } })

test('a home that cannot be written still opens a window, which names the obstacle @desktop', async ({
  console,
  shot,
}) => {
  const banner = console.getByRole('status').filter({ hasText: 'The engine has stopped' })
  await expect(banner).toContainText('blocked')
  await shot('home-blocked')
})
