import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '../fixtures/console.ts'
import { FirstRunPage } from '../pages/firstRun.ts'

test.use({ world: { config: 'maxParallelRuns: many\n' } })

test('an engine that cannot start says why, and starts once that is put right @desktop', async ({
  console,
  host,
  shot,
}) => {
  const banner = console.getByRole('status').filter({ hasText: 'The engine has stopped' })
  await expect(banner).toContainText('maxParallelRuns')
  await shot('engine-failed')
  writeFileSync(join(host.home, 'config.yaml'), 'maxParallelRuns: 4\n')
  await banner.getByRole('button', { name: 'Start it again' }).click()
  await new FirstRunPage(console).expectEmpty()
  await expect(banner).toBeHidden()
})
